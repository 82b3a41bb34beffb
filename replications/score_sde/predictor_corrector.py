"""Predictor-corrector sampling (Song 2021, Algorithm 1; 2 and 3 for VE and VP), and what it costs.

At each scale the paper's code first corrects and then predicts; its algorithms print the other order. What is returned is the
last predictor's mean, without its noise. A repeated last time makes that mean a prediction of clean data.
"""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Answering, Answers, Time, level_of
from common.dynamics.denoiser import Denoiser
from common.dynamics.paths import GaussianPath, level_times
from common.dynamics.samplers.loop import Method, Noise, Sampler, Step, Times, sampler
from common.errors import UnsupportedModelError
from replications.score_sde.predictors import identity

State = Float[Tensor, "batch *shape"]
Order = Literal["coded", "printed"]
Interpolation = Literal["linear", "rounding"]


def predictor_corrector(
    predictor: Method,
    corrector: Method = identity,
    *,
    correctors: int = 1,
    order: Order = "coded",
    what: str = "predictor-corrector sampling",
) -> Sampler:
    """Return the sampler of a predictor and of `correctors` steps of a corrector at each scale.

    order: "coded" corrects before every prediction, "printed" after it, but never what is clean data already.
    """

    def method(path: GaussianPath, times: Times) -> Step:
        predict, correct = predictor(path, times), corrector(path, times)

        def step(model: Answers, x: State, t: float, t_next: float, noise: Noise) -> tuple[State, State]:
            if order == "coded":
                for _ in range(correctors):
                    x, _ = correct(model, x, t, t, noise)
            x, mean = predict(model, x, t, t_next, noise)
            if order == "printed" and t_next != t:
                for _ in range(correctors):
                    x, mean = correct(model, x, t_next, t_next, noise)
            return x, mean

        return step

    visits = "both" if order == "printed" and corrector is not identity else "starts"
    return sampler(what, method, quantity="score", visits=visits, repeats=True, singular_at_noise=True, last_mean=True)


def scales(path: GaussianPath, count: int, *, t_min: float | None = None) -> Times:
    """Return the times of `count` scales, evenly spaced from 1 down to `t_min` (the path's own), and of clean data after them."""
    levels = torch.linspace(1, path.t_min if t_min is None else t_min, count, dtype=torch.float64)
    return to_clean(levels)


def level_scales(path: GaussianPath, count: int) -> Times:
    """Return the times of a discrete model's scales, which are its noise levels, and of clean data after them."""
    return to_clean(level_times(path, count))


def to_clean(levels: Times) -> Times:
    """Return the levels' times with the last one repeated, so that the last of as many steps ends in clean data."""
    return torch.cat([levels, levels[-1:]])


class Budget(NamedTuple):
    """A column of Table 1: how many scales, whether there is a predictor, corrector steps at each scale."""

    scales: int
    predicts: bool
    correctors: int

    @property
    def evaluations(self) -> int:
        """Of the network, for one sample."""
        return self.scales * (self.predicts + self.correctors)


def budgets(count: int) -> dict[str, Budget]:
    """Return Table 1's columns at `count` scales (1000 in the paper): the last three cost the same."""
    return {
        "P": Budget(count, True, 0),
        "P2": Budget(2 * count, True, 0),
        "C2": Budget(count, False, 2),
        "PC": Budget(count, True, 1),
    }


# of Figure 9: corrector steps, at every so many scales; their share of the evaluations is correctors / (correctors + every)
MIXED = ((3, 0), (3, 1), (1, 1), (1, 3))


def between_levels(model: Answers, interpolation: Interpolation) -> Answering:
    """Return a model of discrete noise levels as one of all times, which P2 asks it to be (Tables 1 and 4).

    linear: the network is given the time between two levels as it is, as if the index were a fraction.
    rounding: it answers with its score at the nearest level.
    """
    known = model.known_times
    if known is None:
        raise UnsupportedModelError("this model knows all times: there is nothing to interpolate")
    if interpolation == "linear" and isinstance(model, Denoiser) and model.conditioning.t == "index":
        raise UnsupportedModelError("a network that looks its level up cannot take a fraction of an index: round")
    if interpolation == "linear":
        return Answering(model.path, model.prediction, model.predict)

    def nearest(x: Tensor, t: Time) -> Tensor:
        time = t.cpu() if isinstance(t, Tensor) else torch.tensor(t, dtype=known.dtype)  # a sampler's time is a number
        level = known[level_of(known, time)]
        return model.score(x, level.to(x) if isinstance(t, Tensor) else float(level))

    return Answering(model.path, "score", nearest)
