"""From counted rows to a level's work, with rows and sizes that are known."""

from types import SimpleNamespace

import pytest

from common.errors import RetraceError
from common.learning.training.settings import TrainSettings
from common.measure.work import Size, Work
from replications.forecast import scaled
from replications.forecast.rows import REST, TRAINING, Row
from replications.forecast.runs import Planned

MODEL = ("common", "train", "cifar10-fm_ot")


def training(key, flops, *, operations=10.0, batch=4, name="", growth=1.0, parameters=100):
    return Row(*key, TRAINING, name, parameters, 50, batch, operations, flops, 2 * flops, 8.0 * batch, growth, "")


def rest(key, operations, flops):
    return Row(*key, REST, "", 0, 0, 0, operations, flops, 2 * flops, 0.0, 1.0, "")


@pytest.fixture
def world(monkeypatch):
    """A laptop run and a gpu run of one experiment, which take a model each; what is counted and their sizes can be set."""
    found = SimpleNamespace(
        tables={"laptop": [], "gpu": [], "smoke": [], "paper": []},
        sizes={"laptop": Size(1, 1), "gpu": Size(1, 1)},
        plans={"laptop": [], "gpu": []},
        low=Planned("replications.p", "e", {"data": "digits"}, "laptop", (0,), ("common", "train", "digits-fm_ot")),
        high=Planned("replications.p", "e", {"data": "cifar10"}, "gpu", (0, 1), MODEL),
    )

    def of(level, paper, experiment, variant=None):
        return [row for row in found.tables[level] if row[:2] == (paper, experiment) and variant in (None, row.variant)]

    monkeypatch.setattr(scaled.rows, "of", of)
    monkeypatch.setattr(scaled, "index", lambda level: {found.low.key: found.low} if level == "laptop" else {})
    monkeypatch.setattr(scaled, "size", lambda run: found.sizes[run.level])
    monkeypatch.setattr(scaled, "schedules", lambda run: found.plans[run.level])
    return found


def plan(steps, batch=4):
    return TrainSettings(steps=steps, batch=batch, learning_rate=0.1)


def test_a_counted_level_is_what_was_counted(world):
    world.tables["laptop"] = [
        training(world.low.key, 100.0, name="a"),
        training(world.low.key, 300.0, name="b"),
        rest(world.low.key, 7, 70),
    ]
    world.plans["laptop"] = [plan(10), plan(20)]
    found = scaled.forecast(world.low)
    assert found.steps == 30
    assert found.training == Work(10 * 30, 10 * 100 + 20 * 300, 2 * (10 * 100 + 20 * 300))
    assert found.rest == Work(7, 70, 140)
    assert found.scaled_from == ""
    # with other replicates it is the same run
    assert scaled.forecast(world.low._replace(seeds=(0, 1, 2))) == found


def test_the_rest_grows_with_calls_samples_and_the_cost_of_the_network(world):
    world.tables["laptop"] = [rest(world.low.key, 1000, 6000), training(("common", "train", "digits-fm_ot"), 120.0, batch=4)]
    world.tables["gpu"] = [training(MODEL, 4000.0, operations=30.0, batch=8)]
    world.sizes = {"laptop": Size(10, 100), "gpu": Size(20, 500)}
    found = scaled.forecast(world.high)
    # a sample costs 30 there and 500 here; a call 10 operations there and 30 here
    assert found.rest.operations == 1000 * 2 * 3
    assert found.rest.flops == pytest.approx(6000 * 5 * 500 / 30)
    assert found.rest.moved == pytest.approx(12000 * 5 * 1000 / 60)
    # 6000 flops are 600 evaluations of a third of 30
    assert found.evaluations == pytest.approx(600 * 5)
    assert found.scaled_from == "laptop"
    assert found.parameters == 100


def test_a_network_that_was_left_after_two_steps_is_taken_to_grow_as_the_lower_one_did(world):
    world.tables["laptop"] = [rest(world.low.key, 1000, 6000), training(("common", "train", "digits-fm_ot"), 120.0, growth=2.0)]
    world.tables["gpu"] = [training(MODEL, 120.0)]
    assert scaled.forecast(world.high).rest == Work(2000, 12000, 24000)
    assert scaled.forecast(world.low).rest == Work(1000, 6000, 12000)


def test_without_a_network_the_rest_grows_with_its_size_alone(world):
    world.low, world.high = world.low._replace(takes=None), world.high._replace(takes=None)
    world.tables["laptop"] = [rest(world.low.key, 1000, 6000)]
    world.sizes = {"laptop": Size(10, 100), "gpu": Size(20, 500)}
    assert scaled.forecast(world.high).rest == Work(2000, 30000, 60000)


def test_a_training_is_what_was_counted_at_its_level_times_its_growth_lower_down(world):
    world.tables["laptop"] = [training(world.low.key, 120.0, growth=1.5), rest(world.low.key, 0, 0)]
    world.tables["gpu"] = [training(world.high.key, 1000.0, operations=40.0)]
    world.plans["gpu"] = [plan(7)]
    assert scaled.forecast(world.high).training == Work(7 * 40 * 1.5, 7 * 1000 * 1.5, 7 * 2000 * 1.5)


