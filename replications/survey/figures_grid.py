"""The grid of the comparison: every sampler on every objective at one budget, and which of them cannot run."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import NullLocator

from common.measure.drawing import datasets, plain
from common.measure.figure_data import measured
from common.measure.figures import Figure, RunFolder, Runs, Tip
from replications.ffjord.drawing import WIDTH
from replications.survey import drawing
from replications.survey.figures_quality import COMPARED, Compared
from replications.survey.fronts import cells_of, within
from replications.survey.names import name

BUDGET = 20  # evaluations, where most samplers have left their coarsest and none has all that it wants
REFUSED, BEYOND = "✕", "–"


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for experiment in COMPARED:
        for dataset in datasets(runs, experiment):
            yield partial(grid, drawing.with_own(runs, experiment, dataset=dataset), experiment, dataset)


def budget_of(rows: pd.DataFrame) -> float:
    """Return the largest budget of the rows up to BUDGET, or the least."""
    asked = sorted(set(rows["at"][rows.axis == "nfe"]))
    return max((each for each in asked if each <= BUDGET), default=asked[0] if asked else BUDGET)


def grid(found: list[RunFolder], experiment: str, dataset: str) -> Figure:
    """The measure of every sampler (across) on every objective (down) within a budget."""
    what, rows = COMPARED[experiment], drawing.all_rows(found)
    budget, models = budget_of(rows), drawing.variants(rows)
    cells = cells_of(rows, what.metric)
    samplers = list(drawing.samplers_of(rows[(rows.method != "data") & (rows.metric == what.metric)]))
    mean = within(cells, budget).pivot_table(index="variant", columns="method", values="value")
    mean = mean.reindex(index=models, columns=samplers)
    figure, axis = plt.subplots(figsize=(WIDTH, 1.6 + 0.3 * len(models)))
    floor = cells.floor.mean()
    high = max(min(float(np.nanmax(mean, initial=floor)), 20 * floor), 1.5 * floor)
    norm = LogNorm(min(float(np.nanmin(mean, initial=floor)), floor), high, clip=True)
    image = axis.imshow(np.ma.masked_invalid(mean.to_numpy(float)), cmap="cividis", norm=norm, aspect="auto")
    bar = figure.colorbar(image, ax=axis, pad=0.01, extend="max")
    bar.set_label(what.label)
    plain(bar.ax.yaxis, (1, 2, 5))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    tips = written(axis, mean, rows, budget, what, norm)
    axis.set_xticks(range(len(samplers)), [name(each) for each in samplers], rotation=38, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(models)), [name(each) for each in models])
    axis.grid(False)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return Figure(
        f"{what.of}grid-{dataset}",
        f"Objective x sampler at {budget:g} evaluations: {dataset}",
        f"{what.said[0].upper()}{what.said[1:]}, means over replicates; data read {floor:.3g}. Of every sampler the cell of most "
        f"evaluations up to {budget:g} that it was given, of an adaptive one by what it took. {REFUSED}: cannot run on that "
        f"model, for the reason in the table of refusals; {BEYOND}: took more evaluations at every tolerance. Dark is near data.",
        "A coloured grid of numbers, objectives down and samplers across; some cells hold a cross.",
        figure,
        runs=found,
        data=measured(within(cells, budget), what.metric),
        photographic=True,  # a dark page would turn near into far
        tips=tips,
    )


def written(axis: Axes, mean: pd.DataFrame, rows: pd.DataFrame, budget: float, what: Compared, norm: LogNorm) -> list[Tip]:
    """Write every cell's number, or why it has none; return what the cells say."""
    tips = []
    for down, model in enumerate(mean.index):
        for across, method in enumerate(mean.columns):
            value, cell = mean.iloc[down, across], f"{name(model)} by {name(method)}"
            reason = "" if np.isfinite(value) else why_not(rows, model, method, budget)
            text = f"{value:.3g}" if np.isfinite(value) and value < 1000 else ">999" if np.isfinite(value) else REFUSED
            text = BEYOND if text == REFUSED and not reason else text
            light = np.isfinite(value) and norm(value) < 0.5
            axis.text(across, down, text, ha="center", va="center", fontsize=7.5, color="white" if light else "black")
            said = f"{what.label} {value:.3g}" if np.isfinite(value) else reason or f"more than {budget:g} evaluations"
            tips.append(Tip(axis, across, down, f"{cell}: {said}"))
    return tips


def why_not(rows: pd.DataFrame, model: str, method: str, budget: float) -> str:
    """Return the reason of the refused cell of a sampler and model that is nearest below a budget, "" if none was refused."""
    mine = rows[(rows.variant == model) & (rows.method == method) & (rows.status == "refused")]
    near = mine[(mine.axis != "nfe") | (mine["at"] <= budget)].sort_values("at")
    return str(near.message.iloc[-1]) if len(near) else ""
