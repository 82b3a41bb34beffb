"""Error, time and backward evaluations against forward evaluations of a trained ODE-Net (Figure 3 a-c).

Errors and evaluations are counted in float64, so that rounding plays no part; times are taken in the precision of training, by
solves that take turns.
"""

from copy import deepcopy
from statistics import median
from typing import Any

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from common.errors import SolverError
from common.learning.data import catalogue
from common.measure.timing import interleaved_seconds
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.neural_ode.classifiers import drawn_test_images, load_classifier
from replications.neural_ode.measures import Timed, adjoint_counts, relative_error, solved
from replications.neural_ode.networks import Classifier
from replications.neural_ode.solvers import SolverName, adaptive

VARIANT = ("data",)


class Settings(Base):
    """Settings of the measurement."""

    data: str = Field(description="labelled image data set; its ODE-Net is measured on test images")
    images: PositiveInt = Field(default=64, description="test images of errors and evaluations, solved jointly")
    timed_images: PositiveInt = Field(default=300, description="test images of the times, solved jointly")
    tolerances: list[PositiveFloat] = Field(
        default=[1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6], min_length=2, description="tolerances of dopri5, loosest first"
    )
    reference_tolerance: PositiveFloat = Field(default=1e-9, description="tolerance of the solution taken as exact")
    repeats: PositiveInt = Field(default=7, description="turns of the timings")
    solvers: list[SolverName] = Field(
        default=["dopri5", "bosh3", "vode", "lsoda"], description="solvers whose backward evaluations are counted"
    )
    backward_tolerances: list[PositiveFloat] = Field(default=[1e-2, 1e-3, 1e-4], description="tolerances of both their passes")
    gradient_tolerance: PositiveFloat = Field(default=1e-3, description="tolerance at which gradients are timed")


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and whole."""
    catalogue.load(settings.data, "test")


def run(settings: Settings, context: Context) -> Outcome:
    """Measure the trained ODE-Net of this seed."""
    net = load_classifier(context.model(settings.data, "classifier", backbone="ode_net"), context.device)
    images, labels = drawn_test_images(settings.data, context)
    common = {"dataset": settings.data}
    exact = deepcopy(net).double()
    with torch.no_grad():
        fine = exact.stem(images[: settings.images].double())
        coarse = net.stem(images[: settings.timed_images])
    rows = control_rows(exact, fine, settings)
    rows += time_rows(net, coarse, settings)
    rows += backward_rows(exact, fine, labels[: settings.images], settings)
    rows += gradient_rows(net, coarse, labels[: settings.timed_images], settings)
    return Outcome([{**each, **common} for each in rows])


def control_rows(net: Classifier, z: Tensor, settings: Settings) -> list[dict[str, Any]]:
    """Return dopri5's error and evaluations at every tolerance (Figure 3a)."""
    field = net.body.field.field
    exact = solved(field, z, adaptive("dopri5", settings.reference_tolerance)).state
    rows = []
    for tolerance in settings.tolerances:
        state, nfe = solved(field, z, adaptive("dopri5", tolerance))
        more = {"method": "dopri5", "axis": "tolerance", "at": tolerance, "nfe": nfe, "n": len(z)}
        rows.append(row("numerical_error", relative_error(state, exact), unit="relative", **more))
        rows.append(row("nfe_forward", nfe, unit="evaluations", **more))
    return rows


def time_rows(net: Classifier, z: Tensor, settings: Settings) -> list[dict[str, Any]]:
    """Return the time of a forward solve at every tolerance, and the share of it that passes in evaluations (Figure 3b)."""
    solves = {tolerance: TimedSolve(net.body.field.field, z, tolerance) for tolerance in settings.tolerances}
    times = interleaved_seconds(solves, settings.repeats)
    rows = []
    for tolerance, solve in solves.items():
        more = {"method": "dopri5", "axis": "tolerance", "at": tolerance, "nfe": solve.evaluations, "n": len(z)}
        # the shortest: what disturbs a solve only ever adds to its time
        rows.append(row("forward_seconds", min(times[tolerance]), unit="s", **more))
        inside = [part / whole for part, whole in zip(solve.inside[1:], times[tolerance])]  # the first turn warmed up
        rows.append(row("evaluation_share", median(inside), unit="share", **more))
    return rows


class TimedSolve:
    """A solve that can be called again and again, and notes each time how long it was inside the field, in seconds."""

    def __init__(self, field: nn.Module, z: Tensor, tolerance: float) -> None:
        self.field, self.z, self.solve = Timed(field), z, adaptive("dopri5", tolerance)
        self.inside: list[float] = []
        self.evaluations = 0

    def __call__(self) -> None:
        """Solve once."""
        self.field.seconds = 0.0
        self.evaluations = solved(self.field, self.z, self.solve).evaluations
        self.inside.append(self.field.seconds)


def backward_rows(net: Classifier, z: Tensor, labels: Tensor, settings: Settings) -> list[dict[str, Any]]:
    """Return the adjoint's evaluations over the forward pass's, per solver, loss reduction and tolerance (Figure 3c)."""
    rows = []
    for solver in settings.solvers:
        for reduction in ("mean", "sum"):
            for tolerance in settings.backward_tolerances:
                more = {"method": solver, "variant": f"{reduction} loss", "axis": "tolerance", "at": tolerance, "n": len(z)}
                try:
                    counts = adjoint_counts(
                        net,
                        z.clone(),
                        lambda logits, how=reduction: cross_entropy(logits, labels, reduction=how),
                        adaptive(solver, tolerance),
                    )
                except SolverError as error:
                    failed = {"status": "failed", "message": str(error)}
                    rows.append(row("nfe_backward", float("nan"), unit="evaluations", **more, **failed))
                    continue
                rows.append(row("nfe_backward", counts.backward, unit="evaluations", nfe=counts.forward, **more))
                ratio = counts.backward / counts.forward
                rows.append(row("backward_ratio", ratio, unit="ratio", nfe=counts.forward, **more))
    return rows


def gradient_rows(net: Classifier, z: Tensor, labels: Tensor, settings: Settings) -> list[dict[str, Any]]:
    """Return the time of a forward and backward pass with the adjoint and with gradients through the solver."""
    block, start = net.body, z.clone().requires_grad_()
    block.solve = adaptive("dopri5", settings.gradient_tolerance)

    def gradient(adjoint: bool) -> None:
        block.adjoint = adjoint
        torch.autograd.grad(cross_entropy(net.head(block(start)), labels), [start, *block.parameters()])

    pieces = {"adjoint": lambda: gradient(True), "backpropagation": lambda: gradient(False)}
    times = interleaved_seconds(pieces, settings.repeats)
    more = {"axis": "tolerance", "at": settings.gradient_tolerance, "nfe": block.evaluations, "n": len(z)}
    ratio = median(one / other for one, other in zip(times["adjoint"], times["backpropagation"]))
    return [
        *(row("gradient_seconds", min(taken), unit="s", method=name, **more) for name, taken in times.items()),
        row("gradient_time_ratio", ratio, unit="ratio", method="adjoint", **more),
    ]
