"""Figures of the tables: by how much FFJORD's likelihood is better, and whether the trainings had come to their end (Table 2)."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from common.measure.drawing import datasets, dots, rows_of
from common.measure.figure_data import measured, stacked
from common.measure.figures import BLACK, Figure, RunFolder, Runs, mean_and_range
from replications.ffjord.drawing import panels
from replications.ffjord.names import name, shade

FLOWS = ("ffjord", "real_nvp", "glow", "maf")
RIVALS = (*FLOWS[1:], "gaussian")
COLUMNS = 3  # panels side by side


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    if runs.find("tables"):
        yield partial(table_leads, runs)
        yield partial(validation, runs)


def table_leads(runs: Runs) -> Figure:
    """Test NLL of every rival less FFJORD's, table by table (Table 2)."""
    found, tables = runs.find("tables"), datasets(runs, "tables")
    rows = rows_of(found)
    rows = rows[rows.metric == "nll_minus_ffjord"]
    figure, axes = panels(len(tables), 2.1, _per_line(tables), sharey=True)
    for place, (axis, table) in enumerate(zip(axes, tables)):
        mine = rows[rows.dataset == table]
        dots(axis, {method: mine[mine.method == method].value for method in RIVALS}, shade, name)
        axis.axvline(0, color=BLACK, linestyle="--", linewidth=1)
        axis.margins(x=0.08)
        axis.set(title=table, xlabel="NLL above FFJORD's, nats")
        axis.tick_params(labelleft=place % COLUMNS == 0)
    return Figure(
        "table-leads",
        "By how much FFJORD's likelihood of a table is better",
        "Cf. Table 2. Mean negative log-likelihood of the same test rows under each rival less that under FFJORD, in nats: to "
        "the right of the dashed line FFJORD is better. A dot for each replicate and a bar at their mean.",
        "Dots by method around a line at zero, one panel for each table.",
        figure,
        runs=found,
        data=measured(rows, "nll_minus_ffjord"),
    )


def validation(runs: Runs) -> Figure:
    """Validation NLL of the states kept in training, table by table (Section 4.2)."""
    found, tables = runs.find("tables"), datasets(runs, "tables")
    figure, axes = panels(len(tables), 2.9, _per_line(tables))
    parts = {}
    for axis, table in zip(axes, tables):
        mine = [run for run in found if run.info["dataset"] == table and "validation_ffjord" in run.arrays]
        for method in FLOWS:
            curves = {run.info["seed"]: curve(run, method) for run in mine if f"validation_{method}" in run.arrays}
            parts |= {(table, method, seed): (line.index.to_numpy(), line.to_numpy()) for seed, line in curves.items()}
            if curves:
                _with_best(axis, pd.DataFrame(curves), shade(method), name(method))
        axis.axhline(0, color=BLACK, linestyle="--", linewidth=1)
        _without_first(axis)
        axis.set(title=table, xlabel="share of the training", ylabel="NLL above FFJORD's least, nats", xlim=(0, 1.03))
    _shared_legend(figure, axes)
    return Figure(
        "validation",
        "Had the trainings come to their end?",
        "Cf. Section 4.2. Negative log-likelihood of the validation rows under the states that each training kept, less that of "
        "FFJORD's best state in the same replicate, in nats; FFJORD's trace is estimated. Mean over replicates and, as a band, "
        "their range; a first state may lie above the frame. A ring is at the least mean: where it is not at the end, a flow had "
        "stopped improving. What is tested is each replicate's best state.",
        "Curves that fall with the share of the training, one for each flow and with its least value ringed, in a panel for each "
        "table.",
        figure,
        runs=found,
        data=stacked(parts, ("dataset", "method", "seed"), ("share of the training", "NLL above FFJORD's least")),
    )


def curve(run: RunFolder, method: str) -> pd.Series:
    """Return the validation NLL of a method's kept states less the least of FFJORD's, by their share of the training.

    Replicates have rows of their own, whose NLLs differ by more than those of the methods.
    """
    steps = run.arrays[f"validation_step_{method}"]
    return pd.Series(run.arrays[f"validation_{method}"] - run.arrays["validation_ffjord"].min(), index=steps / steps[-1])


def _without_first(axis: Axes) -> None:
    """Leave a first state that is worse than all else by far above the frame."""
    curves = [line.get_ydata() for line in axis.lines if len(line.get_ydata()) > 2]
    later = np.concatenate([curve[1:] for curve in curves]) if curves else np.zeros(0)
    if len(later) and axis.get_ylim()[1] > later.max() + 2 * np.ptp(later):
        axis.set_ylim(later.min() - 0.2 * np.ptp(later), later.max() + 0.6 * np.ptp(later))


def _with_best(axis: Axes, curves: pd.DataFrame, colour: str, label: str) -> None:
    """Draw the mean and the range of curves, and a ring at the mean's least value."""
    mean_and_range(axis, curves, colour, label)
    mean = curves.mean(axis=1)
    axis.plot(mean.idxmin(), mean.min(), "o", color=colour, markersize=8, markerfacecolor="none", clip_on=False)


def _per_line(tables: list[str]) -> int:
    """Return how many panels a line has room for: two take the page between them."""
    return 2 if len(tables) == 2 else COLUMNS


def _shared_legend(figure: Drawing, axes: list[Axes]) -> None:
    """Name every line once, below all panels."""
    found = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels())}
    figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=len(found) or 1)
