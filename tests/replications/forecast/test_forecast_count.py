"""What is counted of a run: all of it, or its trainings started with few samples a step, at the level's batch."""

import argparse
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from common.errors import RetraceError
from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.runs.folders import Outcome
from common.runs.settings import Settings as Base
from replications.forecast import count
from replications.forecast.count import started, whole
from replications.forecast.rows import REST, TRAINING, Row
from replications.forecast.runs import Planned
from replications.forecast.runs import planned as planned_of

WIDTH, HIDDEN = 6, 5
KEY = ("common", "fake", "one-two")
NOTHING = Path("nothing")


class Settings(Base):
    """Two trainings of networks that grow."""

    first: TrainSettings = TrainSettings(steps=20, batch=32, learning_rate=0.1)
    second: TrainSettings = TrainSettings(steps=9, batch=16, learning_rate=0.1)


def run(settings, context):
    """Train a small network and a larger one, and multiply two matrices after each."""
    for name, hidden in (("first", HIDDEN), ("second", 2 * HIDDEN)):
        schedule = getattr(settings, name)
        model = nn.Sequential(nn.Linear(WIDTH, hidden, bias=False), nn.Linear(hidden, 1, bias=False))

        def loss(network, step, generator, schedule=schedule):
            return network(torch.ones(schedule.batch, WIDTH)).square().mean()

        train_run(context, model, loss, schedule, seed=0, of=settings, name=name)
        torch.ones(2, 3) @ torch.ones(3, 5)
    return Outcome([])


@pytest.fixture
def fake(monkeypatch):
    """The run above at a level, or another one."""

    def given(level, run=run, settings=None):
        monkeypatch.setattr(count, "load", lambda package, experiment: SimpleNamespace(run=run))
        where = {"package": "common", "paper": "common", "experiment": "fake", "level": level}
        return SimpleNamespace(**where, key=KEY, settings=settings or Settings(), mark="mark")

    return given


def flops(batch, hidden):
    """Of a step: the first layer's product forth and back to its weights, the second's with that of its input besides."""
    return 2 * batch * (2 * WIDTH * hidden + 3 * hidden)


def test_a_whole_run_is_a_row_for_each_training_and_one_for_the_rest(fake):
    first, second, rest = whole(fake("smoke"), NOTHING)
    assert first[:8] == (*KEY, TRAINING, "first", WIDTH * HIDDEN + HIDDEN, 20, 32)
    assert second[:8] == (*KEY, TRAINING, "second", 2 * (WIDTH * HIDDEN + HIDDEN), 9, 16)
    assert (first.flops, second.flops) == (flops(32, HIDDEN), flops(16, 2 * HIDDEN))
    assert rest[:8] == (*KEY, REST, "", 0, 0, 0)
    assert rest.flops == 2 * (2 * 2 * 3 * 5)
    assert {row.growth for row in (first, second, rest)} == {1.0}
    assert {row.mark for row in (first, second, rest)} == {"mark"}
    assert rest.kept == 0 < second.kept


def test_what_is_started_is_extrapolated_to_the_batches_of_the_level(fake):
    run = fake("gpu")
    rows = started(run)
    assert [row[:5] for row in rows] == [(*KEY, TRAINING, "first"), (*KEY, TRAINING, "second")]
    assert [row.parameters for row in rows] == [WIDTH * HIDDEN + HIDDEN, 2 * (WIDTH * HIDDEN + HIDDEN)]
    assert [row.flops for row in rows] == [flops(32, HIDDEN), flops(16, 2 * HIDDEN)]
    # all of it is linear in the batch: what is counted at these batches is the same
    for place, batch in enumerate((32, 16)):
        there = count.seen(run, batch, 2)[place]
        assert (rows[place].batch, rows[place].work, rows[place].kept) == (batch, there.step, there.kept)
    assert {row.growth for row in rows} == {1.0}


def rougher(forward):
    """A run of one training whose loss asks its network once at the first step, and once more at every other."""

    def run(settings, context):
        class Asked(nn.Linear):
            def forward(self, x):
                return forward(self.weight, x)

        def loss(network, step, generator):
            return sum(network(torch.ones(1, 1)).sum() for _ in range(step + 1))

        train_run(context, Asked(1, 1, bias=False), loss, settings.first, seed=0, of=settings)
        return Outcome([])

    return run


def test_growth_is_the_mean_step_s_products_over_the_second_s(fake):
    row, _ = whole(fake("smoke", rougher(lambda weight, x: x @ weight)), NOTHING)
    assert row.growth == pytest.approx((2 + 5 + 10 + 15 + 20) / 5 / 2)
    (row,) = started(fake("gpu", rougher(lambda weight, x: x @ weight), Settings()))[:1]
    assert row.growth == 1


def test_without_products_growth_is_that_of_operations(fake):
    row, _ = whole(fake("smoke", rougher(lambda weight, x: x * weight)), NOTHING)
    assert row.flops == 0
    assert 2 < row.growth < 5


