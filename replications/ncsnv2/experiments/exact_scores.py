"""Annealed Langevin dynamics with exact scores, by largest noise level (Proposition 1, Figure 2).

The distribution is a mixture of Gaussians centred on images. Its exact score takes chains from anywhere to everywhere if the
widest noise is as wide as the images are distant, and leaves them near where they started if it is not. What a start that is
spread out hides of it, chains that all start from one point show.
"""

from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from common.learning.data import catalogue
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ncsnv2.coverage import coverage_rows, exact_draws, measures
from replications.ncsnv2.exact_chains import STARTS, Centres, Images, Ladder, centres, exact_chains, spaced_ladder, split_ladder
from replications.ncsnv2.noise_levels import MASS
from replications.ncsnv2.pairwise_distances import distances
from replications.ncsnv2.responsibilities import log10_bound, over_bound, some_pairs

VARIANT = ("data",)
SHOWN = 12  # pictures of each arm
NCSN = 1.0  # NCSN's largest level, whatever the images
CIFAR10 = 1 / 18  # the same over the median distance of CIFAR-10's images
Split = Annotated[int, Field(ge=2)]
DTYPES = {"single": torch.float32, "double": torch.float64}


class Settings(Base):
    """Settings of the mixture, the chains and the pairs. Levels are for pixels in [0, 1]."""

    data: str = Field(description="image data set")
    split: Literal["train", "test"] = Field(default="train", description="whose images are the centres")
    centres: PositiveInt = Field(description="images that are centres of Gaussians")
    chains: PositiveInt = Field(description="chains from each start")
    largest: PositiveFloat | None = Field(default=None, description="level in the largest distance's place, as published")
    shares: list[PositiveFloat] = Field(default=[], description="further ladders' largest levels over the median distance")
    sigma_min: PositiveFloat = Field(default=0.01, description="least noise level, which is the Gaussians' width")
    mass: PositiveFloat = Field(default=MASS, description="of a level on the shell of the level before, which spaces them")
    steps: PositiveInt = Field(default=5, description="Langevin steps at each level")
    splits: list[Split] = Field(default=[], description="numbers of levels that one budget of steps is split into")
    budget: PositiveInt = Field(default=100, description="steps that are split, of the ladder from the largest level on")
    pairs: PositiveInt = Field(default=2000, description="pairs of images that the proposition is looked at for, at most")
    pair_centres: PositiveInt = Field(ge=2, default=64, description="centres of the mixture that they lie in")
    draws: PositiveInt = Field(ge=2, default=50, description="draws for each pair")
    precision: Literal["single", "double"] = Field(default="single", description="of the distances that the score is made of")


def check(settings: Settings) -> None:
    """Raise `DataError` unless the data set's files are there."""
    catalogue.load(settings.data, settings.split)


def run(settings: Settings, context: Context) -> Outcome:
    """Run chains of every ladder from every start and measure what they cover; look at the proposition for all pairs."""
    mixture = centres(settings.data, settings.centres, context, settings.split)
    exact = exact_draws(settings.chains, mixture, settings.sigma_min, context.generator("exact draws"))
    floor, between = measures(exact, mixture), distances(mixture.images, generator=context.generator("distances"))
    median, widest = between.median, settings.largest or between.largest
    starts = {name: start(settings.chains, mixture.images, context.generator("starts")) for name, start in STARTS.items()}
    labels = {"dataset": settings.data, "axis": "sigma_over_median"}
    rows = coverage_rows(exact, mixture, floor, dataset=settings.data, method="data", variant="exact draws")
    of_data = {"dataset": settings.data, "method": "data", "variant": "centres", "n": len(mixture.images)}
    rows += [row("median_distance", median, **of_data), row("largest_distance", between.largest, **of_data)]
    arrays = {"data": shown(mixture.images), "exact draws": shown(exact)}
    for arm, sigma in arms(median, widest, settings).items():
        ladder = spaced_ladder(sigma, settings.sigma_min, mixture.images[0].numel(), settings.steps, settings.mass)
        for start, x in chains(mixture, starts, ladder, settings, context).items():
            where = {"method": start, "variant": arm, "at": sigma / median, "nfe": ladder.nfe}
            rows += coverage_rows(x, mixture, floor, **labels, **where)
            arrays[f"{arm}, {start}"] = shown(x)
    rows += split_rows(mixture, starts["uniform"], widest, floor, settings, context)
    rows += proposition_rows(mixture, median, widest, settings, context)
    return Outcome(rows, arrays=arrays)


def arms(median: float, widest: float, settings: Settings) -> dict[str, float]:
    """Return the largest level of every ladder by name."""
    named = {"largest distance": widest, "1": NCSN, "median / 18": median * CIFAR10}
    return named | {f"median × {share:g}": share * median for share in settings.shares}


def chains(
    mixture: Centres, starts: dict[str, Images], ladder: Ladder, settings: Settings, context: Context
) -> dict[str, Images]:
    """Return where chains end, by start; chains of all ladders have their noise in common."""
    noise = context.generator("chains", device=context.device)
    return exact_chains(mixture.images, starts, ladder, generator=noise, dtype=DTYPES[settings.precision])


def split_rows(
    mixture: Centres, start: Images, widest: float, floor: dict[str, float], settings: Settings, context: Context
) -> list[dict[str, Any]]:
    """Return what chains cover if one budget of steps is split into few levels of many steps or many of few."""
    rows = []
    for levels in settings.splits:
        ladder = split_ladder(widest, settings.sigma_min, levels, settings.budget // levels)
        found = chains(mixture, {"uniform": start}, ladder, settings, context)["uniform"]
        labels = {"dataset": settings.data, "method": "uniform", "variant": "split", "axis": "levels", "at": levels}
        rows += coverage_rows(found, mixture, floor, nfe=ladder.nfe, **labels)
    return rows


def proposition_rows(
    mixture: Centres, median: float, widest: float, settings: Settings, context: Context
) -> list[dict[str, Any]]:
    """Return the largest share of its bound that any pair comes to, and the bound of images at the median distance."""
    images = mixture.images[: settings.pair_centres].double().flatten(1)
    pairs, rows = some_pairs(len(images), settings.pairs, context.generator("pairs")), []
    for arm, sigma in (("1", NCSN), ("largest distance", widest)):
        labels = {"dataset": settings.data, "variant": arm, "axis": "sigma_over_median", "at": sigma / median}
        rows.append(row("log10_bound_at_median", log10_bound(median, sigma), **labels))
        for method, alone in (("mixture", False), ("two images alone", True)):
            noise = context.generator("draws of pairs")
            found = over_bound(images, pairs, sigma, draws=settings.draws, alone=alone, generator=noise)
            most, labels["method"] = found.ratio.argmax(), method
            rows.append(row("largest_over_bound", found.ratio[most], error=float(found.error[most]), n=len(pairs), **labels))
            rows.append(row("median_over_bound", found.ratio.median(), n=len(pairs), **labels))
    return rows


def shown(images: Tensor) -> np.ndarray:
    """Return a few images as they are kept: clipped to what can be shown, in half precision."""
    return images[:SHOWN].clamp(0, 1).half().cpu().numpy()
