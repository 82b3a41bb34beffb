"""What several of the survey's figures draw: samplers by cost, fronts, floors; and what their dots say."""

from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.axes import Axes

from common.measure.figures import BLACK, GREY, RunFolder, Runs, Tip
from replications.survey.fronts import front
from replications.survey.names import MARKS, line_shade, mark, name, shade

COSTS = {"nfe": "evaluations", "each": "milliseconds for a sample"}
DISTANCE, MMD = "feature Fréchet distance", "MMD"


def with_own(runs: Runs, experiment: str, **where: object) -> list[RunFolder]:
    """Return the runs of an experiment and, where it is the learned comparison, those of the user's own files behind them."""
    return [*runs.find(experiment, **where), *(runs.find("bring_your_own", **where) if experiment == "learned" else ())]


def all_rows(found: Sequence[RunFolder]) -> pd.DataFrame:
    """Return the measured rows of runs, refusals among them."""
    return pd.concat([run.metrics for run in found], ignore_index=True)


def variants(rows: pd.DataFrame) -> list[str]:
    """Return the models of rows in their order, a user's last."""
    return list(dict.fromkeys(rows.variant[rows.method != "data"]))


def words(cell: pd.Series, measure: str) -> str:
    """Return what the dot of a cell says."""
    budget = f", tolerance {cell['at']:g}" if cell["axis"] == "tolerance" else ""
    cost = f"{cell.nfe:.0f} evaluations, {cell.each:.3g} ms a sample"
    return f"{name(cell.variant)} by {name(cell.method)}{budget}: {measure} {cell.value:.3g} at {cost}"


def by_cost(axis: Axes, cells: pd.DataFrame, cost: str, measure: str) -> list[Tip]:
    """Draw a model's samplers against a cost, a line each and the front of them all; return what the dots say."""
    tips = []
    best = front(cells, cost)
    axis.plot(best[cost], best.value, drawstyle="steps-post", color=GREY, alpha=0.35, linewidth=6, label="front", zorder=1)
    for method, mine in cells.groupby("method", sort=False):
        mine = mine.sort_values(cost)
        axis.plot(mine[cost], mine.value, color=line_shade(method), marker=mark(method), markersize=4, linewidth=0.9,
                  markeredgewidth=0, label=name(method))  # fmt: skip
        tips += [Tip(axis, cell[cost], cell.value, words(cell, measure)) for _, cell in mine.iterrows()]
    return tips


def fronts(axis: Axes, cells: pd.DataFrame, cost: str, measure: str) -> list[Tip]:
    """Draw the front of every model against a cost: its colour, and the mark of the sampler that is best there."""
    tips = []
    for variant, mine in cells.groupby("variant", sort=False):
        best = front(mine, cost)
        look = {"linestyle": "--"} if variant.startswith("empirical") else {}
        axis.plot(best[cost], best.value, color=shade(variant), linewidth=1.2, label=name(variant), **look)
        for _, cell in best.iterrows():
            axis.plot([cell[cost]], [cell.value], marker=mark(cell.method), color=shade(variant), markersize=6.5,
                      markeredgecolor="white", markeredgewidth=0.4)  # fmt: skip
            tips.append(Tip(axis, cell[cost], cell.value, words(cell, measure)))
    return tips


def floor(axis: Axes, cells: pd.DataFrame) -> None:
    """Mark what data read under the same measure."""
    if cells.floor.notna().any():
        axis.axhline(cells.floor.mean(), color=BLACK, linestyle="--", linewidth=1)


def samplers_of(cells: pd.DataFrame) -> Iterable[str]:
    """Return the samplers of cells in the order of the table."""
    found = set(cells.method)
    return [*(each for each in MARKS if each in found), *sorted(found - set(MARKS))]
