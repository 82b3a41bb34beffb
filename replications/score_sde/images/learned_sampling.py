"""Samples of a trained model by predictors and correctors, before and after the last denoising step, and the ways there.

All samplers of a run start from the same noise and draw the same on the way; all distances are to the same test images.
"""

from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat
from torch import Tensor

from common.dynamics.answers import Answering, Answers
from common.dynamics.paths import GaussianPath
from common.dynamics.samplers.loop import Method, Times
from common.dynamics.samplers.ode import trajectory
from common.evaluation.yardstick import Yardstick
from common.runs.experiment import Context
from common.runs.settings import Settings as Base
from replications.score_sde.correctors import Alpha, at_every, langevin
from replications.score_sde.images.model_samples import EPS, Drawn, of_continuous_times, samples
from replications.score_sde.predictor_corrector import between_levels, predictor_corrector, scales
from replications.score_sde.predictors import NONE, TABLE_1, euler_maruyama, identity
from replications.score_sde.probability_flow import rk45

Predictor = Literal["ancestral", "reverse_diffusion", "probability_flow", "euler_maruyama", "corrector_only"]
METHODS: dict[str, Method] = {**TABLE_1, "euler_maruyama": euler_maruyama, NONE: identity}
Images = Float[Tensor, "n c h w"]
Ways = Float[Tensor, "points starts c h w"]


class CorrectorSettings(Base):
    """Settings of the Langevin corrector on one model's path, and so which predictors run there."""

    snr: dict[Predictor, NonNegativeFloat] = Field(
        description="signal-to-noise ratio r beside each predictor, and of the corrector alone (corrector_only)"
    )
    alpha: Alpha = Field(default="one", description="factor of the step: one, coded (1 - beta_i) or printed")

    @property
    def predictors(self) -> list[str]:
        """The predictors that run, without the corrector alone."""
        return [each for each in self.snr if each != NONE]


class Ended(NamedTuple):
    """Samples, the same before the last step's noise was taken away, and evaluations for one of them."""

    x: Images
    noisy: Images
    nfe: float


class Case(NamedTuple):
    """A trained model, the standard normals that its samples start from, how many share their steps, its corrector."""

    model: Answers
    noise: Images
    batch: int
    corrector: CorrectorSettings
    measure: Yardstick
    floor: float
    context: Context

    @property
    def t_min(self) -> float:
        """The least time of sampling."""
        return EPS[self.model.path.name]

    def samples(self, predictor: str, count: int, correctors: int = 0, *, every: int = 1, rounded: int | None = None) -> Ended:
        """Return samples of a predictor at `count` scales with `correctors` steps at every so many of them.

        rounded: the model answers at the nearest of so many scales, as if it knew no others.
        """
        corrector = at_every(every, langevin(self.corrector.snr[predictor], alpha=self.corrector.alpha))
        sampler = predictor_corrector(METHODS[predictor], corrector, correctors=correctors)
        model, times, noisy = self.model if rounded is None else self.knowing(rounded), self.times(count), []

        def keep(step: int, t: float, x: Tensor) -> None:
            if step == count - 1:
                noisy.append(x)

        found = samples(model, self.noise, partial(sampler, callback=keep), times, self.batch, self.context)
        return Ended(found.x, torch.cat(noisy), found.nfe)

    def flow(self, tolerance: float) -> Ended:
        """Return samples of the probability-flow ODE by RK45, denoised by one more evaluation."""
        found: Drawn = samples(self.model, self.noise, rk45(tolerance, denoised=False), self.ends, self.batch, self.context)
        clean = torch.cat([self.model.denoised(part, self.t_min) for part in found.x.split(self.batch)])
        return Ended(clean, found.x, found.nfe + 1)

    def times(self, count: int) -> Times:
        """Return the times of `count` scales, and of clean data."""
        return scales(self.model.path, count, t_min=self.t_min)

    @property
    def ends(self) -> Times:
        """Where the flow starts and ends."""
        return torch.tensor([1.0, self.t_min], dtype=torch.float64)

    def knowing(self, count: int) -> Answers:
        """Return the model as one that knows its scores at `count` scales alone, and rounds to them."""
        model = self.model
        known = Answering(model.path, model.prediction, model.predict, self.times(count)[:-1])
        return between_levels(known, "rounding")

    def row(self, metric: str, x: Images, **labels: Any) -> dict[str, Any]:
        """Return the row of samples' distance to the test images."""
        return self.measure.row(metric, x.clamp(-1, 1), floor=self.floor, **labels)


def ways(case: Case, starts: int, steps: int, tolerance: float) -> tuple[Times, dict[str, Ways]]:
    """Return times and the states of the first starts there, along the reverse SDE and along the flow, over their usual size.

    That size is sqrt(alpha^2 + sigma^2), the standard deviation if data had 1. Both are of as many points, the SDE's of steps
    of the paper's predictor, without correctors.
    """
    path, times = case.model.path, case.times(steps)
    start, grid = (path.prior_std * case.noise[:starts]).to(case.context.device), times[:-1]
    found = {"SDE": walked(case, of_continuous_times(path), start, times)[:-1]}
    found["ODE"] = trajectory(case.model, start, grid, rtol=tolerance, atol=tolerance)
    usual = size(path, grid).to(start.device).reshape(-1, 1, 1, 1, 1)
    return grid, {how: states / usual for how, states in found.items()}


def walked(case: Case, predictor: Method, start: Images, times: Times) -> Ways:
    """Return the start and the states after each of a predictor's steps."""
    kept, noise = [start], case.context.generator("noise on the way", device=case.context.device)
    predictor_corrector(predictor)(case.model, start, times, generator=noise, callback=lambda step, t, x: kept.append(x))
    return torch.stack(kept)


def size(path: GaussianPath, times: Times) -> Float[Tensor, " points"]:
    """Return the standard deviation of states if data had 1."""
    return (path.alpha(times).square() + path.sigma(times).square()).sqrt()
