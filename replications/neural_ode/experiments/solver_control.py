"""Error, time and backward evaluations against forward evaluations of a trained ODE-Net (Figure 3 a-c).

Errors and evaluations are counted in float64, so that rounding plays no part; times are taken in the precision of training.
"""

from copy import deepcopy
from functools import partial
from typing import Any

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import cross_entropy

from common.errors import SolverError
from common.learning.data import catalogue
from common.measure.timing import shortest_seconds
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.neural_ode.classifiers import labelled_images, load_classifier
from replications.neural_ode.measures import adjoint_counts, relative_error, solved
from replications.neural_ode.networks import Classifier
from replications.neural_ode.solvers import SolverName, adaptive, unit_interval

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
    repeats: PositiveInt = Field(default=5, description="repeats of a timing, the shortest of which counts")
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
    images, labels = (part.to(context.device) for part in labelled_images(settings.data, "test"))
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
    """Return the time of a forward solve at every tolerance, and of one evaluation (Figure 3b)."""
    field, start = net.body.field.field, unit_interval(z)[0]
    solves = {tolerance: adaptive("dopri5", tolerance) for tolerance in settings.tolerances}
    work = {tolerance: partial(solved, field, z, solve) for tolerance, solve in solves.items()}
    with torch.no_grad():
        times = shortest_seconds({"one": lambda: field(start, z), **work}, settings.repeats)
    rows = [row("evaluation_seconds", times["one"], unit="s", method="dopri5", n=len(z))]
    for tolerance in settings.tolerances:
        more = {"method": "dopri5", "axis": "tolerance", "at": tolerance, "nfe": work[tolerance]().evaluations, "n": len(z)}
        rows.append(row("forward_seconds", times[tolerance], unit="s", **more))
    return rows


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

    times = shortest_seconds({"adjoint": lambda: gradient(True), "backpropagation": lambda: gradient(False)}, settings.repeats)
    more = {"axis": "tolerance", "at": settings.gradient_tolerance, "nfe": block.evaluations, "n": len(z)}
    return [row("gradient_seconds", taken, unit="s", method=name, **more) for name, taken in times.items()]
