"""Flows on images: several scales or one at equal size, evaluations, the probe's noise, memory (Table 2, Figures 3, 4, 6 and 7).

All models of a run see the same batches and the same dequantisation, and are measured on the same test images. Bits/dim are by
a tight solver; beside them stands what the training's own solver says of the same images, for training can exploit a loose one.
"""

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Generator, Tensor, nn

from common.errors import SettingsError
from common.evaluation.yardstick import drawn
from common.learning.data import catalogue
from common.learning.data.split import ImageSplit
from common.learning.data.training import sample_shape, training_batches
from common.learning.nets.mlp import parameter_count
from common.learning.training.loop import Trained
from common.learning.training.run import restored, train_run
from common.learning.training.settings import TrainSettings
from common.measure.metrics.density import standard_error
from common.measure.metrics.neighbours import distance_to_data
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ffjord.images.image_flows import ImageFlow, ImageFlowSettings, Images, dequantised
from replications.ffjord.images.image_measures import bits_by_probe, gaussian_bits, step_work
from replications.ffjord.images.kept_memory import peak_kept_bytes
from replications.ffjord.solving.solve import SolverSettings
from replications.ffjord.trace_estimators import Noise

VARIANT = ("data",)
BITS = "bits/dim"
# methods of rows that are not of a model
TAKEN = ("data", "uniform", "gaussian", "text", "recipe")
# parameters of Glow's quantitative CIFAR-10 model: 3 levels of 32 steps, width 512, affine coupling, learnt top prior
GLOW_PARAMETERS = 44.60e6
# the flows of the paper's text, and those of the authors' recipe, which have one convolution more
PAPER_FLOWS = {
    ("cifar10", "text"): ImageFlowSettings(shape=(3, 32, 32), widths=(64, 64)),
    ("cifar10", "recipe"): ImageFlowSettings(shape=(3, 32, 32), widths=(64, 64, 64)),
    ("mnist", "text"): ImageFlowSettings(shape=(1, 28, 28), widths=(64, 64)),
    ("mnist", "recipe"): ImageFlowSettings(shape=(1, 28, 28), widths=(64, 64, 64)),
}


class Model(Base):
    """A flow and the noise of its training's probes."""

    flow: ImageFlowSettings
    noise: Noise = Field(default="rademacher", description="of the probes in training")


class Settings(Base):
    """Settings of training and of what is measured."""

    data: str = Field(description="image data set")
    models: dict[str, Model] = Field(min_length=1, description="flows that are compared")
    train: TrainSettings
    flip: bool = Field(default=False, description="mirror training images at random")
    solver: SolverSettings = Field(description="the training's solver")
    evaluation: SolverSettings = Field(default=SolverSettings(), description="the solver that models are measured by")
    test_images: PositiveInt = Field(description="test images, or all if there are fewer")
    probes: int = Field(default=3, ge=2, description="probes of every test image")
    exact_images: NonNegativeInt = Field(description="the first test images, whose traces are taken exactly too")
    watched_images: PositiveInt = Field(description="validation images that kept states of the training are measured on")
    kept_steps: list[PositiveInt] = Field(default=[1, 2, 4, 8], description="steps of rk4 whose memory is measured")
    kept_images: PositiveInt = Field(default=8, description="images of that")
    samples: PositiveInt = Field(default=64, description="samples that are kept")
    batch: PositiveInt = Field(default=100, description="images per solve")


def check(settings: Settings) -> None:
    """Raise `DataError` unless the data set is there and whole, and `SettingsError` unless the flows are for its images."""
    shape = sample_shape(settings.data)
    for name, model in settings.models.items():
        if name in TAKEN:
            raise SettingsError(f"models.{name}: rows of this name are not a model's; give it another")
        if model.flow.shape != shape:
            raise SettingsError(f"models.{name}.flow.shape is {model.flow.shape}, but images of {settings.data} are {shape}")
        model.flow.build(0)