def test_what_was_seen_before_a_failure_is_kept(fake, capsys):
    class Three(Settings):
        third: TrainSettings = TrainSettings(steps=5, batch=8, learning_rate=0.1)

    def failing(settings, context):
        run(settings, context)
        raise ZeroDivisionError("there is no third one")

    rows = started(fake("gpu", failing, Three()))
    assert [row.name for row in rows] == ["first", "second"]
    assert "note: common/fake/one-two: 2 of 3 trainings: there is no third one" in capsys.readouterr().err


def test_a_failure_before_the_first_training_is_the_run_s(fake):
    def failing(settings, context):
        raise RetraceError("there is no data")

    with pytest.raises(RetraceError, match="there is no data"):
        started(fake("gpu", failing))


def test_a_run_without_a_training_is_not_started(fake):
    assert started(fake("gpu", lambda *_: 1 / 0, Base())) == []


def test_an_experiment_of_the_smoke_level_is_done():
    """Chains of 200 samples, seven times 10 levels of 10 steps."""
    (row,) = whole(Planned("replications.ncsn", "mixture", {}, "smoke"), NOTHING)
    assert row[:8] == ("ncsn", "mixture", "", REST, "", 0, 0, 0)
    assert row.operations > 7 * 10 * 10
    assert row.flops > 0 < row.moved


def test_all_trainings_of_an_experiment_of_the_gpu_level_are_started():
    run = Planned("replications.ncsn", "manifold", {"data": "fashion_mnist"}, "gpu")
    rows = started(run)
    assert [row.name for row in rows] == ["circle-clean", "circle-noised", "fashion_mnist-clean", "fashion_mnist-noised"]
    assert {row[:4] for row in rows} == {("ncsn", "manifold", "fashion_mnist", TRAINING)}
    assert {row.batch for row in rows} == {128}
    circle, image = rows[0], rows[2]
    # 768 inputs and as many outputs more than 16, of a layer with 512 units each, and the outputs' biases
    assert image.parameters - circle.parameters == 2 * 768 * 512 + 768
    # weights of four blocks of two layers are the most; each makes two products a sample, and four more on the way back
    assert 1 < circle.flops / (6 * 128 * circle.parameters) < 2.5
    assert {row.mark for row in rows} == {run.mark}


@pytest.fixture
def counting(monkeypatch):
    """All runs of one paper at a level; what is written of them, and how they are counted."""
    found = SimpleNamespace(written={}, how=[])
    monkeypatch.setattr(count, "planned", lambda level, papers, seeds: planned_of(level, ["gotta_go_fast"], seeds))
    monkeypatch.setattr(count, "merge", lambda level, rows: found.written.setdefault(level, []).extend(rows))

    def counted(how, run):
        found.how.append(how)
        if "ddpm_vp" in run.variant:
            raise RetraceError("there is no such model")
        return [Row(*run.key, REST, "", 0, 0, 0, 1.0, 2.0, 3.0, 0.0, 1.0, run.mark)]

    monkeypatch.setattr(count, "whole", lambda run, results: counted("whole", run))
    monkeypatch.setattr(count, "started", lambda run: counted("started", run))
    return found


def options(level, *only):
    return argparse.Namespace(level=level, only=list(only), results=NOTHING)


@pytest.mark.parametrize(("level", "how"), [("smoke", "whole"), ("laptop", "whole"), ("gpu", "started"), ("paper", "started")])
def test_small_levels_are_counted_whole_and_large_ones_started(counting, level, how):
    assert count.count_all(options(level, "gotta_go_fast/exact_toy")) == 0
    assert counting.how == [how]
    assert [row.experiment for row in counting.written[level]] == ["exact_toy"]


def test_what_cannot_be_counted_does_not_stop_the_others(counting, capsys):
    assert count.count_all(options("laptop")) == 1
    assert {row.variant for row in counting.written["laptop"]} == {"digits", "digits-score_ve", ""}
    assert "error: common/train/digits-ddpm_vp: RetraceError: there is no such model" in capsys.readouterr().err


def test_any_of_the_parts_that_are_asked_for_will_do(counting):
    assert count.count_all(options("laptop", "exact_toy", "score_ve")) == 0
    assert {row.experiment for row in counting.written["laptop"]} == {"exact_toy", "train"}


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("batch", [2, 4])
def test_a_training_that_fails_on_its_way_is_not_counted(fake, step, batch):

    def broken(settings, context):
        for name in ("first", "second"):
            schedule = getattr(settings, name)

            def loss(network, at, generator, name=name, schedule=schedule):
                value = network(torch.ones(schedule.batch, WIDTH)).square().mean()
                if (name, at, schedule.batch) == ("second", step, batch):
                    raise TimeoutError("took too long")
                return value

            train_run(context, nn.Linear(WIDTH, 1, bias=False), loss, schedule, seed=0, of=settings, name=name)

    assert [row.name for row in started(fake("gpu", broken))] == ["first"]


def test_a_name_that_fits_no_run_is_an_error(capsys):
    assert count.count_all(argparse.Namespace(level="gpu", only=["nscn"], results=NOTHING)) == 2
    assert "--only nscn: no run of the gpu level has that in its name" in capsys.readouterr().err
