"""The published networks beside one another: samples, likelihood, size and cost of a step (Tables 2 and 3; Figure 10).

Starts, noise of sampling and dequantised test images are the same for all models. Models on the VE path have no likelihood here,
as in Table 2.
"""

from typing import Any

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor

from common.dynamics.denoiser import Denoiser
from common.dynamics.likelihood import Divergence
from common.evaluation.yardstick import Space, Yardstick, drawn, fid_to, pixels_of, yardstick
from common.learning.data import catalogue
from common.learning.data.scale import rescaled
from common.learning.models import ModelSettings, load_denoiser, read_description
from common.learning.nets.mlp import parameter_count
from common.learning.objectives import draw_times, regression_loss
from common.measure.metrics.inception import find_weights
from common.measure.metrics.inception_score import class_probabilities, inception_score
from common.measure.step_cost import compared_costs
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.score_sde.images.image_likelihood import bits_row, dequantised, flow_bits
from replications.score_sde.images.model_samples import at_all_times, samples, ways
from replications.score_sde.networks.named_models import ModelName
from replications.score_sde.networks.ncsnpp import NCSNppSettings

VARIANT = ("data",)
SHOWN = 24  # pictures of each model and sampler
UNIT = (-1.0, 1.0)
COSTS = ("step_operations_ratio", "step_seconds_ratio")
Rows = list[dict[str, Any]]


class Settings(Base):
    """Settings of the comparison."""

    data: str = Field(description="image data set")
    models: list[ModelName] = Field(min_length=1, description="trained networks; steps are compared with the first one's")
    samples: PositiveInt = Field(description="samples of each model and sampler")
    scales: PositiveInt = Field(default=1000, description="scales of the samplers; models of discrete levels take their own")
    snr: PositiveFloat = Field(default=0.16, description="signal-to-noise ratio of the corrector on the VE path")
    test_images: PositiveInt = Field(description="test images of the likelihoods")
    eps: PositiveFloat = Field(default=1e-5, description="time that test images are points at")
    divergence: Divergence = Field(default="auto", description="divergence of the flow; auto = exact up to 64 dimensions")
    nodes: PositiveInt = Field(default=24, description="times at which an exact divergence is taken")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of RK45")
    batch: PositiveInt = Field(default=500, description="images that are sampled or solved together")
    timed: PositiveInt = Field(default=20, description="training steps that are timed, one of each model by turns")
    timed_batch: PositiveInt = Field(default=128, description="images of a timed step")
    space: Space = Field(default="classifier", description="features of the distances; Inception's need its weights on disk")
    inception: bool = Field(default=False, description="also FID and Inception score; Inception's weights must be on disk")


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and whole, and Inception's weights where they are asked for."""
    catalogue.load(settings.data, "test")
    if settings.inception or settings.space == "inception":
        find_weights("FID and the Inception score")


def run(settings: Settings, context: Context) -> Outcome:
    """Measure every model."""
    measure = yardstick(settings.data, context, settings.samples, space=settings.space)
    rows, arrays, described = [measure.floor_row(settings.samples, settings.data)], {}, {}
    for name in settings.models:
        folder = context.model(settings.data, name, backbone="ncsnpp")
        described[name] = read_description(folder, [NCSNppSettings])
        model = load_denoiser(folder, context.device, backbones=[NCSNppSettings])
        labels = {"dataset": settings.data, "method": name}
        of_samples, pictures = sample_rows(model, described[name], measure, settings, context, labels)
        rows += [row("parameters", parameter_count(model), unit="1", **labels), *of_samples]
        rows += likelihood_rows(model, measure, settings, context, labels)
        arrays |= {f"samples_{name}_{how}": shown.half().cpu().numpy() for how, shown in pictures.items()}
    return Outcome([*rows, *cost_rows(described, settings, context)], arrays=arrays)


def sample_rows(
    model: Denoiser, described: ModelSettings, measure: Yardstick, settings: Settings, context: Context, labels: dict[str, str]
) -> tuple[Rows, dict[str, Tensor]]:
    """Return the rows of a model's samples by each of its samplers, and some of them as pictures."""
    noise = torch.randn(settings.samples, *described.shape, generator=context.generator("starts"))
    rows, pictures = [], {}
    for how, way in ways(model, settings).items():
        found = samples(way.model, noise, way.sampler, way.times, settings.batch, context)
        images = rescaled(found.x, described.pixel_range or UNIT, UNIT).clamp(-1, 1)
        of_way = {**labels, "variant": how, "nfe": found.nfe}
        rows.append(measure.row("feature_frechet", images, resampled=context.generator("bootstrap"), **of_way))
        if settings.inception:
            rows += inception_rows(images, measure, context, of_way)
        pictures[how] = images[:SHOWN]
    return rows, pictures


def inception_rows(images: Tensor, measure: Yardstick, context: Context, labels: dict[str, Any]) -> Rows:
    """Return FID and Inception score of images in [-1, 1]."""
    score = inception_score(class_probabilities(pixels_of(images), device=context.device))
    fid = fid_to(measure.test, context.device)(images.cpu())
    n = len(images)
    return [row("fid", fid, n=n, **labels), row("inception_score", score.mean, error=score.std, n=n, **labels)]


def likelihood_rows(model: Denoiser, measure: Yardstick, settings: Settings, context: Context, labels: dict[str, str]) -> Rows:
    """Return the bits/dim of the flow of a model on the VP or sub-VP path; of another nothing."""
    if model.path.name == "ve":
        return []
    images = dequantised(drawn(measure.test, settings.test_images, context.generator("test images")), context)
    bits, nfe = flow_bits(at_all_times(model), images, settings.eps, settings, context)
    return [bits_row("nll", bits, variant="ODE", nfe=nfe, axis="eps", at=settings.eps, **labels)]


def cost_rows(described: dict[str, ModelSettings], settings: Settings, context: Context) -> Rows:
    """Return what a training step of each network costs beside one of the first network's."""
    shape = next(iter(described.values())).shape
    generator = context.generator("timed steps", device=context.device)
    x0 = torch.rand(settings.timed_batch, *shape, generator=generator, device=context.device)
    steps = {name: training_step(model, x0, generator, context) for name, model in described.items()}
    return compared_costs(steps, settings.models[0], settings.timed, {"dataset": settings.data}, COSTS)


def training_step(described: ModelSettings, x0: Tensor, generator: Generator, context: Context) -> Any:
    """Return a function that takes the loss of a batch and its gradient."""
    network, objective = described.build(0).to(context.device).train(), described.objective.build()

    def step() -> None:
        network.zero_grad(set_to_none=True)
        drawn_from = {"generator": generator, "device": x0.device}
        t = draw_times(objective.path, len(x0), known_times=objective.known_times, **drawn_from)
        regression_loss(network, objective, x0, t=t, noise=torch.randn(x0.shape, **drawn_from)).mean().backward()

    return step