def run(settings: Settings, context: Context) -> Outcome:
    """Train all flows and measure them."""
    test = drawn(catalogue.load(settings.data, "test", context.seed), settings.test_images, context.generator("test images"))
    x = noisy(test, "test", context)
    train = noisy(catalogue.load(settings.data, "train", context.seed), "train", context)
    rows: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {"data": half(x[: settings.samples])}
    for name, model in settings.models.items():
        trained = fitted(name, model, settings, context, test.grey_values)
        flow = trained.model
        rows += likelihood_rows(name, flow, x, test.grey_values, settings, context)
        rows += training_rows(name, model, test.grey_values, settings, context)
        rows += memory_rows(name, model, x[: settings.kept_images], settings, context)
        rows.append(row("parameters", parameter_count(flow), dataset=settings.data, method=name))
        samples = flow.sample(
            settings.samples, settings.evaluation, generator=context.generator("samples", device=context.device)
        )
        rows.append(nearest_row(name, samples, train, settings))
        arrays |= {f"samples_{name}": half(samples), f"loss_{name}": trained.losses, "loss_steps": trained.loss_steps}
    of_data = [*baseline_rows(train, x, test.grey_values, settings), *size_rows(settings.data)]
    of_data.append(nearest_row("data", x[: settings.samples], train, settings))
    return Outcome([*of_data, *rows], arrays)


def noisy(split: ImageSplit, purpose: str, context: Context) -> Images:
    """Return the split's images, dequantised, on the run's device."""
    return dequantised(split.images, split.grey_values, generator=context.generator("dequantise", purpose)).to(context.device)


def half(images: Images) -> np.ndarray:
    """Return pictures for a figure."""
    return images.cpu().numpy().astype(np.float16)


def fitted(name: str, model: Model, settings: Settings, context: Context, grey_values: int) -> Trained:
    """Return the training of a flow by maximum likelihood; the loss is in bits/dim."""
    flow = model.flow.build(context.seed_for("weights")).to(context.device)
    draw = training_batches(
        settings.data,
        settings.train.batch,
        context.seed_for("batches"),
        context.device,
        (0.0, 1.0),
        replicate=context.seed,
        flip=settings.flip,
    )

    def loss(flow: nn.Module, step: int, generator: Generator) -> Tensor:
        x = draw(step, generator)
        log_density = flow.log_density(x, settings.solver, trace=model.noise, generator=generator).mean()
        return math.log2(grey_values) - log_density / (math.log(2) * x[0].numel())

    return train_run(context, flow, loss, settings.train, seed=context.seed_for("training"), of=settings, name=name)


def likelihood_rows(
    name: str, flow: ImageFlow, x: Images, grey_values: int, settings: Settings, context: Context
) -> Iterator[dict[str, Any]]:
    """Yield the bits/dim of test images, by both solvers, and what the probes do to them."""
    labels = {"dataset": settings.data, "method": name, "unit": BITS}
    measured = partial(bits_by_probe, flow, grey_values=grey_values, batch=settings.batch)
    probes = context.generator("probes", device=context.device)
    found = measured(x, settings.evaluation, probes=settings.probes, generator=probes)
    by_image = found.values.mean(0)
    error = standard_error(by_image)
    yield row("bits_per_dim", by_image.mean(), variant="test", error=error, n=len(x), nfe=found.nfe, **labels)
    again = context.generator("probes", device=context.device)
    own = measured(x, settings.solver, generator=again)
    # the same images and, up to the batches, the same probes
    gap = own.values[0] - found.values[0]
    yield row("own_solver_gap", gap.mean(), error=standard_error(gap), n=len(x), nfe=own.nfe, **labels)
    yield row("bits_per_dim", own.values.mean(), variant="training's solver", n=len(x), nfe=own.nfe, **labels)
    # of one image's bits by one probe; of the mean over n images, each with a probe of its own, it is an n-th
    by_probe = found.values.var(0, ddof=1).mean()
    yield row("probe_variance", by_probe, n=len(x), dataset=settings.data, method=name, unit="(bits/dim)^2")
    if settings.exact_images:
        few = x[: settings.exact_images]
        exact = measured(few, settings.evaluation, trace="exact", generator=probes).values[0]
        off = by_image[: len(few)] - exact
        # from all images' scatter: the few differences would give a poor error of their own
        error = math.sqrt(by_probe / (settings.probes * len(few)))
        yield row("estimate_less_exact", off.mean(), error=error, n=len(few), **labels)


