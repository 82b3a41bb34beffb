"""What an objective is to its training: its gradient's noise over time, what a quality costs, what a weighting buys.

Every trained objective of the suite; nothing is trained here. Rows have the objective as `method`:

    gradients   `loss`, `gradient_noise`, `gradient_signal` and `gradient_noise_share` along the axis "t", with the state of the
                training as `variant` (early, trained); `gradient_noise_total` and `noise_scale` for all times together
    cost        `feature_frechet` along the axis "step" with the seconds that the training had taken; `steps_to_quality`;
                `parameters`, `training_rate` and `training_memory`
    weighting   `nll` and its differences on the same images, for the objectives that are compared; their `feature_frechet` is the
                last of the curve

Training images, times, noise, starts and test images are the same for all objectives of a run.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from common.dynamics.likelihood import Divergence
from common.errors import RefusedError, SolverError
from common.evaluation.yardstick import Space, Yardstick, drawn, yardstick
from common.learning.data import catalogue
from common.learning.data.training import training_batches
from common.learning.models import load_denoiser
from common.learning.objective_table import OBJECTIVES
from common.learning.training.run import snapshot_file
from common.measure.metrics.inception import find_weights
from common.runs.experiment import Context
from common.runs.folders import Outcome, refused, row
from common.runs.settings import Settings as Base
from replications.score_sde.images.image_likelihood import bits_row, dequantised, difference_rows, flow_bits, median_row
from replications.survey.gradient_noise import BinNoise, bin_noise, time_bins, total_noise
from replications.survey.quality_curve import cheap_samples, first_below
from replications.survey.training_states import Trained, as_images, trained

VARIANT = ("data",)
SHOWN = 12  # pictures of each objective
Row = dict[str, Any]
ObjectiveName = Literal[tuple(OBJECTIVES)]
Share = PositiveFloat


class Settings(Base):
    """Settings of the measurements."""

    data: str = Field(description="image data set")
    objectives: list[ObjectiveName] = Field(description="trained objectives")
    edges: list[float] = Field(description="edges of the bins of time, from 0 to 1")
    batches: int = Field(ge=2, description="small batches of each bin")
    batch: PositiveInt = Field(default=32, description="samples of each of them")
    early: Share = Field(default=0.1, le=1, description="share of the training after which its gradients count as early")
    states: list[Share] = Field(description="shares of the training whose samples are measured, ending with all of it")
    samples: PositiveInt = Field(description="samples of each state")
    nfe: int = Field(default=20, ge=2, description="evaluations of each sample")
    qualities: list[PositiveFloat] = Field(default=[2, 4, 8, 12], description="distances that are good enough, in those of data")
    weighted: list[ObjectiveName] = Field(description="objectives whose weighting is compared, by likelihood and by samples")
    test_images: int = Field(ge=2, description="test images of the likelihoods")
    divergence: Divergence = Field(default="auto", description="divergence of the flow; auto = exact up to 64 dimensions")
    nodes: PositiveInt = Field(default=24, description="times at which an exact divergence is taken")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of the flow's solver")
    eps: PositiveFloat = Field(default=1e-5, description="time that test images are points at")
    at_once: PositiveInt = Field(default=500, description="images that are drawn or solved together")
    space: Space = Field(default="classifier", description="features of the distances; Inception's need its weights on disk")

    @field_validator("edges")
    @classmethod
    def _from_zero_to_one(cls, edges: list[float]) -> list[float]:
        if len(edges) < 2 or edges[0] != 0 or edges[-1] != 1 or edges != sorted(set(edges)):
            raise ValueError("edges of bins rise from 0 to 1, e.g. [0, 0.1, 0.5, 1]")
        return edges

    @field_validator("states")
    @classmethod
    def _to_the_end(cls, states: list[float]) -> list[float]:
        if states != sorted(set(states)) or states[-1:] != [1.0]:
            raise ValueError("shares of the training rise, and the last is 1, e.g. [0.1, 0.5, 1]")
        return states


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and whole, and Inception's weights where they are asked for."""
    catalogue.load(settings.data, "test")
    if settings.space == "inception":
        find_weights("FID")


def run(settings: Settings, context: Context) -> Outcome:
    """Measure every objective."""
    shares = (settings.early, *settings.states)
    named = dict.fromkeys([*settings.objectives, *settings.weighted])
    models = {name: trained(settings.data, name, shares, context) for name in named}
    measure = yardstick(settings.data, context, settings.samples, space=settings.space)
    rows, pictures = [measure.floor_row(settings.samples, settings.data)], {}
    for name in settings.objectives:
        model = models[name]
        labels = {"dataset": settings.data, "method": name}
        for variant, share in {"early": settings.early, "trained": 1.0}.items():
            rows += gradient_rows(model, share, settings, context, {"variant": variant, **labels})
        found, shown = curve_rows(model, measure, settings, context, labels)
        rows += [*found, *cost_rows(model, labels)]
        pictures |= {name: shown} if shown is not None else {}
    rows += quality_rows(rows, measure.floor(settings.samples), settings)
    weighted, bits = likelihood_rows(models, measure, settings, context)
    arrays = {**{f"samples_{name}": shown for name, shown in pictures.items()}, **{f"bits_{k}": v for k, v in bits.items()}}
    return Outcome([*rows, *weighted], arrays=arrays)


