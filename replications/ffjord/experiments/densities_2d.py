"""FFJORD, coupling flows and one Gaussian on two-dimensional densities: likelihood, mass in the gaps, cost (Figure 2, Section 6).

All flows see the same batches, in trainings of about equal seconds. One more FFJORD is trained with weight decay, which should
make its equation cheaper to solve. Gaps are where the data's density, known for two of the sets, is less than exp(-9/2) of its
largest: farther than three standard deviations from all Gaussians, or off the board.
"""

import functools
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from common.learning.data.densities import DENSITIES, ENTROPY, LOG_DENSITIES
from common.learning.training.run import restored, train_run
from common.learning.training.settings import TrainSettings
from common.measure.grid import square_grid
from common.measure.metrics.density import standard_error
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ffjord.flow_measurements import evaluation_rows, inversion_rows, rms, sample_paths
from replications.ffjord.free_form_flow import FlowSettings, FreeFormFlow
from replications.ffjord.rivals.autoregressive import fit_gaussian
from replications.ffjord.rivals.coupling_flows import CouplingSettings
from replications.ffjord.solving.solve import at_tolerance

VARIANT = ("data",)
GAP = 4.5  # nats below the largest log-density


class Settings(Base):
    """Settings of the trainings and of what is measured."""

    data: Literal[tuple(DENSITIES)] = Field(default="eight_gaussians", description="two-dimensional density")
    flow: FlowSettings = Field(description="FFJORD")
    train: TrainSettings = Field(description="FFJORD's training")
    training_tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol in FFJORD's training")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of what is measured")
    weight_decay: PositiveFloat | None = Field(default=None, description="of a second training of FFJORD, decoupled; null = none")
    couplings: dict[str, CouplingSettings] = Field(description="coupling flows by name")
    coupling_train: TrainSettings = Field(description="the coupling flows' training")
    test_points: PositiveInt = Field(description="held-out points of the NLL")
    samples: PositiveInt = Field(description="samples of each model")
    counted: PositiveInt = Field(default=128, description="points solved jointly when evaluations are counted")
    inverted: PositiveInt = Field(default=256, description="points that are mapped to the base and back, in float64")
    tolerances: list[PositiveFloat] = Field(default=[1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7], description="atol = rtol of that")
    drawn: PositiveInt = Field(default=300, description="samples whose paths are drawn")
    grid: PositiveInt = Field(description="cells along each side of the density pictures")
    half_width: PositiveFloat = Field(default=5.0, description="of the square of the pictures")


class Model(NamedTuple):
    """A density that was fitted, with how it was before its training ended."""

    log_density: Callable[[Tensor], Tensor]
    sample: Callable[[int, Generator], Tensor]
    flow: nn.Module | None = None
    earlier: Callable[[Tensor], Tensor] | None = None  # log-density at two thirds of the training
    seconds: float = 0.0


def run(settings: Settings, context: Context) -> Outcome:
    """Train all models and measure each on the same points."""
    draw = DENSITIES[settings.data]
    test = draw(settings.test_points, generator=context.generator("test", settings.data)).to(context.device)
    fresh = draw(settings.samples, generator=context.generator("data", settings.data))
    cells = square_grid(settings.grid, settings.half_width, cells=True).float().to(context.device)
    floor = float(in_gaps(settings.data, fresh).float().mean()) if settings.data in LOG_DENSITIES else None
    noise = torch.randn(settings.samples, 2, generator=context.generator("noise", settings.data)).to(context.device)
    rows: list[dict[str, Any]] = []
    arrays = {"samples_data": fresh.half().numpy()}
    for name, model in fitted(settings, context).items():
        labels = {"dataset": settings.data, "method": name}
        samples = model.sample(settings.samples, context.generator("samples", settings.data)).float().cpu()
        with torch.no_grad():
            density = model.log_density(cells).double().exp().cpu()
            rows += likelihood_rows(model, test, labels)
        # what the squares of the picture hold of a model's mass
        rows.append(row("mass", float(density.sum()) * (2 * settings.half_width / settings.grid) ** 2, **labels))
        if floor is not None:
            rows.append(gap_row(in_gaps(settings.data, samples), floor, labels))
        arrays[f"density_{name}"] = density.reshape(settings.grid, settings.grid).half().numpy()
        arrays[f"samples_{name}"] = samples.half().numpy()
        if isinstance(model.flow, FreeFormFlow):
            by_step = stages(name, settings, context)
            rows += evaluation_rows(by_step, test[: settings.counted], at_tolerance(settings.tolerance), labels)
        if name == "ffjord":
            arrays[f"trajectory_{name}"] = sample_paths(model.flow, noise[: settings.drawn])
            rows += inversion_rows(model.flow, test[: settings.inverted], noise[: settings.inverted], settings.tolerances, labels)
        elif name in settings.couplings:
            with torch.no_grad():
                back = model.flow.from_base(model.flow.to_base(test)[0])
            rows.append(row("round_trip_error", rms(back - test), n=len(test), **labels))
    return Outcome(rows, arrays=arrays)


