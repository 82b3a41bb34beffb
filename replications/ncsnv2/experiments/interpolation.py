"""Samples interpolated by the noise of every Langevin step, from one start (the interpolations between samples).

Neighbours on a path should differ less than samples that have nothing in common, and every point of it should be a sample like
any other. Blends of the two images at its ends are the rival: nothing is smoother, but what lies between is no image.
"""

from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Generator, Tensor

from common.dynamics.samplers.noise import Source
from common.dynamics.samplers.result import denoised_last
from common.evaluation.yardstick import Space, Yardstick, yardstick
from common.learning.data import catalogue
from common.learning.data.scale import rescaled
from common.measure.metrics.inception import find_weights
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ncsn.annealed_langevin import annealed_langevin, annealing
from replications.ncsn.chains import starts
from replications.ncsn.networks import Trained
from replications.ncsnv2.networks import Network, trained
from replications.ncsnv2.noise_interpolation import InterpolatedNoise, blends, independent_distance, step_lengths
from replications.ncsnv2.sampling import chosen_step

VARIANT = ("data",)
SHOWN = 8  # paths


class Settings(Base):
    """Settings of the paths."""

    data: str = Field(description="image data set")
    network: Network = Field(default="shared", description="network of the scores")
    pairs: PositiveInt = Field(ge=2, description="paths, each between two samples from one start")
    halvings: PositiveInt = Field(default=3, description="how often the right angle between two samples is halved: 3 = 9 points")
    at_once: PositiveInt = Field(default=100, description="paths whose chains run together")
    steps: PositiveInt = Field(default=5, description="Langevin steps at each level; their size follows by technique 4")
    space: Space = Field(default="classifier", description="features of the distances; Inception's need its weights on disk")


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and whole, and Inception's weights where they are asked for."""
    catalogue.load(settings.data, "test")
    if settings.space == "inception":
        find_weights("distances in Inception's features")


def run(settings: Settings, context: Context) -> Outcome:
    """Run the chains of all points of many paths together; measure steps, ends and quality along the paths."""
    measure, points = yardstick(settings.data, context, settings.pairs, space=settings.space), 2**settings.halvings + 1
    network = trained(context, settings.data, "ncsnv2", settings.network)
    start = starts(settings.pairs, tuple(measure.test.images.shape[1:]), context)
    mixed, more = InterpolatedNoise(*ends_of_noise(context), points), {"steps": settings.steps, "at_once": settings.at_once}
    found = samples(network, start, mixed, points=points, **more).unflatten(0, (settings.pairs, points))
    alone = [samples(network, start, noise, points=1, **more) for noise in ends_of_noise(context)]
    labels = {"dataset": settings.data, "nfe": len(network.model.known_times) * settings.steps + 1}
    away = torch.stack([(found[:, k] - end).flatten(1).norm(dim=1) for k, end in zip((0, -1), alone)])
    rows = [row("largest_difference_of_ends", away.max(), method="noise", n=2 * settings.pairs, **labels)]
    paths = {"noise": found, "blend": blends(found[:, 0], found[:, -1], points)}
    for method, path in paths.items():
        rows += smoothness_rows(path, measure, method=method, **labels)
        rows += quality_rows(path, measure, method=method, **labels)
    return Outcome(rows, arrays={name: path[:SHOWN].half().cpu().numpy() for name, path in paths.items()})


def ends_of_noise(context: Context) -> list[Generator]:
    """Return fresh generators of the noise at either end of the paths."""
    return [context.generator("chains", end, device=context.device) for end in ("first", "second")]


def samples(network: Trained, start: Tensor, noise: Source, *, points: int, steps: int, at_once: int) -> Tensor:
    """Return samples in [-1, 1] of `points` chains from each start in [0, 1), with a last denoising step, clipped.

    Chains of `at_once` starts run together, whatever the number of points, so that noise of the same generators is the same.
    """
    sample = denoised_last(annealed_langevin(chosen_step(network, steps).rho))
    times = annealing(network.model.known_times, steps)
    parts = rescaled(start, (0.0, 1.0), network.pixel_range).split(at_once)
    found = [sample(network.model, part.repeat_interleave(points, 0), times, generator=noise).x for part in parts]
    return rescaled(torch.cat(found), network.pixel_range).clamp(-1, 1)


def smoothness_rows(path: Tensor, measure: Yardstick, **labels: Any) -> list[dict[str, Any]]:
    """Return how far points are apart by their angle, in units of the distance of independent samples: all, and the farthest.

    The farthest are those of each path, so a path that jumps reads about 1 however small the angle.
    """
    pairs, points = path.shape[:2]
    seen = measure.features(path.flatten(0, 1).float().cpu())
    spaces = {"pixels": path.flatten(2), "features": torch.from_numpy(np.asarray(seen)).unflatten(0, (pairs, points))}
    rows = []
    for space, x in spaces.items():
        x, stride = x.double().cpu(), points - 1
        unit = independent_distance(x[:, 0])
        while stride:
            steps = step_lengths(x, stride) / unit
            where = {"variant": space, "axis": "angle", "at": 90 * stride / (points - 1), "n": pairs, "unit": "ratio", **labels}
            rows.append(row("step_over_independent", steps.mean(), **where))
            rows.append(row("largest_step_over_independent", steps.amax(1).mean(), **where))
            stride //= 2
    return rows


def quality_rows(path: Tensor, measure: Yardstick, **labels: Any) -> list[dict[str, Any]]:
    """Return the Fréchet distance of the images at each point of the paths, in [0, 1] from end to end."""
    return [
        measure.row("feature_frechet", path[:, k], axis="point", at=k / (path.shape[1] - 1), **labels)
        for k in range(path.shape[1])
    ]
