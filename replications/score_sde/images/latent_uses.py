"""What is done with latents of a trained model and measured: tolerances, round trips, interpolation, temperature (Figs. 3 and 6).

Images are points at the paper's least time of sampling; what is decoded to be looked at is denoised last. Latents are kept over
the prior's standard deviation, so that one set of starts serves all paths.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Answers
from common.evaluation.yardstick import Space, Yardstick, drawn, yardstick
from common.learning.data.scale import to_unit
from common.runs.experiment import Context
from common.runs.folders import row
from replications.ncsn.sample_measures import Known, distance_rows, training_images
from replications.score_sde.images.model_samples import EPS, Drawn, samples
from replications.score_sde.probability_flow import decoded, encoded, rk45, slerp, tempered

SHOWN, PATHS_SHOWN, MOMENTS = 12, 6, 7  # pictures of a row; paths between pairs, and points of each
UNIT = "grey range / 2"  # of a root mean square of pixels in [-1, 1]
Row = dict[str, Any]
Labels = Mapping[str, Any]
Images = Float[Tensor, "n c h w"]
Rows = tuple[list[Row], dict[str, Images]]  # rows and pictures


class LatentSettings(Protocol):
    """What the settings of an experiment must say."""

    data: str
    samples: int
    tolerances: list[float]
    images: int
    pairs: int
    encoded: int
    temperatures: list[float]
    tolerance: float
    batch: int
    space: Space


class Given(NamedTuple):
    """What all models of a run are measured with: distances, training images, test images in [-1, 1], standard normal starts."""

    measure: Yardstick
    train: Known
    test: Images
    noise: Images

    def references(self, settings: LatentSettings) -> list[Row]:
        """Return what data read: distance of training images, how near test images are to those, and their variance."""
        labels = {"dataset": settings.data, "method": "data"}
        return [
            self.measure.floor_row(settings.samples, settings.data),
            *distance_rows(self.test, self.train, self.measure.features, {"variant": "test split", **labels}),
            variance_row(self.test, variant="test split", **labels),
        ]


def given(settings: LatentSettings, context: Context) -> Given:
    """Return what all models are measured with: test images in random order, and one set of starts."""
    measure = yardstick(settings.data, context, settings.samples, space=settings.space)
    images = training_images(settings.data, context)
    most = max(settings.images, 2 * settings.pairs, settings.encoded)
    test = drawn(measure.test, most, context.generator("test images"))
    x = to_unit(test.images, test.grey_values, generator=context.generator("dequantise")).double().to(context.device)
    noise = torch.randn(settings.samples, *x.shape[1:], generator=context.generator("starts"), dtype=torch.float64)
    return Given(measure, Known(images, measure.features(images)), x, noise.to(context.device))


def latents_of(model: Answers, x: Images, tolerance: float) -> Images:
    """Return the latents of images, over the prior's standard deviation."""
    return encoded(model, x, t_min=EPS[model.path.name], tolerance=tolerance).x / model.path.prior_std


def images_of(model: Answers, latents: Images, tolerance: float, settings: LatentSettings, context: Context) -> Drawn:
    """Return the images of latents, denoised."""
    times = torch.tensor([1.0, EPS[model.path.name]], dtype=torch.float64)
    return samples(model, latents, rk45(tolerance), times, settings.batch, context)


def seen(images: Images) -> Images:
    """Return images as they are looked at."""
    return images.clamp(-1, 1).cpu().float()


def variance_row(images: Images, **labels: Any) -> Row:
    """Return the row of the variance over images, a mean over pixels."""
    return row("sample_variance", images.double().var(0).mean(), n=len(images), **labels)


def tolerance_rows(model: Answers, given: Given, settings: LatentSettings, context: Context, labels: Labels) -> Rows:
    """Return evaluations and distances at each tolerance, and how far samples moved from those of the first one."""
    rows, pictures, first = [], {}, None
    for tolerance in settings.tolerances:
        found = images_of(model, given.noise, tolerance, settings, context)
        first = found.x if first is None else first
        moved = (found.x - first).square().flatten(1).mean(1).sqrt()
        where = {"axis": "tolerance", "at": tolerance, "nfe": found.nfe, **labels}
        rows += [
            row("nfe", found.nfe, n=min(settings.batch, len(moved)), unit="evaluations", **where),
            given.measure.row("frechet_of_tolerance", seen(found.x), **where),
            row("moved", moved.median(), n=len(moved), unit=UNIT, **where),
        ]
        pictures[f"{tolerance:g}"] = found.x[:SHOWN]
    return rows, pictures


def round_trip_rows(model: Answers, given: Given, settings: LatentSettings, labels: Labels) -> list[Row]:
    """Return at each tolerance how far images are from where encoding and decoding takes them: root mean square of pixels."""
    rows, x, t_min = [], given.test[: settings.images], EPS[model.path.name]
    for tolerance in settings.tolerances:
        there = encoded(model, x, t_min=t_min, tolerance=tolerance)
        back = decoded(model, there.x, t_min=t_min, tolerance=tolerance)
        error = (back.x - x).square().flatten(1).mean(1).sqrt()
        where = {"axis": "tolerance", "at": tolerance, "nfe": float(there.nfe[0] + back.nfe[0]), "n": len(x)}
        rows.append(row("round_trip_error", error.mean(), unit=UNIT, **where, **labels))
    return rows


def interpolation_rows(model: Answers, given: Given, settings: LatentSettings, context: Context, labels: Labels) -> Rows:
    """Return how far from data the middle of paths between latents is, on the sphere and straight, beside random samples."""
    pairs = settings.pairs
    latents = latents_of(model, given.test[: 2 * pairs], settings.tolerance)
    a, b, half = latents[::2], latents[1::2], torch.tensor([0.5], dtype=torch.float64)
    kinds = {"random": given.noise[: len(a)], "spherical": slerp(a, b, half)[0], "linear": (a + b) / 2}
    rows = []
    for kind, starts in kinds.items():
        found = images_of(model, starts, settings.tolerance, settings, context)
        where = {"variant": kind, "nfe": found.nfe, **labels}
        rows.append(given.measure.row("frechet_of_path", seen(found.x), **where))
        rows += [variance_row(found.x, **where), *distance_rows(found.x, given.train, given.measure.features, where)]
    moments = slerp(a[:PATHS_SHOWN], b[:PATHS_SHOWN], torch.linspace(0, 1, MOMENTS, dtype=torch.float64))
    shown = images_of(model, moments.flatten(0, 1), settings.tolerance, settings, context).x
    return rows, {"spherical": shown}


def temperature_rows(model: Answers, given: Given, settings: LatentSettings, context: Context, labels: Labels) -> Rows:
    """Return variance and distance of samples whose latents are scaled."""
    rows, pictures = [], {}
    for temperature in settings.temperatures:
        found = images_of(model, tempered(given.noise, temperature), settings.tolerance, settings, context)
        where = {"axis": "temperature", "at": temperature, "nfe": found.nfe, **labels}
        rows += [variance_row(found.x, **where), given.measure.row("frechet_of_temperature", seen(found.x), **where)]
        pictures[f"{temperature:g}"] = found.x[:SHOWN]
    return rows, pictures
