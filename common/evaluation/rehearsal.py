"""Look on at a run and count its work: each training step by step, and what the run does besides.

A run is either *observed* from its beginning to its end, with a few steps of every training counted, or *rehearsed*: left after
the second step of its first training, at the level's own size but for the batch.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from common.errors import RetraceError
from common.evaluation.step_watch import Enough
from common.evaluation.untrained import Untrained
from common.learning.nets.mlp import parameter_count
from common.learning.training import run as run_of
from common.learning.training.loop import Trained
from common.learning.training.settings import TrainSettings
from common.measure.work import Kept, Tally, Work
from common.runs.experiment import Context
from common.runs.settings import Settings

COUNTED = 5  # steps of an observed training, evenly over it
BATCHES = (2, 4)  # of a rehearsal: what differs between them belongs to the samples, the rest to the weights


@dataclass
class Seen:
    """A training: its network's parameters, its schedule, the work of the steps that were counted, bytes kept for going back."""

    name: str
    parameters: int
    steps: int
    batch: int
    work: list[Work] = field(default_factory=list)
    kept: float = 0.0

    @property
    def step(self) -> Work:
        """The mean step."""
        return sum(self.work, Work()).times(1 / len(self.work)) if self.work else Work()


class Lens:
    """A training's `on_step`: counts the steps that it is told to, and raises `Enough` after the last one if it is to leave."""

    def __init__(self, model: nn.Module, chosen: set[int], *, leave: bool = False) -> None:
        self.model, self.chosen, self.leave = model, chosen, leave
        self.work: list[Work] = []
        self.kept = 0.0
        self._open: contextlib.ExitStack | None = None
        self._look(1)

    def __call__(self, step: int, model: nn.Module, averaged: nn.Module) -> None:
        """Look on after a step."""
        self.close()
        if self.leave and step >= max(self.chosen):
            raise Enough
        self._look(step + 1)

    def _look(self, step: int) -> None:
        if step in self.chosen:
            self._open = contextlib.ExitStack()
            self._saved = self._open.enter_context(Kept(self.model.parameters()))
            self._tally = self._open.enter_context(Tally())

    def close(self) -> None:
        """End the count of a step."""
        if self._open:
            self._open.close()
            self._open = None
            self.work.append(self._tally.total)
            self.kept = max(self.kept, float(self._saved.total))


@contextlib.contextmanager
def trainings(watch: Callable[..., Trained]) -> Iterator[None]:
    """Within it every training of a run is done by `watch(train, model, loss, **as train is called)`."""
    real = run_of.train
    run_of.train = lambda model, loss, **how: watch(real, model, loss, **how)
    try:
        yield
    finally:
        run_of.train = real


def observed(run: Callable[[Any, Context], Any], settings: Settings, context: Context) -> tuple[list[Seen], Work, Any]:
    """Do a run and return its trainings, the work of everything else, and what came out of it."""
    found: list[Seen] = []
    tally = Tally()

    def watch(train: Callable[..., Trained], model: nn.Module, loss: Any, *, settings: TrainSettings, **how: Any) -> Trained:
        tally.__exit__(None, None, None)
        most = settings.steps
        lens = Lens(model, {max(1, min(most, 2)), *(most * part // (COUNTED - 1) for part in range(1, COUNTED))})
        try:
            done = train(model, loss, settings=settings, **_looking(how, lens))
        finally:
            lens.close()
            tally.__enter__()
        found.append(_seen(model, settings, how, lens))
        return done

    with trainings(watch), tally:
        outcome = run(settings, context)
    return found, tally.total, outcome


def rehearsed(run: Callable[[Any, Context], Any], settings: Settings, context: Context, batch: int) -> Seen:
    """Start a run and leave it after the second step of its first training, which takes `batch` samples a step.

    Raises what the run raises, and `RetraceError` if it trains nothing, at once where its settings say of no training.
    """
    found: list[Seen] = []
    if any(schedules(settings)):
        rehearsed_all(run, settings, context, batch, 1, found)
    if not found:
        raise RetraceError(f"{context.paper} {context.experiment}: trains nothing")
    return found[0]


def rehearsed_all(
    run: Callable[[Any, Context], Any], settings: Settings, context: Context, batch: int, most: int, found: list[Seen]
) -> None:
    """Start a run whose trainings end after three steps each, and leave it with the `most`th one; they are added to `found`.

    Between trainings the run does what it always does. Raises what it raises; what was found until then stays.
    """

    def watch(train: Callable[..., Trained], model: nn.Module, loss: Any, *, settings: TrainSettings, **how: Any) -> Trained:
        lens, last = Lens(model, {2}, leave=len(found) + 1 == most), False
        try:
            done = train(model, loss, settings=settings, **_looking(how, lens))
        except Enough:
            last = True
        finally:
            lens.close()
        # not of a training that failed: its step may have been counted in part
        found.append(_seen(model, settings, how, lens))
        if last:
            raise Enough
        return done

    # the last step of a training averages and checks the weights once more, so the counted one is not the last
    with trainings(watch), contextlib.suppress(Enough):
        run(small(settings, batch, steps=3), context)


def _looking(how: Mapping[str, Any], lens: Lens) -> dict[str, Any]:
    return {**how, "on_step": run_of._in_turn(how.get("on_step"), lens)}


def _seen(model: nn.Module, settings: TrainSettings, how: Mapping[str, Any], lens: Lens) -> Seen:
    name = Path(how["state_file"]).stem.removeprefix("training-state").lstrip("-")
    return Seen(name, parameter_count(model), settings.steps, settings.batch, lens.work, lens.kept)


def schedules(settings: Any) -> Iterator[TrainSettings]:
    """Yield the schedule of every training that settings say of, in their order."""
    if isinstance(settings, TrainSettings):
        yield settings
    elif isinstance(settings, Settings):
        for key in type(settings).model_fields:
            yield from schedules(getattr(settings, key))
    elif isinstance(settings, dict):
        for value in settings.values():
            yield from schedules(value)


def small(settings: Any, batch: int, steps: int | None = None) -> Any:
    """Return settings in which every training takes `batch` samples a step and writes nothing on its way.

    One that is to end after `steps` of them keeps its weights as often as it can: what follows may ask for them.
    """
    if isinstance(settings, TrainSettings):
        ended = {"steps": steps, "snapshots": min(steps, settings.snapshots)} if steps else {"snapshots": 0}
        return settings.model_copy(update={"batch": batch, "checkpoint_seconds": 1e9, **ended})
    if isinstance(settings, Settings):
        return settings.model_copy(
            update={key: small(getattr(settings, key), batch, steps) for key in type(settings).model_fields}
        )
    if isinstance(settings, dict):
        return {key: small(value, batch, steps) for key, value in settings.items()}
    return settings


@contextlib.contextmanager
def place(
    paper: str, experiment: str, level: str, alter: Callable[[Settings], Settings] = lambda settings: settings
) -> Iterator[Untrained]:
    """Give a context whose folders are thrown away, and in which models are there, untrained; `alter` changes their settings."""
    with tempfile.TemporaryDirectory() as folder:
        results, out = Path(folder), Path(folder) / "run"
        out.mkdir()
        yield Untrained(paper, experiment, level, 0, 0, results, out, torch.device("cpu"), alter=alter)
