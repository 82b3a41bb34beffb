"""Held-out likelihood on a table: FFJORD against Real NVP, Glow, MAF and one Gaussian (Table 2, Section 4.2).

FFJORD is trained with one probe and tested with the exact trace; how far a test with probes would be from that is measured too
(Section 4). Every flow is taken in the state of its training that was best on the validation rows.
"""

from functools import partial
from typing import Any, Literal

import numpy as np
from pydantic import Field, PositiveInt
from torch import Generator, Tensor, nn

from common.errors import SettingsError
from common.learning.data.tables import load_table
from common.learning.nets.mlp import parameter_count
from common.learning.training.settings import TrainSettings
from common.measure.metrics.density import standard_error
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ffjord.free_form_flow import FlowSettings, FreeFormFlow, Trace
from replications.ffjord.rivals.autoregressive import MAFSettings, fit_gaussian
from replications.ffjord.rivals.coupling_flows import CouplingSettings
from replications.ffjord.solving.solve import SolverSettings, evaluations_of
from replications.ffjord.table_models import Chosen, Table, nll_of_rows, scaled_table, trained_flow
from replications.ffjord.trace_estimators import Noise

VARIANT = ("data",)
Rival = Literal["real_nvp", "glow", "maf"]
RIVALS: tuple[Rival, ...] = ("real_nvp", "glow", "maf")
Labels = dict[str, Any]


class Trainings(Base):
    """How each method is trained."""

    ffjord: TrainSettings
    real_nvp: TrainSettings
    glow: TrainSettings
    maf: TrainSettings


class Settings(Base):
    """Settings of the comparison."""

    data: str = Field(description="table of common.learning.data.tables")
    ffjord: FlowSettings = Field(description="FFJORD")
    real_nvp: CouplingSettings = Field(description="affine coupling layers")
    glow: CouplingSettings = Field(description="affine coupling layers with learned linear maps between them")
    maf: MAFSettings = Field(description="masked autoregressive flow")
    train: Trainings = Field(description="training of every method; the states that it keeps are judged on validation rows")
    noise: Noise = Field(default="gaussian", description="FFJORD's probes")
    solver: SolverSettings = Field(default=SolverSettings(), description="FFJORD's solver in training and validation")
    test_solver: SolverSettings = Field(default=SolverSettings(), description="FFJORD's solver on test rows")
    validation_rows: PositiveInt = Field(default=10**9, description="rows that choose the state, at the most")
    test_rows: PositiveInt = Field(default=10**9, description="rows that are tested, at the most")
    chunk: PositiveInt = Field(default=1000, description="rows that are solved together in validation and testing")
    probes: PositiveInt = Field(ge=2, description="estimated tests, each with probes of its own")


def check(settings: Settings) -> None:
    """Raise `DataError` unless the table is there, and `SettingsError` if a training keeps too few states to choose from."""
    load_table(settings.data, "train")
    for method in ("ffjord", *RIVALS):
        if getattr(settings.train, method).snapshots < 3:
            raise SettingsError(f"train.{method}.snapshots: keep at least 3, of which the best is taken")


def run(settings: Settings, context: Context) -> Outcome:
    """Train every method, then measure the test rows' likelihood and what it costs."""
    table = scaled_table(settings.data, context, validation_rows=settings.validation_rows, test_rows=settings.test_rows)
    labels: Labels = {"dataset": settings.data, "n": len(table.test)}
    rows, of_ffjord, arrays = ffjord_rows(settings, table, context, labels)
    for method in RIVALS:
        found, nll, more = rival_rows(method, settings, table, context, labels)
        rows += [*found, paired_row(nll, of_ffjord, {**labels, "method": method})]
        arrays |= more
    nll = nll_of_rows(fit_gaussian(table.train).log_density, table.test, table.log_det, settings.chunk)
    mine = {**labels, "method": "gaussian"}
    rows += [nll_row("nll", nll, mine), paired_row(nll, of_ffjord, mine)]
    return Outcome(rows, arrays=arrays)


