"""What the walkthroughs share: a budget, holes and their checks, a small training, and pictures of points in the plane.

A walkthrough is `replications/<paper>/walkthrough.py`; `replications/notebooks.py` makes two notebooks of it.
"""

import contextlib
import io
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn, TypeVar

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Generator, Tensor, nn

from common.errors import RetraceError, SettingsError
from common.learning.training.loop import Trained, train
from common.learning.training.settings import TrainSettings
from common.measure.figures import BLUE, PALETTE, STYLE

BUDGET = "RETRACE_BUDGET"  # the environment variable: full (or not set), or small, which tests every line in seconds
Value = TypeVar("Value")


class TeachingError(RetraceError):
    """What a notebook says to a student: its message alone, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of the traceback."""
        return [str(self)]


class UnansweredError(TeachingError):
    """A hole that nobody has filled in was reached."""


class NotRightError(TeachingError):
    """An answer is not right yet."""


def budget(full: Value, small: Value) -> Value:
    """Return `full`, or `small` where RETRACE_BUDGET=small. Raises `SettingsError` for another budget."""
    chosen = os.environ.get(BUDGET, "full")
    if chosen not in ("full", "small"):
        raise SettingsError(f"{BUDGET}={chosen}: no such budget; choose full or small")
    return full if chosen == "full" else small


def hole(hint: str) -> NoReturn:
    """Stand where an answer is missing."""
    raise UnansweredError(f"Here is a hole: {hint}. Write your answer in place of hole(...) and run this cell again.")


def check(what: str, answer: Any, wanted: Any, *, within: float = 1e-5, hint: str = "") -> None:
    """Say that `what` is right if the numbers of `answer` are those of `wanted`, each to `within`.

    Raises `NotRightError`, with the hint, if they are not.
    """
    found, right = _numbers(what, answer), _numbers(what, wanted)
    if found.shape != right.shape:
        problem = f"its shape is {list(found.shape)} and should be {list(right.shape)}"
    elif not (error := float((found - right).abs().max())) <= within:  # nan is not right either
        problem = f"it is off by up to {error:.3g}"
    else:
        print(f"✓ Right: {what}.")
        return
    raise NotRightError(f"✗ Not yet: {what}? {problem.capitalize()}. {hint}".rstrip())


def _numbers(what: str, value: Any) -> Float[Tensor, "..."]:
    try:
        return torch.as_tensor(value).detach().double()
    except (TypeError, ValueError, RuntimeError):
        raise NotRightError(f"✗ Not yet: {what}? It should be numbers, and is a {type(value).__name__}.") from None


def fit(
    model: nn.Module,
    loss: Callable[[nn.Module, Generator], Tensor],
    *,
    steps: int,
    rate: float = 0.005,
    seed: int = 0,
    average: float = 0.999,
) -> Trained:
    """Train with the suite's own loop (Adam, warm-up, linear decay, averaged weights); print what it took.

    `loss(model, generator)` is a scalar and draws its batch by itself. The averaged network is `.model` of what is returned, the
    loss curve is `.loss_steps` and `.losses`.
    """
    # of the batch nothing depends: the loss draws its own
    settings = TrainSettings(
        steps=steps, batch=1, learning_rate=rate, warmup_steps=steps // 15, schedule="linear", clip_norm=1.0, ema_decay=average
    )
    with TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        trained = train(
            model,
            lambda network, step, generator: loss(network, generator),
            settings=settings,
            seed=seed,
            state_file=Path(folder) / "state.pt",
            device=torch.device("cpu"),
            fingerprint="walkthrough",
        )
    print(f"{steps} steps in {trained.seconds:.1f} s; loss {trained.losses[0]:.3f} at first, {trained.losses[-1]:.3f} at the end")
    return trained


def panels(columns: int, *, rows: int = 1, width: float = 2.6, height: float = 2.6) -> np.ndarray:
    """Return the axes [columns], or [rows, columns], of a new figure in the report's style; sizes in inches of one panel."""
    plt.rcParams.update(STYLE)
    axes = plt.subplots(rows, columns, figsize=(columns * width, rows * height), squeeze=False)[1]
    return axes[0] if rows == 1 else axes


def scatter(axis: Axes, points: Float[Tensor, "n 2"], title: str, *, colour: str = BLUE, extent: float = 4.5) -> None:
    """Draw points in the square [-extent, extent]^2, with equal scales and the axes named."""
    axis.plot(*points.detach().double().T, ".", color=colour, markersize=1.5, alpha=0.6)
    plane(axis, title, extent=extent)


def plane(axis: Axes, title: str, *, extent: float = 4.5) -> None:
    """Make an axis the square [-extent, extent]^2 with equal scales, its axes named."""
    side, end = (-extent, extent), math.floor(extent)
    axis.set(title=title, xlabel="$x_1$", ylabel="$x_2$", xlim=side, ylim=side, aspect="equal")
    axis.set(xticks=(-end, 0, end), yticks=(-end, 0, end))


def arrows(
    axis: Axes,
    field: Callable[[Float[Tensor, "n 2"]], Float[Tensor, "n 2"]],
    title: str,
    *,
    colour: str = BLUE,
    extent: float = 4.5,
    count: int = 15,
) -> None:
    """Draw a vector field, as float64 points see it, at count x count places of the square; lengths are relative."""
    side = torch.linspace(-extent, extent, count + 2, dtype=torch.float64)[1:-1]
    places = torch.cartesian_prod(side, side)
    axis.quiver(*places.T, *field(places).detach().T, color=colour, angles="xy", width=0.005)
    plane(axis, title, extent=extent)


def losses(axis: Axes, title: str, trainings: Mapping[str, Trained]) -> None:
    """Draw the loss curves of trainings, by name, in the palette's order."""
    for (name, training), colour in zip(trainings.items(), PALETTE):
        axis.plot(training.loss_steps, training.losses, color=colour, label=name)
    axis.set(xlabel="training step", ylabel="loss", title=title)
    axis.legend()