def gradient_rows(model: Trained, share: float, settings: Settings, context: Context, labels: Mapping[str, Any]) -> list[Row]:
    """Return the rows of an objective's gradients at a state of its training: its raw weights, which is where it takes them."""
    file = snapshot_file(model.steps[share], raw=True)
    network = load_denoiser(model.folder, context.device, file).requires_grad_(True)
    objective, generator = model.described.objective.build(), context.generator("gradients", device=context.device)
    draw = training_batches(
        settings.data, settings.batch, context.seed_for("gradients"), context.device, model.pixels, replicate=context.seed
    )
    options = {"batches": settings.batches, "generator": generator}
    found = [bin_noise(network, objective, each, draw, **options) for each in time_bins(objective, settings.edges)]
    total, more = total_noise(found), {"unit": "1", "n": settings.batches * settings.batch, **labels}
    rows = [row("gradient_noise_total", total.noise, **more)]
    if total.signal > 0:
        rows.append(row("noise_scale", total.noise / total.signal, **{**more, "unit": "samples"}))
    else:
        rows.append(refused("noise_scale", "its mean gradient is lost in its noise; take more batches", **more))
    return [*rows, *(each for one, part in zip(found, total.shares) for each in bin_rows(one, part, more))]


def cost_rows(model: Trained, labels: Mapping[str, Any]) -> list[Row]:
    """Return the rows of what a training took."""
    return [
        row("parameters", model.parameters, unit="1", **labels),
        row("training_rate", model.images / model.seconds, unit="images/s", seconds=model.seconds, n=model.images, **labels),
        row("training_memory", model.memory, unit="MB", **labels),
    ]


def bin_rows(found: BinNoise, share: float, labels: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a bin of times; the floor of a share of the noise is the bin's share of the samples."""
    where = {"axis": "t", "at": found.bin.middle, **labels}
    return [
        row("loss", found.loss, **where),
        row("gradient_noise", found.noise, **where),
        row("gradient_signal", found.signal, **where),
        row("gradient_noise_share", share, floor=found.bin.share, **where),
    ]


def curve_rows(
    model: Trained, measure: Yardstick, settings: Settings, context: Context, labels: Mapping[str, Any]
) -> tuple[list[Row], np.ndarray | None]:
    """Return the rows of the samples' distance along a training, and pictures of its end; or why there are none."""
    shape = model.described.shape
    noise = torch.randn(settings.samples, *shape, generator=context.generator("starts"), dtype=torch.float32)
    rows, images = [], None
    for share in settings.states:
        step = model.steps[share]
        where = {"axis": "step", "at": step, "seconds": model.seconds * step / model.steps[1.0], **labels}
        network = load_denoiser(model.folder, context.device, snapshot_file(step))
        try:
            found = cheap_samples(network, noise.to(context.device), settings.nfe, settings.at_once)
        except (RefusedError, SolverError) as error:
            rows.append(refused("feature_frechet", error, **where))
            continue
        images, nfe = as_images(found.x, model.pixels), int(found.nfe[0])
        # drawing again costs more than all the rest, so the end of the curve alone says how far it can be trusted
        again = context.generator("bootstrap") if share == 1 else None
        rows.append(measure.row("feature_frechet", images, resampled=again, nfe=nfe, **where))
    return rows, None if images is None else images[:SHOWN].half().numpy()


def quality_rows(rows: list[Row], floor: float, settings: Settings) -> list[Row]:
    """Return after how many steps each objective's samples are good enough: as many times the distance of data, `floor`."""
    curves: dict[str, list[Row]] = {}
    for found in rows:
        if found["metric"] == "feature_frechet" and found.get("axis") == "step" and "status" not in found:
            curves.setdefault(found["method"], []).append(found)
    return [quality_row(name, curve, times, floor, settings) for name, curve in curves.items() for times in settings.qualities]


def quality_row(name: str, curve: list[Row], times: float, floor: float, settings: Settings) -> Row:
    """Return the row of one objective and quality, or why it has none."""
    where = {"dataset": settings.data, "method": name, "axis": "distance over data's", "at": times, "unit": "steps"}
    try:
        step = first_below([each["at"] for each in curve], [each["value"] for each in curve], times * floor)
    except RefusedError as error:
        return refused("steps_to_quality", error, **where)
    seconds = curve[-1]["seconds"] * step / curve[-1]["at"]
    return row("steps_to_quality", step, seconds=seconds, nfe=curve[-1]["nfe"], **where)


def likelihood_rows(
    models: Mapping[str, Trained], measure: Yardstick, settings: Settings, context: Context
) -> tuple[list[Row], dict[str, np.ndarray]]:
    """Return the bits/dim of the same test images under each weighting, their differences, and what a uniform density costs."""
    if not settings.weighted:
        return [], {}
    chosen = drawn(measure.test, settings.test_images, context.generator("test images"))
    images, bits = dequantised(chosen, context), {}
    uniform = {"method": "uniform", "variant": "uniform density", "dataset": settings.data, "unit": "bits/dim"}
    rows = [row("nll", np.log2(images.grey_values), **uniform)]
    for name in settings.weighted:
        model, labels = models[name], {"dataset": settings.data, "method": name}
        network = load_denoiser(model.folder, context.device)
        bits[name], nfe = flow_bits(network, images, settings.eps, likelihood_of(settings), context)
        rows += [bits_row("nll", bits[name], nfe=nfe, **labels), median_row("nll_median", bits[name], nfe=nfe, **labels)]
    return [*rows, *difference_rows(bits, settings.data)], bits


class Likelihood(NamedTuple):
    """How a likelihood is solved."""

    batch: int
    divergence: Divergence
    nodes: int
    tolerance: float


def likelihood_of(settings: Settings) -> Likelihood:
    """Return what the settings say of the likelihoods."""
    return Likelihood(settings.at_once, settings.divergence, settings.nodes, settings.tolerance)
