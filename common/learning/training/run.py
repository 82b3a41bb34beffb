"""Train as part of a run: the state file, the fingerprint, the label and the snapshots follow from the run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from torch import nn

from common.errors import RetraceError
from common.learning.training.loop import Loss, Trained, train
from common.learning.training.settings import TrainSettings
from common.runs import distributed
from common.runs.experiment import Context, OnStep
from common.runs.folders import write_weights
from common.runs.settings import Settings, fingerprint

Model = TypeVar("Model", bound=nn.Module)


def snapshot_file(step: int, name: str = "", *, raw: bool = False) -> str:
    """Return where a run folder keeps the weights as they were after `step` steps: the averaged ones, or the raw ones."""
    return f"snapshots/{name}{'-' if name else ''}{step}{'-raw' if raw else ''}.safetensors"


def restored(model: Model, context: Context, step: int, name: str = "") -> Model:
    """Return the model in evaluation mode, with the averaged weights that a training of this run kept at a step."""
    from safetensors.torch import load_file

    model.load_state_dict(load_file(context.out / snapshot_file(step, name), device=str(context.device)))
    return model.eval()


def schedule_of(folder: Path) -> TrainSettings:
    """Return the schedule of a finished training. Raises `RetraceError`, saying what to do, if it kept no states."""
    settings = TrainSettings.model_validate(json.loads((folder / "run.json").read_text())["settings"]["train"])
    if not settings.snapshots:
        raise RetraceError(f"{folder}: this training kept no states; train it again with --set train.snapshots=10")
    return settings


def train_run(
    context: Context,
    model: nn.Module,
    loss: Loss,
    settings: TrainSettings,
    *,
    seed: int,
    of: Settings,
    name: str = "",
    kept: Callable[[nn.Module], nn.Module] = lambda model: model,
    shared: bool = False,
) -> Trained:
    """Train `model` and return the average of its weights, resuming this run's own training if it was broken off.

    `of` is the description of everything that the loss depends on, most simply the experiment's whole settings: another `of`,
    seed or schedule is another training, which neither resumes this one nor overwrites its state. `name` tells several trainings
    of a run apart. At `settings.snapshots` equally spaced steps the raw and the averaged weights of `kept(model)` are written
    beside the results.

    `settings.batch` is the whole batch: a `loss` that is `shared` is the mean over this process's share of it
    (`distributed.share`), so the gradient that the processes average is the whole batch's. Any other loss is for one process:
    several raise `RetraceError`.
    """
    if not shared and (world := distributed.world()) > 1:
        raise RetraceError(
            f"this training draws whole batches: {world} processes would train on {world} times train.batch = {settings.batch}; "
            "start one (--gpus 1, or without torchrun)"
        )
    mark = fingerprint(context.paper, context.experiment, name, seed, settings.model_dump(), of.model_dump())
    return train(
        model,
        loss,
        settings=settings,
        seed=seed,
        state_file=context.out / f"training-state{'-' if name else ''}{name}.pt",
        device=context.device,
        fingerprint=mark,
        label=" ".join(part for part in (context.experiment, context.out.parent.name, name, f"seed {context.seed}") if part),
        on_step=_in_turn(_keep_snapshots(settings, context.out, name, kept), context.on_step),
    )


def _in_turn(*watchers: OnStep | None) -> OnStep | None:
    """Return what calls those that there are, one after the other."""
    there = [watcher for watcher in watchers if watcher]

    def call(step: int, model: nn.Module, averaged: nn.Module) -> None:
        for watcher in there:
            watcher(step, model, averaged)

    return call if there else None


def _keep_snapshots(settings: TrainSettings, folder: Path, name: str, kept: Callable[[nn.Module], nn.Module]) -> OnStep | None:
    """Return what the training calls after a step to write the weights that are to be kept.

    They are written at once, so that they survive a kill; a resumed training writes the same bytes again.
    """
    steps = set(settings.snapshot_steps()) if distributed.rank() == 0 else set()

    def keep(step: int, model: nn.Module, averaged: nn.Module) -> None:
        if step in steps:
            write_weights(folder / snapshot_file(step, name), kept(averaged).state_dict())
            write_weights(folder / snapshot_file(step, name, raw=True), kept(model).state_dict())

    return keep if steps else None
