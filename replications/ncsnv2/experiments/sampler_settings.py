"""How the quality of samples depends on what techniques 2 and 4 choose: number of levels and step size (Sections 3.2, 3.4).

One network for all: told no level, it answers at every level. Ladders of few and of many levels share sigma_1, sigma_L and the
number of evaluations, and each has technique 4's step. Step sizes go from a fraction of technique 4's to where chains diverge.
All chains share starts and noise.
"""

from typing import Annotated, Any

from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from common.dynamics.paths import level_times
from common.evaluation.yardstick import Space, Yardstick, yardstick
from common.learning.data import catalogue
from common.measure.metrics.inception import find_weights
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ncsn.chains import noise_of_chains, starts
from replications.ncsn.networks import Trained, levels_of
from replications.ncsn.sampler_step import Step
from replications.ncsnv2.networks import LEAST, Network, trained
from replications.ncsnv2.noise_levels import shell_mass
from replications.ncsnv2.sampling import Sampled, at_any_level, chosen_step, samples
from replications.ncsnv2.step_size import best_step_size

VARIANT = ("data",)
SHOWN = 12


class Settings(Base):
    """Settings of the chains."""

    data: str = Field(description="image data set")
    network: Network = Field(default="shared", description="network that is sampled")
    samples: PositiveInt = Field(description="chains of each setting")
    steps: PositiveInt = Field(default=5, description="Langevin steps at each of the network's own levels")
    levels: list[Annotated[int, Field(ge=2)]] = Field(
        description="numbers of levels; steps at each are what leaves the evaluations as they are"
    )
    sizes: list[PositiveFloat] = Field(description="step sizes, over technique 4's")
    unstable: float = Field(default=2.05, gt=2, description="a step size rho beyond the limit of stability, which is 2")
    batch: PositiveInt = Field(default=1000, description="chains that run together")
    space: Space = Field(default="classifier", description="features of the distances; Inception's need its weights on disk")


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and whole, and Inception's weights where they are asked for."""
    catalogue.load(settings.data, "test")
    if settings.space == "inception":
        find_weights("FID")


def run(settings: Settings, context: Context) -> Outcome:
    """Sample with every ladder and every step size."""
    network = trained(context, settings.data, "ncsnv2", settings.network)
    measure = yardstick(settings.data, context, settings.samples, space=settings.space)
    shape = tuple(measure.test.images.shape[1:])
    start = starts(settings.samples, shape, context)
    rows, arrays = [measure.floor_row(settings.samples, settings.data)], {}
    for found, pictures in (
        of_ladders(network, start, measure, settings, context),
        of_sizes(network, start, measure, settings, context),
    ):
        rows += found
        arrays |= pictures
    return Outcome(rows, arrays=arrays)


def of_ladders(
    network: Trained, start: Tensor, measure: Yardstick, settings: Settings, context: Context
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the distance by number of levels, with the mass that a level puts on the shell of the level before."""
    own = levels_of(network)
    evaluations, widest = settings.steps * len(own), float(own[0]) / LEAST
    rows, pictures, dim = [], {}, start[0].numel()
    for count in settings.levels:
        ratio = widest ** (1 / (count - 1))
        steps = max(1, round(evaluations / count))
        step = Step(steps=steps, rho=best_step_size(ratio, steps, LEAST).rho)
        times = level_times(network.model.path, count)
        found = drawn(network, start, step, settings, context, levels=times)
        labels = {"dataset": settings.data, "method": "ncsnv2", "axis": "levels", "at": count}
        rows += [
            measure.row("frechet_of_levels", found.denoised, nfe=found.nfe + 1, **labels),
            row("shell_mass", shell_mass(dim, ratio), **labels),
        ]
        pictures[f"levels {count}"] = found.denoised[:SHOWN].half().cpu().numpy()
    return rows, pictures


def of_sizes(
    network: Trained, start: Tensor, measure: Yardstick, settings: Settings, context: Context
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the distance by step size, told as rho; the last one is unstable."""
    chosen, rows, pictures = chosen_step(network, settings.steps), [], {}
    for size in (*settings.sizes, settings.unstable / chosen.rho):
        found = drawn(network, start, chosen.model_copy(update={"rho": size * chosen.rho}), settings, context)
        variant = "stable" if size * chosen.rho < 2 else "unstable"
        labels = {"dataset": settings.data, "method": "ncsnv2", "variant": variant, "axis": "size", "at": round(size, 4)}
        rows += [
            measure.row("frechet_of_sizes", found.denoised, nfe=found.nfe + 1, **labels),
            row("diverged_share", found.diverged, n=len(start), **labels),
            row("relative_step", size * chosen.rho, **labels),
        ]
        pictures[f"size {round(size, 4):g}"] = found.denoised[:SHOWN].half().cpu().numpy()
    return rows, pictures


def drawn(
    network: Trained, start: Tensor, step: Step, settings: Settings, context: Context, *, levels: Tensor | None = None
) -> Sampled:
    """Return samples of the network, asked at any levels."""
    more = {"levels": levels, "model": at_any_level(network), "batch": settings.batch}
    return samples(network, start, step, generator=noise_of_chains(context), **more)
