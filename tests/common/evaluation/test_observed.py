"""A run that is looked on at: its trainings' steps are counted apart from the rest, and a rehearsal leaves it after two."""

import pytest
import torch
from pydantic import Field
from torch import nn

from common.errors import RetraceError
from common.evaluation.rehearsal import observed, place, rehearsed, small
from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.measure.work import Work
from common.runs.folders import Outcome
from common.runs.settings import Settings as Base

WIDTH = 6


class Settings(Base):
    """Two trainings, one after the other, and something besides."""

    first: TrainSettings = TrainSettings(steps=20, batch=8, learning_rate=0.1)
    more: dict[str, TrainSettings] = Field(default={"second": TrainSettings(steps=2, batch=4, learning_rate=0.1)})


def run(settings, context):
    """Train both, then multiply two matrices."""
    for name, schedule in [("first", settings.first), *settings.more.items()]:
        model = nn.Linear(WIDTH, 1, bias=False)

        def loss(network, step, generator, schedule=schedule):
            return network(torch.ones(schedule.batch, WIDTH)).square().mean()

        train_run(context, model, loss, schedule, seed=0, of=settings, name=name)
    torch.ones(2, 3) @ torch.ones(3, 5)
    return Outcome([])


def test_trainings_are_counted_step_by_step_and_the_rest_apart():
    with place("paper", "experiment", "smoke") as context:
        (first, second), rest, outcome = observed(run, Settings(), context)
    assert (first.name, first.steps, first.batch, first.parameters) == ("first", 20, 8, WIDTH)
    assert (second.name, second.steps, second.batch) == ("second", 2, 4)
    assert len(first.work) == 5
    assert len(second.work) == 2
    # forth, and back to the weights alone: two products of a batch with the weights
    assert first.step.flops == 2 * (2 * 8 * WIDTH)
    assert second.step.flops == 2 * (2 * 4 * WIDTH)
    assert rest.flops == 2 * 2 * 3 * 5
    assert isinstance(outcome, Outcome)


def test_a_rehearsal_takes_a_few_samples_and_leaves_the_first_training_after_two_steps():
    with place("paper", "experiment", "smoke") as context:
        seen = rehearsed(run, Settings(), context, 2)
        assert not list(context.out.iterdir())
    assert (seen.name, seen.steps, seen.batch, len(seen.work)) == ("first", 20, 2, 1)
    assert seen.step.flops == 2 * (2 * 2 * WIDTH)


def test_what_is_kept_grows_with_the_batch():
    with place("paper", "experiment", "smoke") as context:
        two, four = (rehearsed(run, Settings(), context, batch).kept for batch in (2, 4))
    assert 0 < two < four


def test_a_run_that_trains_nothing_says_so():
    with place("paper", "experiment", "smoke") as context, pytest.raises(RetraceError, match="trains nothing"):
        rehearsed(lambda settings, context: Outcome([]), Settings(), context, 2)


def test_the_training_loop_is_put_back_whatever_happens():
    from common.learning.training import run as run_of

    real = run_of.train
    with place("paper", "experiment", "smoke") as context, pytest.raises(ZeroDivisionError):
        observed(lambda settings, context: 1 / 0, Settings(), context)
    assert run_of.train is real
    assert torch.ones(1).add(1) == 2  # and no tally is left entered


def test_every_training_of_the_settings_is_made_small():
    found = small(Settings(), 3)
    assert (found.first.batch, found.more["second"].batch) == (3, 3)
    assert found.first.steps == 20
    assert Settings().first.batch == 8


def test_a_step_is_the_mean_of_those_that_were_counted():
    with place("paper", "experiment", "smoke") as context:
        (first, _), _, _ = observed(run, Settings(), context)
    first.work = [Work(1, 2, 3), Work(3, 6, 5)]
    assert first.step == Work(2, 4, 4)