def test_further_trainings_are_to_the_first_what_they_are_lower_down(world):
    world.tables["laptop"] = [
        training(world.low.key, 100.0, name="a"),
        training(world.low.key, 400.0, name="b", batch=8),
        rest(world.low.key, 0, 0),
    ]
    world.tables["gpu"] = [training(world.high.key, 1000.0, name="a")]
    world.plans["gpu"] = [plan(1), plan(10, batch=16)]
    # b: twice as dear for a sample, and four times the samples of a step
    assert scaled.forecast(world.high).training.flops == 1000 + 10 * 1000 * 2 * 4


def test_further_trainings_that_were_started_are_what_was_counted_of_them(world):
    world.tables["laptop"] = [
        training(world.low.key, 100.0, name="a"),
        training(world.low.key, 400.0, name="b", growth=1.5),
        rest(world.low.key, 0, 0),
    ]
    world.tables["gpu"] = [training(world.high.key, 1000.0, name="a"), training(world.high.key, 50.0, name="b", operations=7.0)]
    world.plans["gpu"] = [plan(1), plan(10, batch=8)]
    found = scaled.forecast(world.high).training
    assert found.flops == 1000 + 10 * 50 * 1.5 * 2
    assert found.operations == 10 + 10 * 7 * 1.5


def test_a_training_that_was_not_counted_is_an_error_that_says_how(world):
    world.tables["laptop"] = [rest(world.low.key, 0, 0)]
    world.plans["gpu"] = [plan(1)]
    with pytest.raises(RetraceError, match=r"p/e/cifar10: its training was not counted: .*count --level gpu --only p/e/cifar10"):
        scaled.forecast(world.high)


def test_an_experiment_that_was_never_counted_is_an_error_that_says_how(world):
    with pytest.raises(RetraceError, match=r"p/e/cifar10: was never counted: .*count --level laptop --only p/e"):
        scaled.forecast(world.high)


def test_the_lower_run_is_the_one_most_like_it(world, monkeypatch):
    one = world.low._replace(values={"data": "moons", "kind": "a"})
    two = world.low._replace(values={"data": "digits", "kind": "b"})
    monkeypatch.setattr(scaled, "index", lambda level: {each.key: each for each in (one, two)} if level == "laptop" else {})
    world.tables["laptop"] = [rest(one.key, 0, 0), rest(two.key, 0, 0)]
    assert scaled.below(world.high._replace(values={"data": "cifar10", "kind": "b"})) == two
    assert scaled.below(world.high._replace(values={"data": "moons", "kind": "c"})) == one


def test_the_larger_of_the_counted_levels_is_scaled_up_if_it_has_the_experiment(world, monkeypatch):
    smallest = world.low._replace(level="smoke")
    levels = {"smoke": smallest, "laptop": world.low}
    monkeypatch.setattr(scaled, "index", lambda level: {world.low.key: levels[level]})
    world.tables["smoke"] = [rest(world.low.key, 1, 1)]
    assert scaled.below(world.high) == smallest
    world.tables["laptop"] = [rest(world.low.key, 2, 2)]
    assert scaled.below(world.high) == world.low
    assert scaled.below(smallest) == smallest


def test_published_networks_are_scaled_from_the_learned_ones(world, monkeypatch):
    learned = Planned("replications.gotta_go_fast", "learned", {"data": "digits"}, "laptop")
    monkeypatch.setattr(scaled, "index", lambda level: {learned.key: learned})
    world.tables["laptop"] = [rest(learned.key, 0, 0)]
    published = Planned("replications.gotta_go_fast", "published", {"data": "cifar10"}, "paper")
    assert scaled.below(published) == learned


def test_what_takes_a_model_evaluates_it_whatever_it_trains_besides(world):
    """As classifiers of noisy images do, which guide a model's samples."""
    world.tables["laptop"] = [
        rest(world.low.key, 0, 6000),
        training(world.low.key, 12.0),
        training(("common", "train", "digits-fm_ot"), 120.0),
    ]
    world.tables["gpu"] = [training(world.high.key, 12.0, parameters=10), training(MODEL, 240.0)]
    world.plans["gpu"] = [plan(5)]
    found = scaled.forecast(world.high)
    assert found.rest.flops == 2 * 6000
    assert found.evaluations == pytest.approx(600)
    assert found.parameters == 100


def test_memory_is_that_of_the_largest_of_all_networks(world):
    world.tables["laptop"] = [rest(world.low.key, 0, 0)]
    small, large = training(world.high.key, 1.0, batch=4), training(world.high.key, 1.0, batch=64, parameters=7)
    world.tables["gpu"] = [small, large]
    world.plans["gpu"] = [plan(1), plan(1)]
    found = scaled.forecast(world.high._replace(takes=None))
    assert (found.parameters, found.kept) == (100, 8.0 * 64)


def test_the_rest_of_a_counted_level_is_as_it_was_counted(world):
    """Whatever the size of the run is."""
    model = training(("common", "train", "digits-fm_ot"), 120.0)
    world.tables["laptop"] = [rest(world.low.key, 7, 80), model]
    world.sizes = {"laptop": Size(3, 9), "gpu": Size(1, 1)}
    found = scaled.forecast(world.low)
    assert found.rest == Work(7, 80, 160)
    assert found.evaluations == pytest.approx(80 / 10)
