"""What is worth its cost: cells of the comparison as one line each, the best within a budget, and the Pareto front."""

import pandas as pd

CELL = ("dataset", "variant", "method", "axis", "at")


def cells_of(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return a metric's measured rows with milliseconds of a sample as `each`; data and refusals are left out."""
    mine = rows[(rows.metric == metric) & (rows.status == "ok") & (rows.method != "data")]
    return mine.assign(each=1000 * mine.seconds / mine.n)


def averaged(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the means over replicates of every cell, with their number.

    A cell that fewer replicates have than others of its sampler and model is left out: its mean would be of other replicates.
    """
    groups = cells.groupby(list(CELL), sort=False, dropna=False)
    found = groups[["value", "nfe", "each", "floor"]].mean().assign(replicates=groups.seed.nunique()).reset_index()
    most = found.groupby(["dataset", "variant", "method"]).replicates.transform("max")
    return found[found.replicates == most].reset_index(drop=True)


def within(cells: pd.DataFrame, budget: float) -> pd.DataFrame:
    """Return for every sampler, model and replicate its cell of most evaluations, of those that take no more than `budget`.

    Of cells with as many evaluations the better counts. An adaptive sampler counts by the evaluations that it took.
    """
    affordable = cells[cells.nfe <= budget].sort_values(["nfe", "value"], ascending=[False, True], kind="stable")
    return affordable.drop_duplicates(["dataset", "variant", "method", "seed"]).sort_index()


def best_within(cells: pd.DataFrame, budget: float) -> pd.DataFrame:
    """Return for every sampler and model its cell that is nearest to data in the mean over replicates, of those within `budget`.

    Cells with more evaluations on average than the budget, or that a replicate lacks, do not count.
    """
    mean = averaged(cells)
    mean = mean[(mean.nfe <= budget) & (mean.replicates == cells.seed.nunique())].sort_values("value", kind="stable")
    chosen = mean.drop_duplicates(["dataset", "variant", "method"])[list(CELL)]
    return cells.merge(chosen, on=list(CELL))


def front(cells: pd.DataFrame, cost: str) -> pd.DataFrame:
    """Return the cells that no other beats at the same or a lower cost, the cheapest first."""
    ordered = cells.dropna(subset=[cost, "value"]).sort_values([cost, "value"], kind="stable")
    best = ordered.value.cummin().shift(fill_value=float("inf"))
    return ordered[ordered.value < best]
