"""Samples of a mixture by predictors and correctors with its exact score, and their distance to data.

All samplers start from the same noise and draw the same, and all distances are to the same data along the same directions.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat
from torch import Tensor

from common.dynamics.oracles import GaussianMixture
from common.dynamics.samplers.loop import Times
from common.dynamics.samplers.result import Callback, Samples
from common.measure.metrics.wasserstein import sliced_wasserstein
from common.runs.experiment import Context
from common.runs.folders import row
from common.runs.settings import Settings as Base
from replications.score_sde.correctors import Alpha, at_every, langevin
from replications.score_sde.facts.toy_mixture import EPS, Toy
from replications.score_sde.predictor_corrector import predictor_corrector, scales
from replications.score_sde.predictors import NONE, TABLE_1, identity

FLOORS = 4  # pairs of data whose mean distance is the floor
Cloud = Float[Tensor, "samples dim"]


class CorrectorSettings(Base):
    """Settings of the Langevin corrector on one SDE."""

    snr: NonNegativeFloat = Field(description="signal-to-noise ratio r beside a predictor")
    alone: NonNegativeFloat = Field(description="signal-to-noise ratio r without one")
    alpha: Alpha = Field(default="one", description="factor of the step: one, coded (1 - beta_i) or printed")


class Data(NamedTuple):
    """Data of the mixture that samples are compared with, and what as many other data read."""

    points: Float[np.ndarray, "samples dim"]
    projections: int
    seed: int
    floor: float

    def row(self, metric: str, x: Cloud, **labels: Any) -> dict[str, Any]:
        """Return the sliced Wasserstein distance of samples as a row."""
        return row(metric, self.distance(x), floor=self.floor, n=len(x), **labels)

    def distance(self, x: Cloud) -> float:
        """Return the sliced Wasserstein distance of samples to the data."""
        return sliced_wasserstein(x.numpy(force=True), self.points, projections=self.projections, seed=self.seed)


def drawn_data(toy: Toy, samples: int, projections: int, context: Context) -> Data:
    """Return fresh data of the mixture with their floor."""
    generator, model = context.generator("data"), toy.on(toy.paths()["ve"])
    points = model.sample(samples, generator=generator)
    data = Data(points.numpy(), projections, context.seed_for("directions") % 2**32, 0.0)
    return data._replace(floor=float(np.mean([data.distance(model.sample(samples, generator=generator)) for _ in range(FLOORS)])))


class Case(NamedTuple):
    """The mixture on one SDE, where samples start, and the corrector there."""

    sde: str
    model: GaussianMixture
    start: Cloud
    corrector: CorrectorSettings
    context: Context

    def samples(
        self,
        predictor: str,
        count: int,
        correctors: int = 0,
        *,
        snr: float | None = None,
        every: int = 1,
        callback: Callback | None = None,
    ) -> Samples:
        """Return samples of a predictor at `count` scales with `correctors` steps at every so many of them.

        The signal-to-noise ratio is that of the settings unless another is given.
        """
        own = self.corrector.alone if predictor == NONE else self.corrector.snr
        corrector = at_every(every, langevin(own if snr is None else snr, alpha=self.corrector.alpha))
        sample = predictor_corrector(TABLE_1.get(predictor, identity), corrector, correctors=correctors)
        noise = self.context.generator("noise", device=self.start.device)
        return sample(self.model, self.start, self.times(count), generator=noise, callback=callback)

    def times(self, count: int) -> Times:
        """Return the times of `count` scales, and of clean data."""
        return scales(self.model.path, count, t_min=EPS[self.sde])


def drawn_case(sde: str, toy: Toy, samples: int, corrector: CorrectorSettings, context: Context) -> Case:
    """Return a case that starts from the SDE's prior; the noise under it is the same for every SDE."""
    model = toy.on(toy.paths()[sde])
    start = model.path.prior_sample((samples, toy.means.shape[1]), generator=context.generator("starts"), dtype=torch.float32)
    return Case(sde, model, start.to(context.device), corrector, context)
