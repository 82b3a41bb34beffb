"""Progress: one live line on a terminal, ten lines in a log file."""

import sys
import time

from tqdm import tqdm


class Progress:
    """Show step, loss, speed and time left: live where stderr is a terminal, else as ten lines per run."""

    def __init__(self, label: str, first: int, steps: int, *, quiet: bool = False) -> None:
        self.label, self.first, self.steps, self.begin = label, first, steps, time.perf_counter()
        self.live = sys.stderr.isatty() and not quiet
        self.bar = tqdm(total=steps, initial=first, desc=label, unit="it", disable=not self.live, leave=False)
        self.quiet, self.lines_said = quiet, first * 10 // steps

    def step(self) -> None:
        """Count one step; moves the live line only."""
        if self.live:
            self.bar.update()

    def record(self, done: int, loss: float) -> None:
        """Say the mean loss of the steps up to `done`."""
        if self.live:
            self.bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
        tenth = done * 10 // self.steps
        if not self.live and tenth > self.lines_said:
            self.lines_said = tenth
            speed = (done - self.first) / (time.perf_counter() - self.begin)
            left = (self.steps - done) / speed
            self.say(f"step {done}/{self.steps}  loss {loss:.4g}  {speed:.3g} it/s  {left:.0f} s left")

    def say(self, message: str) -> None:
        """Print a line of its own, at once even into a file."""
        if not self.quiet:
            self.bar.write(f"{self.label}  {message}", file=sys.stdout)
            sys.stdout.flush()

    def close(self) -> None:
        """Remove the live line."""
        self.bar.close()
