"""Progress: one live line on a terminal, ten lines in a log file."""

import sys
import time

from tqdm import tqdm


class Progress:
    """Show step, loss, speed and time left; quiet inside a terminal's pipe but for ten lines per run."""

    def __init__(self, label: str, first: int, steps: int) -> None:
        self.label, self.first, self.steps, self.begin = label, first, steps, time.perf_counter()
        self.live = sys.stderr.isatty()
        self.bar = tqdm(total=steps, initial=first, desc=label, unit="it", disable=not self.live, leave=False)
        self.lines_said = first * 10 // steps

    def update(self, done: int, loss: float) -> None:
        """Say that `done` steps are done."""
        self.bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
        self.bar.update(done - self.bar.n)
        tenth = done * 10 // self.steps
        if not self.live and tenth > self.lines_said:
            self.lines_said = tenth
            speed = (done - self.first) / (time.perf_counter() - self.begin)
            left = (self.steps - done) / speed
            print(f"{self.label}  step {done}/{self.steps}  loss {loss:.4g}  {speed:.0f} it/s  {left:.0f} s left", flush=True)

    def close(self) -> None:
        """Remove the live line."""
        self.bar.close()
