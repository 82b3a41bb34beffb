"""Flows on the rows of a table: data at one scale, training by maximum likelihood, and the state of least validation loss.

All methods see the same batches, and what is reported is of the table as it was loaded: rows are shifted and scaled by one
number each, and with x = shift + scale y, log p(x) = log p(y) - D log scale.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from common.learning.data.batches import EpochSampler
from common.learning.data.tables import load_table
from common.learning.training.run import restored, train_run
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.settings import Settings

Rows = Float[Tensor, "rows dim"]
# log_density(model, rows, generator) -> [rows]
LogDensity = Callable[[nn.Module, Tensor, Generator], Tensor]


class Table(NamedTuple):
    """The splits at a scale at which the training rows have mean 0 and variance 1 over all columns together."""

    train: Rows
    validation: Rows
    test: Rows
    log_det: float  # D log scale: what an NLL of these rows lacks to that of the table's, in nats

    @property
    def dim(self) -> int:
        """Return the number of columns."""
        return self.train.shape[1]


class Chosen(NamedTuple):
    """A trained flow in the best of its kept states, and in the best of those of the first two thirds of the training."""

    best: nn.Module
    earlier: nn.Module
    best_step: int
    seconds: float
    losses: list[float]  # of every kept state on the validation rows, in nats


def scaled_table(name: str, context: Context, *, validation_rows: int, test_rows: int) -> Table:
    """Return a table's splits on the run's device, of validation and test the first rows of a random order."""
    train, *others = (load_table(name, split, context.seed) for split in ("train", "validation", "test"))
    parts = [train]
    for split, rows, most in zip(("validation", "test"), others, (validation_rows, test_rows)):
        parts.append(rows[torch.randperm(len(rows), generator=context.generator("rows", split))[:most]])
    return scaled(*(part.to(context.device) for part in parts))


def scaled(train: Rows, validation: Rows, test: Rows) -> Table:
    """Return the splits, shifted and scaled by the mean and standard deviation of all numbers of the training rows."""
    shift, scale = train.mean(), train.std()
    log_det = train.shape[1] * math.log(float(scale))
    return Table(*((part - shift) / scale for part in (train, validation, test)), log_det)


@torch.no_grad()
def nll_of_rows(log_density: Callable[[Rows], Tensor], rows: Rows, log_det: float, chunk: int) -> Float[Tensor, " rows"]:
    """Return the negative log-likelihood of every row in nats, in float64, `chunk` rows at a time."""
    return log_det - torch.cat([log_density(part).double() for part in rows.split(chunk)])


def trained_flow(
    name: str,
    model: nn.Module,
    log_density: LogDensity,
    table: Table,
    train: TrainSettings,
    context: Context,
    *,
    of: Settings,
    chunk: int,
) -> Chosen:
    """Train by maximum likelihood and return the averaged weights that were best on the validation rows.

    Of an estimated trace every state has the same probes there.
    """
    batches = EpochSampler(len(table.train), train.batch, context.seed_for("batches"))

    def loss(model: nn.Module, step: int, generator: Generator) -> Tensor:
        return -log_density(model, table.train[batches(step).to(table.train.device)], generator).mean()

    def validation(model: nn.Module) -> float:
        probes = context.generator("validation probes", device=context.device)
        return float(nll_of_rows(lambda x: log_density(model, x, probes), table.validation, table.log_det, chunk).mean())

    result = train_run(context, model, loss, train, seed=context.seed_for("train"), of=of, name=name)
    steps = train.snapshot_steps()
    losses = [validation(restored(model, context, step, name)) for step in steps]
    best, earlier = best_steps(steps, losses)
    averaged = result.model
    return Chosen(restored(model, context, best, name), restored(averaged, context, earlier, name), best, result.seconds, losses)


def best_steps(steps: list[int], losses: list[float]) -> tuple[int, int]:
    """Return the step of least loss, and that of least loss among the first two thirds of the states; the earliest of equals."""
    least = min(range(len(steps)), key=losses.__getitem__)
    earlier = min(range(max(1, 2 * len(steps) // 3)), key=losses.__getitem__)
    return steps[least], steps[earlier]
