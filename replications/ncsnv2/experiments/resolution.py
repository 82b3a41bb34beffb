"""Coverage against resolution: a fixed ladder of noise levels, and one that follows the images (techniques 1, 2 and 4).

The same images are averaged over boxes of ever fewer pixels. Their distances grow with the root of the number of pixels, so a
fixed largest level falls behind, while the rules choose it, the number of levels and the steps anew. Scores are exact: what is
lost is lost by the noise levels.
"""

from typing import Any

from pydantic import Field, PositiveFloat, PositiveInt
from torch.nn import functional as F

from common.errors import SettingsError
from common.learning.data.training import sample_shape
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ncsnv2.coverage import coverage_rows, exact_draws, measures
from replications.ncsnv2.exact_chains import Centres, Ladder, centres, exact_chains, spaced_ladder, uniform
from replications.ncsnv2.pairwise_distances import distances

VARIANT = ("data",)


class Fixed(Base):
    """NCSN's ladder."""

    sigma_max: PositiveFloat = Field(default=1.0, description="largest noise level")
    levels: PositiveInt = Field(default=10, description="noise levels")
    rho: PositiveFloat = Field(default=0.2, description="drift coefficient of a step over sigma^2")


class Settings(Base):
    """Settings of the mixtures and the chains. Levels are for pixels in [0, 1]."""

    data: str = Field(description="image data set, at its own resolution the finest")
    sides: list[PositiveInt] = Field(description="pixels along a side of the averaged images; each divides the data set's own")
    centres: PositiveInt = Field(description="images that are centres of Gaussians")
    chains: PositiveInt = Field(description="chains of each ladder, from uniform noise")
    sigma_min: PositiveFloat = Field(default=0.01, description="least noise level, which is the Gaussians' width")
    steps: PositiveInt = Field(description="Langevin steps at each level chosen by rule; the fixed ladder has as many in all")
    fixed: Fixed = Field(default=Fixed(), description="the ladder that is the same at all resolutions")


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and its boxes are whole."""
    own = sample_shape(settings.data)[-1]
    if bad := [side for side in settings.sides if own % side]:
        raise SettingsError(f"sides: {bad[0]} does not divide {own}, the pixels along a side of {settings.data}; take a divisor")


def run(settings: Settings, context: Context) -> Outcome:
    """Run chains of both ladders at every resolution and measure what they cover."""
    finest = centres(settings.data, settings.centres, context)
    rows: list[dict[str, Any]] = []
    for side in settings.sides:
        rows += rows_at(averaged(finest, side), settings, context)
    return Outcome(rows)


def averaged(finest: Centres, side: int) -> Centres:
    """Return images of `side` pixels along a side, each the mean of a box of the finest."""
    return finest._replace(images=F.avg_pool2d(finest.images, finest.images.shape[-1] // side))


def rows_at(mixture: Centres, settings: Settings, context: Context) -> list[dict[str, Any]]:
    """Return what both ladders cover at one resolution."""
    dim, between = mixture.images[0].numel(), distances(mixture.images, generator=context.generator("distances"))
    exact = exact_draws(settings.chains, mixture, settings.sigma_min, context.generator("exact draws"))
    floor, start = measures(exact, mixture), uniform(settings.chains, mixture.images, context.generator("starts"))
    rows = []
    for method, ladder in ladders(between.largest, dim, settings).items():
        noise = context.generator("chains", device=context.device)
        found = exact_chains(mixture.images, {method: start}, ladder, generator=noise)[method]
        labels = {"dataset": settings.data, "method": method, "axis": "dimensions", "at": dim, "nfe": ladder.nfe}
        rows += coverage_rows(found, mixture, floor, **labels)
        rows.append(row("sigma_over_median", ladder.sigma_max / between.median, unit="ratio", **labels))
    return rows


def ladders(widest: float, dim: int, settings: Settings) -> dict[str, Ladder]:
    """Return the ladder that follows the images (techniques 1, 2 and 4) and the fixed one, of about as many evaluations."""
    chosen, fixed = spaced_ladder(widest, settings.sigma_min, dim, settings.steps), settings.fixed
    steps = max(1, round(chosen.nfe / fixed.levels))
    return {"ncsnv2": chosen, "ncsn": Ladder(fixed.sigma_max, settings.sigma_min, fixed.levels, steps, fixed.rho)}