def training_rows(name: str, model: Model, grey_values: int, settings: Settings, context: Context) -> Iterator[dict[str, Any]]:
    """Yield bits/dim and evaluations of a training step, both ways, at the kept states (Figure 6), and the total."""
    split = drawn(
        catalogue.load(settings.data, "validation", context.seed), settings.watched_images, context.generator("watched")
    )
    x = noisy(split, "watched", context)
    flow = model.flow.build(0).to(context.device)
    spent = []
    for step in settings.train.snapshot_steps():
        restored(flow, context, step, name)
        found = {}
        for kind, solver in (("test", settings.evaluation), ("training's solver", settings.solver)):
            generator = context.generator("watched probes", device=context.device)
            found[kind] = work = step_work(flow, x, solver, grey_values, noise=model.noise, generator=generator)
            labels = {"dataset": settings.data, "method": name, "variant": kind, "axis": "step", "at": step, "n": len(x)}
            nfe = work.forward + work.backward
            error = standard_error(work.bits)
            yield row("validation_bits_per_dim", work.bits.mean(), error=error, nfe=nfe, unit=BITS, **labels)
            yield row("nfe_forward", work.forward, **labels)
            yield row("nfe_backward", work.backward, **labels)
        spent.append(found["training's solver"].forward + found["training's solver"].backward)
    yield row("nfe_total", np.mean(spent) * settings.train.steps, dataset=settings.data, method=name, n=len(spent))


def memory_rows(name: str, model: Model, x: Images, settings: Settings, context: Context) -> Iterator[dict[str, Any]]:
    """Yield the most bytes that are kept for the backward pass, by backpropagation and by the adjoint, by steps of the solver."""
    flow = model.flow.build(context.seed_for("weights")).to(context.device)
    for backward in ("direct", "adjoint"):
        for steps in settings.kept_steps:
            solver = SolverSettings(method="rk4", steps=steps, backward=backward)
            loss = partial(summed, flow, x, solver, context.generator("kept", device=context.device))
            kept = peak_kept_bytes(loss, flow)
            where = {"dataset": settings.data, "method": name, "variant": backward, "axis": "solver steps", "at": steps}
            yield row("kept_bytes", kept, unit="bytes", n=len(x), **where)


def summed(flow: ImageFlow, x: Images, solver: SolverSettings, generator: Generator) -> Tensor:
    """Return the sum of estimated log-densities."""
    return flow.log_density(x, solver, generator=generator).sum()


def nearest_row(name: str, images: Images, train: Images, settings: Settings) -> dict[str, Any]:
    """Return the median distance of images to the nearest training image, pixels in [0, 1]."""
    distance = distance_to_data(*(each.numpy(force=True) for each in (images, train)))
    return row("nearest_training_image", distance, dataset=settings.data, method=name, n=len(images))


def baseline_rows(train: Images, x: Images, grey_values: int, settings: Settings) -> list[dict[str, Any]]:
    """Return the bits/dim of the same test images without a flow: uniform pixels, and a Gaussian on the logits."""
    labels = {"dataset": settings.data, "variant": "test", "unit": BITS, "n": len(x)}
    normal = gaussian_bits(train, x, grey_values)
    return [
        row("bits_per_dim", math.log2(grey_values), method="uniform", **labels),
        row("bits_per_dim", normal.mean(), method="gaussian", error=standard_error(normal), **labels),
    ]


def size_rows(run_on: str, flows: Mapping[tuple[str, str], ImageFlowSettings] = PAPER_FLOWS) -> Iterator[dict[str, Any]]:
    """Yield how many parameters the paper's flows have, and their share of Glow's.

    Their data set is the rows' variant, for these rows are the same in a run on any.
    """
    for (data, source), flow in flows.items():
        parameters = parameter_count(flow.build(0))
        labels = {"dataset": run_on, "method": source, "variant": data}
        yield row("paper_parameters", parameters, **labels)
        if data == "cifar10":
            yield row("share_of_glow", parameters / GLOW_PARAMETERS, unit="ratio", **labels)
