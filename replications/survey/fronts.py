"""What is worth its cost: cells of the comparison as one line each, the best within a budget, and the Pareto front."""

import pandas as pd

CELL = ("dataset", "variant", "method", "axis", "at")


def cells_of(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return a metric's measured rows with seconds of a sample beside value, NFE and floor; data and refusals are left out."""
    mine = rows[(rows.metric == metric) & (rows.status == "ok") & (rows.method != "data")]
    return mine.assign(each=mine.seconds / mine.n)


def averaged(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over replicates of value, NFE and seconds of a sample of every cell that all replicates have."""
    groups = cells.groupby(list(CELL), sort=False, dropna=False)
    whole = groups.seed.nunique() == cells.seed.nunique()
    return groups[["value", "nfe", "each", "floor"]].mean()[whole].reset_index()


def within(cells: pd.DataFrame, budget: float) -> pd.DataFrame:
    """Return for every sampler, model and replicate its cell of most evaluations, of those that take no more than `budget`.

    Of cells with as many evaluations the better counts. An adaptive sampler counts by the evaluations that it took.
    """
    affordable = cells[cells.nfe <= budget].sort_values(["nfe", "value"], ascending=[False, True], kind="stable")
    return affordable.drop_duplicates(["dataset", "variant", "method", "seed"]).sort_index()


def front(cells: pd.DataFrame, cost: str) -> pd.DataFrame:
    """Return the cells that no other beats at the same or a lower cost, the cheapest first."""
    ordered = cells.dropna(subset=[cost, "value"]).sort_values([cost, "value"], kind="stable")
    best = ordered.value.cummin().shift(fill_value=float("inf"))
    return ordered[ordered.value < best]
