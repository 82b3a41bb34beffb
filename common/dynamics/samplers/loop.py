"""The one loop of every sampler that steps on given times.

A method says how one step goes, and nothing else:

    method(path, times) -> step                 prepares what depends on the schedule alone, as numbers and not as tensors
    step(model, x, t, t_next, noise) -> x, mean the state at t_next, and the same without the noise of this step

The loop checks, draws noise, counts evaluations, calls back and looks for values that are not finite.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Answers, Time, require
from common.dynamics.paths import Prior
from common.dynamics.samplers.noise import Source, normal
from common.dynamics.samplers.result import Callback, Samples, called_back, finished
from common.errors import SolverError

Times = Float[Tensor, " points"]
Noise = Callable[[Tensor], Tensor]  # fresh standard normals like x
Step = Callable[[Answers, Tensor, float, float, Noise], tuple[Tensor, Tensor]]
Method = Callable[[Prior, Times], Step]
Sampler = Callable[..., Samples]  # sample(model, x, times, *, generator=None, callback=None)


class CountedModel(Answers):
    """A model that counts its evaluations."""

    def __init__(self, model: Answers) -> None:
        self.model, self.calls = model, 0
        self.path, self.known_times, self.quantities = model.path, model.known_times, model.quantities

    def answer(self, quantity: str, x: Tensor, t: Time) -> Tensor:
        """Return the model's answer and count it."""
        self.calls += 1
        return self.model.answer(quantity, x, t)


def sampler(
    what: str,
    method: Method,
    *,
    quantity: str = "data",
    visits: Literal["starts", "both"] = "starts",
    downwards: bool = True,
    repeats: bool = False,
    singular_at_noise: bool = False,
    dtype: torch.dtype | None = None,
    last_mean: bool = False,
) -> Sampler:
    """Return `sample(model, x, times, *, generator=None, callback=None) -> Samples` of a method.

    what: its name in messages; quantity: what its steps ask of the model; visits: whether a step asks at its start alone or at
    its end too, which tells whether a network of noise levels can serve it; downwards: whether times must go from noise to data;
    repeats: whether a time may follow itself, for steps that stay at one noise level; singular_at_noise: whether it divides by
    alpha, which vanishes at t = 1 on some paths; dtype: of the state, by default x's own; last_mean: whether the last noise
    is left out.
    """

    @torch.no_grad()
    def sample(
        model: Answers,
        x: Float[Tensor, "batch *shape"],
        times: Times,
        *,
        generator: Source = None,
        callback: Callback | None = None,
    ) -> Samples:
        require(model, what, quantity, times[:-1] if visits == "starts" else times)
        check_times(model.path, times, what, downwards=downwards, singular_at_noise=singular_at_noise, repeats=repeats)
        counted, times = CountedModel(model), times.double()
        step, x, mean = method(model.path, times), x.to(dtype or x.dtype), x

        def noise(state: Tensor) -> Tensor:
            return normal(state, generator, what)

        for number, (t, t_next) in enumerate(pairwise(times.tolist())):
            x, mean = step(counted, x, t, t_next, noise)
            x = called_back(callback, number, t_next, x)
        return finished(what, mean if last_mean else x, counted.calls)

    return sample


def check_times(path: Prior, times: Times, what: str, *, downwards: bool, singular_at_noise: bool, repeats: bool = False) -> None:
    """Raise `SolverError` unless a method can run on these times."""
    if len(times) < 2:
        raise SolverError(f"{what} needs at least two times; got {len(times)}")
    gaps = times.diff()
    if repeats:
        gaps = gaps[gaps != 0]
    if downwards and not bool((gaps < 0).all()):
        raise SolverError(f"{what} runs from noise to data; give decreasing times")
    if not bool((gaps < 0).all() or (gaps > 0).all()):
        raise SolverError(f"{what}: times must increase or decrease from each to the next, and none may be repeated")
    if singular_at_noise and float(times[0]) > path.t_max:
        raise SolverError(
            f"{what} on path {path.name!r}: drift and diffusion are infinite at t = {float(times[0]):g}; start at "
            f"t <= {path.t_max:g}"
        )


def at(times: Times, schedule: Callable[[Tensor], Tensor]) -> dict[float, float]:
    """Return the schedule's value at each time: numbers, taken for all times at once, so that no step waits for a device."""
    grid = times.double().cpu()
    return dict(zip(grid.tolist(), schedule(grid).tolist()))
