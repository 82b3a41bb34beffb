"""Trained models under the adaptive solver and its rivals: their samples, and what these cost and are worth.

All samplers of a run start from the same noise; all distances are to the same test images.
"""

from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor

from common.dynamics.denoiser import Denoiser
from common.dynamics.samplers.loop import Sampler
from common.dynamics.samplers.result import Samples, denoised_last
from common.evaluation.yardstick import Yardstick
from common.learning.data.scale import rescaled
from common.learning.models import WEIGHTS, load_denoiser, read_description
from common.learning.training.run import schedule_of, snapshot_file
from common.runs.experiment import Context
from common.runs.folders import row
from common.runs.settings import Settings as Base
from replications.gotta_go_fast.adaptive_sde import adaptive_sde
from replications.gotta_go_fast.costs import cost_rows, published_nfe
from replications.gotta_go_fast.leftover_noise import Quietest
from replications.score_sde.correctors import Alpha
from replications.score_sde.images.model_samples import EPS
from replications.score_sde.networks.ncsnpp import NCSNppSettings

Network = Literal["shared", "ncsnpp"]
Images = Float[Tensor, "n c h w"]
UNIT = (-1.0, 1.0)
Row = dict[str, Any]


class Process(Base):
    """What is chosen for one model's SDE."""

    first_step: PositiveFloat = Field(default=0.01, description="the adaptive solver's, in units of time")
    snr: NonNegativeFloat = Field(description="signal-to-noise ratio of the Langevin steps")
    alpha: Alpha = Field(default="one", description="factor of their size: one, coded (1 - beta_i) or printed")


class Trained(NamedTuple):
    """A model, and the range of its pixels."""

    model: Denoiser
    pixel_range: tuple[float, float]


class Drawn(NamedTuple):
    """Samples as images in [-1, 1], not clipped; their costs; evaluations as published, the mean over batches."""

    images: Images
    samples: Samples
    nfe: float


def trained(data: str, name: str, network: Network, context: Context, share: float = 1.0) -> Trained:
    """Return a model of the suite's shared network or of the published ones, or the state nearest to a share of its training.

    `network` ncsnpp takes the folder of score_sde's `train_ncsnpp`, where a checkpoint of the authors can be imported to.
    """
    folder = context.model(data, name, backbone=None if network == "shared" else network)
    described = read_description(folder, [NCSNppSettings])
    file = WEIGHTS if share == 1 else snapshot_file(schedule_of(folder).snapshot_near(share))
    model = load_denoiser(folder, context.device, file, backbones=[NCSNppSettings])
    return Trained(model, described.pixel_range or UNIT)


class Measures(NamedTuple):
    """The distance in features, with its floor, and the noise that is left, with that of test images."""

    yardstick: Yardstick
    floor: float
    quiet: Quietest
    quiet_floor: float

    def rows(self, images: Images, **labels: Any) -> list[Row]:
        """Return the rows of images in [-1, 1]: clipped for the features, as they are for the noise."""
        distance = self.yardstick.row("feature_frechet", images.clamp(*UNIT), floor=self.floor, **labels)
        noise = self.quiet.noise(images)
        return [distance, row("leftover_noise", noise, floor=self.quiet_floor, unit="pixel", n=len(images), **labels)]


class Case(NamedTuple):
    """A model with what is chosen for its SDE, the standard normals that samples start from, how many are drawn together."""

    trained: Trained
    process: Process
    noise: Images
    batch: int
    measures: Measures
    context: Context

    @property
    def sde(self) -> str:
        """The name of the model's path."""
        return self.trained.model.path.name

    def first(self, n: int) -> "Case":
        """Return the case of the first n starts."""
        noise = self.noise[:n]
        return self._replace(noise=noise, measures=self.measures._replace(floor=self.measures.yardstick.floor(len(noise))))

    def drawn(self, sampler: Sampler) -> Drawn:
        """Return a sampler's samples, from the SDE's prior to its last time."""
        (model, pixel_range), where = self.trained, self.context.device
        times = torch.tensor([model.path.t_max, EPS[self.sde]], dtype=torch.float64)
        starts, generator = model.path.prior_std * self.noise.to(where), self.context.generator("noise on the way", device=where)
        parts = [sampler(model, part, times, generator=generator) for part in starts.split(self.batch)]
        found = Samples(*(torch.cat(column) for column in zip(*parts)))
        nfe = sum(published_nfe(part) for part in parts) / len(parts)
        return Drawn(rescaled(found.x, pixel_range, UNIT).cpu().float(), found, nfe)

    def solved(self, rtol: float, **options: Any) -> Drawn:
        """Return samples of the adaptive solver; the absolute tolerance is a grey level of 256, as published."""
        low, high = self.trained.pixel_range
        options = {"first_step": self.process.first_step, **options}
        return self.drawn(denoised_last(adaptive_sde(rtol, (high - low) / 256, **options)))

    def adaptive_rows(self, found: Drawn, **labels: Any) -> list[Row]:
        """Return the rows of an adaptive run: what its samples are worth, and its cost."""
        labels |= {"nfe": found.nfe}
        return [*self.measures.rows(found.images, **labels), *cost_rows(found.samples, **labels)]
