"""Look on at a training and time its steps: on the device's own clock, so that no step waits to be timed."""

import time

import torch
from torch import nn

from common.measure.work import Tally

# before the first step that counts: memory is taken, convolutions are chosen, networks are compiled, clocks go up
WARM_UP, WARM_UP_SHARE = 5, 0.25  # steps at the least, and share of the seconds
LEAST = 3  # steps that are timed, however long they take


class Enough(Exception):
    """Leaves a training whose steps have been timed."""


class Clock:
    """Moments: CUDA events where there is a GPU, which is not made to wait for them, and else the wall clock."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.moments = device, []

    def mark(self) -> None:
        """Note this moment: on a GPU, when it gets here."""
        if self.device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)
            event.record(torch.cuda.current_stream(self.device))
            self.moments.append(event)
        else:
            self.moments.append(time.perf_counter())

    def seconds(self) -> list[float]:
        """Return the seconds between one moment and the next."""
        wait(self.device)
        pairs = list(zip(self.moments, self.moments[1:]))
        if self.device.type == "cuda":
            return [first.elapsed_time(second) / 1000 for first, second in pairs]
        return [second - first for first, second in pairs]


def wait(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Watch:
    """A run's `on_step`: lets a training warm up, times its steps for some seconds, and leaves it by raising `Enough`.

    start_seconds: from here to the end of the first step: network, data and, where it is compiled, the compiler. operations: of
    the second step, if they are counted (a compiled network's cannot be). clock: of the steps after the warm-up. peak_memory:
    the most bytes in use on a GPU during these. model: the averaged one.
    """

    def __init__(self, device: torch.device, seconds: float, *, counts: bool) -> None:
        self.device, self.enough, self.clock = device, seconds, Clock(device)
        self.start_seconds, self.operations, self.peak_memory = float("nan"), None, None
        self.model: nn.Module | None = None
        self._counter, self._counting, self._begun = Tally() if counts else None, False, time.perf_counter()

    def __call__(self, step: int, model: nn.Module, averaged: nn.Module) -> None:
        """Look on after a step."""
        if step == 1:
            wait(self.device)
            self.start_seconds = time.perf_counter() - self._begun
            self._count()
        if step == 2:
            self.stop_counting()
            self._begun = time.perf_counter()
        passed = time.perf_counter() - self._begun
        if self.clock.moments:
            self.clock.mark()
            if len(self.clock.moments) > LEAST and passed >= self.enough:
                self._end(averaged)
        elif step >= WARM_UP and passed >= WARM_UP_SHARE * self.enough:
            self._begin()

    def _begin(self) -> None:
        wait(self.device)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        self._begun = time.perf_counter()
        self.clock.mark()

    def _end(self, averaged: nn.Module) -> None:
        wait(self.device)
        if self.device.type == "cuda":
            self.peak_memory = torch.cuda.max_memory_allocated(self.device)
        self.model = averaged
        raise Enough

    def _count(self) -> None:
        if self._counter is not None:
            self._counter.__enter__()
            self._counting = True

    def stop_counting(self) -> None:
        """End the count, also where the step failed that it was in."""
        if self._counting:
            self._counting = False
            self._counter.__exit__(None, None, None)
            self.operations = self._counter.total.flops
