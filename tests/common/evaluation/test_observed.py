"""A run that is looked on at: its trainings' steps are counted apart from the rest, and a rehearsal leaves it after two."""

import pytest
import torch
from pydantic import Field
from torch import nn

from common.errors import RetraceError
from common.evaluation.rehearsal import observed, place, rehearsed, rehearsed_all, schedules, small
from common.learning.training.run import restored, train_run
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


def kept(steps, snapshots):
    """A schedule that keeps its weights."""
    return TrainSettings(steps=steps, batch=4, learning_rate=0.1, snapshots=snapshots)


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
    assert (seen.name, seen.batch, len(seen.work)) == ("first", 2, 1)
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
    # nothing is written on the way
    assert found.first.checkpoint_seconds > 1e6
    assert small(Settings(first=kept(20, 5)), 3).first.snapshots == 0
    assert Settings().first.batch == 8


def test_trainings_that_end_early_keep_their_weights_as_often_as_they_can():
    ended = small(Settings(first=kept(20, 5), more={"second": kept(20, 1)}), 3, steps=2)
    assert (ended.first.steps, ended.first.snapshot_steps()) == (2, [1, 2])
    assert ended.more["second"].snapshot_steps() == [2]
    assert small(Settings(), 3, steps=2).first.snapshot_steps() == []


def test_schedules_come_in_the_order_of_the_settings():
    more = {"second": kept(2, 0), "third": kept(3, 0)}
    assert [schedule.steps for schedule in schedules(Settings(more=more))] == [20, 2, 3]
    assert not list(schedules(Base()))


def test_a_step_is_the_mean_of_those_that_were_counted():
    with place("paper", "experiment", "smoke") as context:
        (first, _), _, _ = observed(run, Settings(), context)
    first.work = [Work(1, 2, 3), Work(3, 6, 5)]
    assert first.step == Work(2, 4, 4)


def longer_and_longer(settings, context):
    """A training whose first step takes one product, the next one two, and so on."""

    def loss(network, step, generator):
        return sum(network(torch.ones(1, 1)).sum() for _ in range(step + 1))

    train_run(context, nn.Linear(1, 1, bias=False), loss, settings.first, seed=0, of=settings)


def test_the_second_step_is_counted_and_then_four_over_the_whole_training():
    with place("paper", "experiment", "smoke") as context:
        ((seen,), _, _) = observed(longer_and_longer, Settings(), context)
    assert [work.flops / 4 for work in seen.work] == [2, 5, 10, 15, 20]
    with place("paper", "experiment", "smoke") as context:
        assert rehearsed(longer_and_longer, Settings(), context, 8).step.flops / 4 == 2


def test_what_is_kept_is_that_of_the_largest_step():
    def grows_and_shrinks(settings, context):
        def loss(network, step, generator):
            return network(torch.ones(30 if step == 9 else 1, WIDTH)).square().mean()

        train_run(context, nn.Linear(WIDTH, 1, bias=False), loss, settings.first, seed=0, of=settings)

    with place("paper", "experiment", "smoke") as context:
        ((seen,), _, _) = observed(grows_and_shrinks, Settings(), context)
    # inputs and outputs of the tenth step's thirty samples
    assert seen.kept == 4 * 30 * (WIDTH + 1)


@pytest.mark.parametrize("most", [1, 2])
def test_trainings_are_started_one_after_the_other_and_the_run_is_left_with_the_last(most):
    found, went_on = [], []

    def followed(settings, context):
        """Take weights that the first training has kept for what comes after it."""
        longer_and_longer(settings, context)
        assert restored(nn.Linear(1, 1, bias=False), context, settings.first.snapshot_near(0.5)).weight.isfinite().all()
        run(settings, context)
        went_on.append(True)

    with place("paper", "experiment", "smoke") as context:
        rehearsed_all(followed, Settings(first=kept(20, 5)), context, 3, most, found)
    assert [(seen.name, seen.batch, len(seen.work)) for seen in found] == [("", 3, 1), ("first", 3, 1)][:most]
    assert not went_on


def test_a_run_of_fewer_trainings_than_expected_ends_as_it_does():
    found = []
    with place("paper", "experiment", "smoke") as context:
        rehearsed_all(run, Settings(), context, 3, 5, found)
    assert [seen.name for seen in found] == ["first", "second"]


def test_what_fails_between_trainings_is_raised_and_what_was_seen_stays():
    found = []

    def failing(settings, context):
        longer_and_longer(settings, context)
        raise ZeroDivisionError

    with place("paper", "experiment", "smoke") as context, pytest.raises(ZeroDivisionError):
        rehearsed_all(failing, Settings(), context, 3, 2, found)
    assert len(found) == 1
