"""Memory, loose tolerances at test time, joint solves and reversibility of a trained ODE-Net (Sections 2 and 6)."""

from copy import deepcopy
from typing import Any

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from common.learning.data import catalogue
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.neural_ode.adjoint import solve_ode_adjoint
from replications.neural_ode.classifiers import drawn_test_images, error_percent, load_classifier
from replications.neural_ode.depth import evaluations_alone
from replications.neural_ode.measures import reconstruction_error, saved_bytes, solved
from replications.neural_ode.networks import Classifier
from replications.neural_ode.solvers import adaptive, fixed

VARIANT = ("data",)


class Settings(Base):
    """Settings of the measurement."""

    data: str = Field(description="labelled image data set; its ODE-Nets are measured on test images")
    images: PositiveInt = Field(default=64, description="test images of memory and reversibility, solved jointly")
    steps: list[PositiveInt] = Field(default=[2, 4, 8, 16, 32], min_length=2, description="fixed steps whose memory is counted")
    output_times: list[PositiveInt] = Field(
        default=[2, 4, 8, 16, 32], min_length=2, description="numbers of times at which a solve's state is asked for"
    )
    test_tolerances: list[PositiveFloat] = Field(
        default=[1e-5, 1e-4, 1e-3, 1e-2, 1e-1], description="tolerances at which the tightly trained network is tested"
    )
    test_batch: PositiveInt = Field(default=500, description="test images solved jointly when errors are counted")
    batches: list[PositiveInt] = Field(default=[4, 16, 64, 256], description="numbers of images solved as one ODE")
    batch_tolerances: list[PositiveFloat] = Field(default=[1e-3, 1e-5], description="tolerances of these solves")
    reverse_tolerances: list[PositiveFloat] = Field(
        default=[1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1.5e-8], description="tolerances of solves there and back"
    )
    gains: list[PositiveFloat] = Field(default=[1, 3, 6], description="weight gains of untrained fields, solved there and back")
    gain_width: PositiveInt = Field(default=32, description="dimension of these fields")


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and whole."""
    catalogue.load(settings.data, "test")


def run(settings: Settings, context: Context) -> Outcome:
    """Measure the trained ODE-Nets of this seed."""
    kinds = ("ode_net", "ode_net_tight")
    net, tight = (load_classifier(context.model(settings.data, "classifier", backbone=kind), context.device) for kind in kinds)
    images, labels = drawn_test_images(settings.data, context)
    exact = deepcopy(net).double()
    with torch.no_grad():
        z = net.stem(images[: settings.images])
        many = exact.stem(images[: max(settings.batches)].double())
    rows = memory_rows(net, z, settings) + output_time_rows(net, z, settings)
    rows += loose_rows(tight, images, labels, settings)
    rows += batch_rows(exact.body.field.field, many, settings)
    rows += reverse_rows("ode_net", exact.body.field.field, many[: settings.images], settings)
    for gain in settings.gains:
        # the same directions for every gain
        field = RandomField(settings.gain_width, gain, generator=context.generator("random field"))
        start = torch.randn(settings.images, settings.gain_width, generator=context.generator("start"), dtype=torch.float64)
        rows += reverse_rows(f"gain {gain:g}", field, start, settings)
    return Outcome([{**each, "dataset": settings.data} for each in rows])


def memory_rows(net: Classifier, z: Tensor, settings: Settings) -> list[dict[str, Any]]:
    """Return the bytes that the block keeps for its backward pass after N Euler steps (Table 1, column memory)."""
    block, start, rows = net.body, z.clone().requires_grad_(), []
    for name, block.adjoint in (("adjoint", True), ("backpropagation", False)):
        for steps in settings.steps:
            block.solve = fixed("euler", steps)
            kept = saved_bytes(lambda: block(start), block)
            rows.append(row("saved_bytes", kept, unit="B", method=name, nfe=block.evaluations, n=len(z), axis="steps", at=steps))
    return rows


def output_time_rows(net: Classifier, z: Tensor, settings: Settings) -> list[dict[str, Any]]:
    """Return the bytes that the adjoint keeps for its backward pass when the state is asked for at N times (claim 6)."""
    block, start, rows = net.body, z.clone().requires_grad_(), []
    for count in settings.output_times:
        times = torch.linspace(0, 1, count, dtype=z.dtype, device=z.device)
        kept = saved_bytes(lambda at=times: solve_ode_adjoint(block.field, start, at, fixed("euler", 32)), block)
        rows.append(row("saved_bytes_of_outputs", kept, unit="B", method="adjoint", n=len(z), axis="output times", at=count))
    return rows


def loose_rows(net: Classifier, images: Tensor, labels: Tensor, settings: Settings) -> list[dict[str, Any]]:
    """Return test error and evaluations of a tightly trained network at looser tolerances (claim 7)."""
    rows = []
    for tolerance in settings.test_tolerances:
        net.body.solve = adaptive("dopri5", tolerance)
        error = error_percent(net, images, labels, batch=settings.test_batch)
        more = {"method": "ode_net_tight", "axis": "tolerance", "at": tolerance, "n": len(images)}
        more["nfe"] = net.body.evaluations
        rows.append(row("test_error", error, unit="%", **more))
        rows.append(row("nfe", net.body.evaluations, unit="evaluations", **more))
    return rows


def batch_rows(field: nn.Module, z: Tensor, settings: Settings) -> list[dict[str, Any]]:
    """Return the evaluations of joint solves over the mean of the same images' own (claim 9)."""
    rows = []
    for tolerance in settings.batch_tolerances:
        alone, variant = evaluations_alone(field, z, tolerance).double(), f"tolerance {tolerance:g}"
        single = {"unit": "evaluations", "method": "single", "variant": variant, "n": len(alone)}
        rows += [row("nfe_single", alone.mean(), **single), row("nfe_single_largest", alone.max(), **single)]
        for batch in settings.batches:
            nfe = solved(field, z[:batch], adaptive("dopri5", tolerance)).evaluations
            joint = {"unit": "ratio", "method": "joint", "variant": variant, "axis": "batch", "at": batch, "nfe": nfe, "n": batch}
            rows.append(row("batch_nfe_ratio", nfe / float(alone[:batch].mean()), **joint))
    return rows


def reverse_rows(name: str, field: nn.Module, z: Tensor, settings: Settings) -> list[dict[str, Any]]:
    """Return the error of the initial state after a solve there and back, in float64 (claim 10)."""
    return [
        row(
            "reconstruction_error",
            reconstruction_error(field, z, adaptive("dopri5", tolerance)),
            unit="relative",
            method=name,
            axis="tolerance",
            at=tolerance,
            n=len(z),
        )
        for tolerance in settings.reverse_tolerances
    ]


class RandomField(nn.Module):
    """f(z) = V tanh(W z), untrained, both matrices normal with standard deviation gain / sqrt(width).

    At gain 1 the field is mild; the Jacobian grows with the gain's square, and so do contraction and expansion.
    """

    def __init__(self, width: int, gain: float, *, generator: Generator) -> None:
        super().__init__()
        weights = torch.randn(2, width, width, generator=generator, dtype=torch.float64)
        self.register_buffer("weights", gain * weights / width**0.5)

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        """Return dz/dt, which does not depend on t."""
        return torch.tanh(z @ self.weights[0]) @ self.weights[1]