def fitted(settings: Settings, context: Context) -> dict[str, Model]:
    """Return every model by its name, trained."""
    seed = context.seed_for("train", settings.data)
    draw = DENSITIES[settings.data]
    many = draw(settings.train.batch * settings.train.steps, generator=context.generator("gaussian", settings.data))
    gaussian = fit_gaussian(many.to(context.device))
    models = {"gaussian": Model(gaussian.log_density, lambda n, generator: gaussian.sample(n, generator=generator))}
    for name, coupling in settings.couplings.items():
        flow = coupling.build(2, generator=context.generator("weights", settings.data)).to(context.device)
        models[name] = trained(name, flow, {}, {}, settings.coupling_train, settings, context)
    trainings = {"ffjord": settings.train}
    if settings.weight_decay:
        trainings["ffjord_decay"] = settings.train.model_copy(update={"weight_decay": settings.weight_decay})
    training, testing = ({"solver": at_tolerance(each)} for each in (settings.training_tolerance, settings.tolerance))
    for name, how in trainings.items():
        flow = settings.flow.build(2, seed=seed).to(context.device)
        models[name] = trained(name, flow, training, testing, how, settings, context)
    return models


def trained(
    name: str,
    flow: nn.Module,
    training: dict[str, Any],
    testing: dict[str, Any],
    how: TrainSettings,
    settings: Settings,
    context: Context,
) -> Model:
    """Return a flow trained on fresh points by maximum likelihood; `training` and `testing` are how its density is asked for."""
    draw = DENSITIES[settings.data]

    def loss(flow: nn.Module, step: int, generator: Generator) -> Tensor:
        return -flow.log_density(draw(how.batch, generator=generator), **training).mean()

    seed = context.seed_for("train", settings.data)
    done = train_run(context, flow, loss, how, seed=seed, of=settings, name=name)
    flow, before = done.model, restored(deepcopy(done.model), context, how.snapshot_near(2 / 3), name)
    return Model(
        lambda x: flow.log_density(x, **testing),
        lambda n, generator: flow.sample(n, generator=generator, **testing),
        flow,
        lambda x: before.log_density(x, **testing),
        done.seconds,
    )


def stages(name: str, settings: Settings, context: Context) -> dict[int, FreeFormFlow]:
    """Return an FFJORD by step of its training, the untrained one first."""
    found = {}
    for step in (0, *settings.train.snapshot_steps()):
        found[step] = settings.flow.build(2, seed=context.seed_for("train", settings.data)).to(context.device)
        if step:
            restored(found[step], context, step, name)
    return found


def likelihood_rows(model: Model, test: Tensor, labels: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the NLL at the end and at two thirds of the training, and the seconds that it took."""
    known = {"unit": "nats", "n": len(test), "floor": ENTROPY.get(labels["dataset"], ""), **labels}
    found = {"nll": -model.log_density(test).double()}
    if model.earlier:
        found["nll_at_two_thirds"] = -model.earlier(test).double()
    rows = [row(name, each.mean(), error=standard_error(each.numpy(force=True)), **known) for name, each in found.items()]
    if model.earlier:
        rows.append(row("training_seconds", model.seconds, unit="s", **labels))
    return rows


def in_gaps(data: str, x: Tensor) -> Tensor:
    """Return which of the points lie where the data's density is less than exp(-9/2) of its largest."""
    return LOG_DENSITIES[data](x.double()) < largest_log_density(data) - GAP


@functools.cache
def largest_log_density(data: str) -> Tensor:
    """Return the largest value of a log-density on a grid on which lie the Gaussians' modes and the board's cells."""
    return LOG_DENSITIES[data](square_grid(401, 4.0)).max()


def gap_row(inside: Tensor, floor: float, labels: dict[str, Any]) -> dict[str, Any]:
    """Return the share of samples in the gaps beside the data's own."""
    share = float(inside.double().mean())
    error = np.sqrt(share * (1 - share) / len(inside))
    return row("gap_share", share, error=error, floor=floor, n=len(inside), unit="1", **labels)
