"""`python -m replications count`: count the work of a level's runs, for the forecast.

A run of the smoke or laptop level is done once more from beginning to end, with the models that the workflow has left in
`--results`. Of the larger levels each training is started, with few samples a step and noise for data, and left soon.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from common.evaluation.rehearsal import BATCHES, Seen, observed, place, rehearsed_all
from common.evaluation.slice_table import limited
from common.learning.data.stand_ins import stand_ins
from common.learning.training.settings import TrainSettings
from common.measure.work import Work
from common.runs import settings as settings_of
from common.runs import workflow
from common.runs.experiment import Context, load
from replications.forecast.rows import COUNTED, REST, TRAINING, Row, merge
from replications.forecast.runs import Planned, planned
from replications.forecast.sizes import schedules

SECONDS, FEW = 600.0, 32  # of a run that is started; images or rows of its data


def count_all(options: argparse.Namespace) -> int:
    """Count run by run; return the exit status, 1 if some could not be counted."""
    torch.set_num_threads(1)
    failed, every = 0, list(planned(options.level, workflow.papers(), 1))
    chosen = [run for run in every if not options.only or any(part in "/".join(run.key) for part in options.only)]
    if not chosen:
        names = " ".join(options.only)
        print(f"error: --only {names}: no run of the {options.level} level has that in its name", file=sys.stderr)
        return 2
    for run in chosen:
        label = "/".join(run.key)
        begun = time.perf_counter()
        try:
            rows = whole(run, options.results) if run.level in COUNTED else started(run)
        except Exception as error:  # the others are counted all the same
            failed += 1
            print(f"error: {label}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            continue
        merge(options.level, rows)
        print(f"{label}: {len(rows)} rows in {time.perf_counter() - begun:.0f} s", flush=True)
    return int(failed > 0)


def whole(run: Planned, results: Path) -> list[Row]:
    """Do a run from beginning to end and return its rows: each training, and the rest."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        where = {"paper": run.paper, "experiment": run.experiment, "level": run.level, "seed": 0}
        context = Context(**where, base_seed=settings_of.base_seed(), results=results, out=out, device=torch.device("cpu"))
        trainings, rest, _ = observed(load(run.package, run.experiment).run, run.settings, context)
    return [*(_training(run, seen, seen.batch, seen.step, seen.kept) for seen in trainings), _rest(run, rest)]


def started(run: Planned) -> list[Row]:
    """Start a run's trainings with two small batches and return their rows, at the level's batches; none if it trains nothing.

    What differs between the two is a sample's, and the rest the weights'. Where a run needs too long from one training to the
    next, or more of the one before than a few steps have made, it ends with what was seen.
    """
    plans = schedules(run)
    small, large = ([] if not plans else seen(run, batch, len(plans)) for batch in BATCHES)
    return [_training(run, *_at_level(few, many, plan)) for few, many, plan in zip(small, large, plans)]


def seen(run: Planned, batch: int, most: int) -> list[Seen]:
    """Return the trainings of a run that were started with a batch. Raises what the run raises before its first one."""
    found: list[Seen] = []
    with stand_ins(FEW), place(run.paper, run.experiment, run.level) as context, limited(SECONDS):
        try:
            rehearsed_all(load(run.package, run.experiment).run, run.settings, context, batch, most, found)
        except Exception as error:
            if not found:
                raise
            print(f"note: {'/'.join(run.key)}: {len(found)} of {most} trainings: {error}", file=sys.stderr, flush=True)
    return found


def _at_level(few: Seen, many: Seen, plan: TrainSettings) -> tuple[Seen, int, Work, float]:
    low, high = BATCHES

    def at(small: float, large: float) -> float:
        return small + (large - small) * (plan.batch - low) / (high - low)

    step = Work(many.step.operations, at(few.step.flops, many.step.flops), at(few.step.moved, many.step.moved))
    return replace(few, steps=plan.steps), plan.batch, step, at(few.kept, many.kept)


def _training(run: Planned, seen: Seen, batch: int, step: Work, kept: float) -> Row:
    second = seen.work[0].flops or seen.work[0].operations
    growth = (seen.step.flops or seen.step.operations) / second if second else 1.0
    about = (TRAINING, seen.name, seen.parameters, seen.steps, batch)
    return Row(*run.key, *about, step.operations, step.flops, step.moved, kept, growth, run.mark)


def _rest(run: Planned, rest: Work) -> Row:
    return Row(*run.key, REST, "", 0, 0, 0, rest.operations, rest.flops, rest.moved, 0.0, 1.0, run.mark)