def ffjord_rows(
    settings: Settings, table: Table, context: Context, labels: Labels
) -> tuple[list[dict[str, Any]], Tensor, dict[str, np.ndarray]]:
    """Return FFJORD's rows, the NLL of every test row with the exact trace, and its validation curve."""
    labels = {**labels, "method": "ffjord"}
    flow = settings.ffjord.build(table.dim, seed=context.seed_for("weights")).to(context.device)
    rows = nfe_rows(flow, settings, table, context, {**labels, "variant": "untrained"})

    def log_density(flow: nn.Module, x: Tensor, generator: Generator) -> Tensor:
        return flow.log_density(x, settings.solver, trace=settings.noise, generator=generator)

    train = settings.train.ffjord
    chosen = trained_flow("ffjord", flow, log_density, table, train, context, of=settings, chunk=settings.chunk)
    flow.evaluations.reset()
    nll = tested(flow, "exact", settings, table)
    per_solve = flow.evaluations.forward / -(-len(table.test) // settings.chunk)
    rows += [
        nll_row("nll", nll, {**labels, "nfe": per_solve}),
        nll_row("nll_at_two_thirds", tested(chosen.earlier, "exact", settings, table), labels),
        *training_rows(chosen, train, labels),
        *nfe_rows(flow, settings, table, context, {**labels, "variant": "trained"}),
        *estimate_rows(flow, nll, settings, table, context, labels),
    ]
    return rows, nll, curves("ffjord", chosen, train)


def tested(flow: nn.Module, trace: Trace, settings: Settings, table: Table, generator: Generator | None = None) -> Tensor:
    """Return the NLL of every test row in nats, the trace exact or estimated."""
    log_density = partial(flow.log_density, solver=settings.test_solver, trace=trace, generator=generator)
    return nll_of_rows(log_density, table.test, table.log_det, settings.chunk)


def estimate_rows(
    flow: FreeFormFlow, exact: Tensor, settings: Settings, table: Table, context: Context, labels: Labels
) -> list[dict[str, Any]]:
    """Return the mean test NLL by probes less the exact one, and its variance over probes."""
    generator = context.generator("test probes", device=context.device)
    means = [float(tested(flow, settings.noise, settings, table, generator).mean()) for _ in range(settings.probes)]
    off = np.array(means) - float(exact.mean())
    return [
        row("nll_estimated_minus_exact", off.mean(), error=standard_error(off), unit="nats", **labels),
        row("nll_probe_variance", off.var(ddof=1), unit="nats^2", **labels),
    ]


def nfe_rows(flow: FreeFormFlow, settings: Settings, table: Table, context: Context, labels: Labels) -> list[dict[str, Any]]:
    """Return the evaluations of one training step on the first rows, forwards and backwards, summed over the flows."""
    x, generator = table.train[: settings.train.ffjord.batch], context.generator("counted", device=context.device)
    log_density = partial(flow.log_density, x, settings.solver, trace=settings.noise, generator=generator)
    counted = evaluations_of(flow, lambda: log_density().mean())
    directions = {"nfe_forward": counted.forward, "nfe_backward": counted.backward}
    return [row(metric, count, unit="evaluations", **labels) for metric, count in directions.items()]


def rival_rows(
    method: Rival, settings: Settings, table: Table, context: Context, labels: Labels
) -> tuple[list[dict[str, Any]], Tensor, dict[str, np.ndarray]]:
    """Return a rival's rows, the NLL of every test row, and its validation curve."""
    labels, train = {**labels, "method": method}, getattr(settings.train, method)
    flow = getattr(settings, method).build(table.dim, generator=context.generator("weights")).to(context.device)

    def log_density(flow: nn.Module, x: Tensor, generator: Generator) -> Tensor:
        return flow.log_density(x)

    chosen = trained_flow(method, flow, log_density, table, train, context, of=settings, chunk=settings.chunk)
    nll, earlier = (
        nll_of_rows(state.log_density, table.test, table.log_det, settings.chunk) for state in (chosen.best, chosen.earlier)
    )
    rows = [nll_row("nll", nll, labels), nll_row("nll_at_two_thirds", earlier, labels), *training_rows(chosen, train, labels)]
    return rows, nll, curves(method, chosen, train)


def nll_row(metric: str, nll: Tensor, labels: Labels) -> dict[str, Any]:
    """Return a mean NLL in nats with its standard error."""
    return row(metric, nll.mean(), error=standard_error(nll.numpy(force=True)), unit="nats", **labels)


def paired_row(nll: Tensor, of_ffjord: Tensor, labels: Labels) -> dict[str, Any]:
    """Return by how many nats FFJORD's NLL is smaller, with the standard error of the differences row by row."""
    return nll_row("nll_minus_ffjord", nll - of_ffjord, labels)


def training_rows(chosen: Chosen, train: TrainSettings, labels: Labels) -> list[dict[str, Any]]:
    """Return what a training took, and at which share of it the best state was."""
    return [
        row("training_seconds", chosen.seconds, unit="s", seconds=chosen.seconds, **labels),
        row("parameters", parameter_count(chosen.best), unit="1", **labels),
        row("optimiser_steps", train.steps, unit="1", **labels),
        row("best_state", chosen.best_step / train.steps, unit="share of steps", **labels),
        row("nll_validation", min(chosen.losses), unit="nats", **labels),
    ]


def curves(method: str, chosen: Chosen, train: TrainSettings) -> dict[str, np.ndarray]:
    """Return the validation NLL of every kept state and the steps of them."""
    return {f"validation_{method}": np.array(chosen.losses), f"validation_step_{method}": np.array(train.snapshot_steps())}
