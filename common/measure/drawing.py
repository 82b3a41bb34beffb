"""What the figures of several papers draw."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis

from common.measure.figures import RunFolder, Runs, plain_ticks


def datasets(runs: Runs, experiment: str) -> list[str]:
    """Return the data sets that an experiment ran on, each once."""
    return list(dict.fromkeys(run.info["dataset"] for run in runs.find(experiment)))


def rows_of(found: Sequence[RunFolder]) -> pd.DataFrame:
    """Return the rows of runs, those that were refused left out."""
    rows = pd.concat([run.metrics for run in found], ignore_index=True)
    return rows[rows.status == "ok"]


def dots(axis: Axes, values: Mapping[str, pd.Series], colour: Callable[[str], str], label: Callable[[str], str]) -> None:
    """Draw a line of dots for each name from the top down, one dot a replicate and their mean as a bar; none leaves it empty."""
    for height, (key, found) in enumerate(values.items()):
        axis.plot(found, np.full(len(found), height), "o", color=colour(key), markersize=5, alpha=0.6, markeredgewidth=0)
        if len(found):
            axis.plot([found.mean()] * 2, [height - 0.3, height + 0.3], color=colour(key), linewidth=2)
    axis.set_yticks(range(len(values)), [label(key) for key in values])
    axis.set_ylim(len(values) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)


def plain(axis: Axis, subs: Sequence[int] = (1, 2, 3, 5, 7)) -> None:
    """Label a logarithmic axis with plain numbers, none with more digits than it needs."""
    plain_ticks(axis, subs=subs)
    axis.set_major_formatter("{x:g}")
