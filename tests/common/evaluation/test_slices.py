"""Slices of training: what is counted and timed, with the settings of the arm, and that nothing stays behind."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import _get_current_dispatch_mode

from common.errors import RetraceError
from common.evaluation import step_watch
from common.evaluation.arms import ARMS, tf32
from common.evaluation.slices import Slice, described, measured
from common.evaluation.step_watch import LEAST, WARM_UP, Enough, Watch
from common.learning.training.run import train_run

CPU = torch.device("cpu")
SHARED = Slice("shared", "digits", "smoke", "common", "train", ("objective=fm_ot",))


class Small(nn.Module):
    """A convolution of 1 to 3 channels that keeps 8x8 pixels, and a linear layer to 5 numbers."""

    def __init__(self):
        super().__init__()
        self.convolution, self.linear = nn.Conv2d(1, 3, 3, padding=1), nn.Linear(3 * 64, 5)

    def forward(self, x):
        return self.linear(self.convolution(x).flatten(1))


def training(seen=None, fail=None):
    """Return a training of the small network, which says what it was given and may fail in a step."""

    def train(settings, context):
        def loss(network, step, generator):
            if step == fail:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return network(torch.ones(settings.train.batch, 1, 8, 8)).square().mean()

        if seen is not None:
            seen.append((settings, torch.backends.cudnn.allow_tf32))
        train_run(context, Small(), loss, settings.train, seed=0, of=settings)

    return train


def small(**more):
    given = {"model": "small", "train": training(), "forward": lambda model, x, settings: model(x)}
    return SHARED._replace(**{**given, **more})


@pytest.mark.parametrize("arm", ["fp32", "bf16"])
def test_operations_are_those_of_the_second_step_forwards_and_backwards(arm):
    row = measured(small(), arm, CPU, seconds=0.01, batch=4)
    convolution, linear = 2 * 64 * 9 * 3, 2 * (3 * 64) * 5
    # the first layer has no gradient to its input
    assert row["flops_per_image"] == 2 * convolution + 3 * linear
    assert row["parameters"] == (9 + 1) * 3 + (3 * 64 + 1) * 5


def test_the_products_own_training_is_timed():
    row = measured(SHARED, "fp32", CPU, seconds=0.05)
    batch = SHARED.settings().train.batch
    assert row["images_per_second"] == batch / row["step_seconds"]
    assert row["steps"] >= LEAST and 0 < row["step_seconds"] < 0.5 and row["step_spread"] >= 0
    assert row["forward_images_per_second"] > row["images_per_second"]
    assert row["peak_memory_bytes"] is None and row["tf32"] == "none" and row["start_seconds"] > 0


def test_an_arm_is_settings_of_the_training():
    for name, arm in ARMS.items():
        settings = SHARED.settings(*arm.overrides()).train
        assert (settings.precision, settings.channels_last, settings.compile) == arm[:3], name
    seen = []
    measured(small(train=training(seen)), "bf16_channels_last", CPU, seconds=0.01, batch=3)
    [(settings, _)] = seen
    assert (settings.train.precision, settings.train.channels_last, settings.train.batch) == ("bf16", True, 3)


def test_tf32_is_off_where_the_arm_says_so_and_as_before_afterwards():
    seen, before = [], torch.backends.cudnn.allow_tf32
    for arm in ("fp32", "fp32_no_tf32"):
        measured(small(train=training(seen)), arm, CPU, seconds=0.01)
    assert [on for _, on in seen] == [before, False]
    assert torch.backends.cudnn.allow_tf32 == before
    with pytest.raises(ZeroDivisionError), tf32(allowed=False):
        raise ZeroDivisionError
    assert torch.backends.cudnn.allow_tf32 == before


def test_a_row_says_whether_it_is_as_the_level_trains():
    assert described(SHARED, "fp32", CPU)["level_settings"]
    assert not described(SHARED, "bf16", CPU)["level_settings"]
    assert not described(SHARED, "fp32_no_tf32", CPU)["level_settings"]
    assert not described(SHARED, "fp32", CPU, batch=1)["level_settings"]
    cifar = SHARED._replace(level="gpu", data="cifar10")
    assert described(cifar, "bf16", CPU)["level_settings"]
    assert described(cifar, "bf16", CPU)["shape"] == "3x32x32"


def test_the_count_ends_where_the_counted_step_fails():
    with pytest.raises(torch.OutOfMemoryError):
        measured(small(train=training(fail=1)), "fp32", CPU, seconds=0.01)
    assert _get_current_dispatch_mode() is None


def test_what_is_not_compiled_is_no_compiled_training(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda network: network)
    with pytest.raises(RetraceError, match="found nothing to compile"):
        measured(small(), "fp32_compiled", CPU, seconds=0.01)


def test_a_training_that_ends_by_itself_is_no_slice():
    with pytest.raises(RetraceError, match="ended before"):
        measured(small(train=lambda settings, context: None), "fp32", CPU, seconds=0.01)


def test_a_model_without_a_use_in_this_precision_says_why():
    def broken(model, x, settings):
        raise RuntimeError("mat1 and mat2 must have the same dtype")

    row = measured(small(forward=broken), "bf16", CPU, seconds=0.01)
    assert "forward_images_per_second" not in row and "same dtype" in row["message"] and row["step_seconds"] > 0


class Made:
    """A clock that is moved by hand."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


def watched_steps(monkeypatch, seconds, lengths, most=1000):
    """Return a watch that saw steps of these lengths (the last one again and again), and the steps until it had enough."""
    made, model = Made(), nn.Linear(1, 1)
    monkeypatch.setattr(step_watch, "time", made)
    watch = Watch(CPU, seconds, counts=False)
    with pytest.raises(Enough):
        for step in range(1, most):
            made.now += lengths[min(step, len(lengths)) - 1]
            watch(step, model, model)
    assert watch.model is model
    return watch, step


def test_the_warm_up_is_not_timed(monkeypatch):
    watch, _ = watched_steps(monkeypatch, 8.0, [50.0, *[2.0] * (WARM_UP - 1), 1.0])
    assert watch.start_seconds == 50 and watch.clock.seconds() == [1.0] * 8


def test_the_warm_up_takes_a_share_of_the_seconds_and_slow_steps_are_timed_too(monkeypatch):
    # two steps to start with, a quarter of 80 s, 80 s
    assert watched_steps(monkeypatch, 80.0, [1.0])[1] == 2 + 20 + 80
    watch, steps = watched_steps(monkeypatch, 1.0, [100.0])
    assert steps == WARM_UP + LEAST and watch.clock.seconds() == [100.0] * LEAST
