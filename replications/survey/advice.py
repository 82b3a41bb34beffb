"""Which should I use: five sentences that are computed from the measured rows, with how sure they are."""

from collections.abc import Collection
from functools import partial

import numpy as np
import pandas as pd

from common.measure.figures import Advice
from common.measure.verdicts import interval
from replications.survey.figures_grid import budget_of
from replications.survey.fronts import best_within, cells_of
from replications.survey.names import FLOWS, NOISY, family, name
from replications.survey.own_rows import beside

FEW, MANY = 10, 50  # evaluations
METRIC = "feature_frechet"


def advice(metrics: pd.DataFrame) -> Advice | None:
    """Return what the learned comparison says of its first data set; None without such rows."""
    rows = beside(metrics)
    rows = rows[rows.dataset == rows.dataset.iloc[0]] if len(rows) else rows
    cells = cells_of(rows, METRIC)
    # an exact score is nothing that one could choose
    cells = cells[~cells.variant.str.startswith("empirical")]
    if cells.empty:
        return None
    training = metrics[(metrics.experiment == "training_side") & (metrics.dataset == rows.dataset.iloc[0])]
    made = [
        partial(best, cells, FEW),
        partial(best, cells, MANY),
        partial(flow_or_noise, cells, FEW, MANY),
        partial(what_matters, cells, budget_of(rows)),
        partial(cheapest_training, training),
    ]
    replicates = cells.seed.nunique()
    return Advice(
        "Which should I use?",
        [sentence for make in made if (sentence := make())],
        f"Computed from the rows of {rows.dataset.iloc[0]} at level {rows.level.iloc[0]}, {replicates} "
        f"replicate{'s' * (replicates != 1)}; no sentence is general over data or networks. Distances are Fréchet distances to "
        f"test images in features; data read {cells.floor.mean():.3g}. In brackets: 90 % Student-t intervals over replicates, "
        "which share noise and are compared one by one; ratios are geometric means. A pair of sampler and objective counts by "
        "its best budget within the one that is named. The best of many is chosen after the fact, which flatters it.",
    )


def table_of(cells: pd.DataFrame, budget: float) -> pd.DataFrame:
    """Return replicates x (model, sampler): the value of its best cell within a budget, of those that every replicate has."""
    return best_within(cells, budget).pivot_table(index="seed", columns=["variant", "method"], values="value").dropna(axis=1)


def ratio(a: pd.Series, b: pd.Series) -> str:
    """Return the geometric mean of a / b over replicates with its interval: "1.30 [1.10, 1.54]"; a single one has none."""
    logs = np.log((a / b).to_numpy(float))
    mean = float(np.exp(logs.mean()))
    if len(logs) < 2:
        return f"{mean:.2f} (one replicate)"
    found = interval(logs)
    low, high = np.exp(found.low), np.exp(found.high)
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"


def called(cell: tuple[str, str]) -> str:
    """Return what a cell is called in a sentence."""
    return f"{spoken(cell[1])} on {spoken(cell[0])}"


def spoken(key: str) -> str:
    """Return a name as it stands in a sentence, which has commas of its own: "FM (straight)"."""
    head, _, rest = name(key).partition(", ")
    return f"{head} ({rest})" if rest else head


def best(cells: pd.DataFrame, budget: int) -> str:
    """Say which cell is nearest to data within a budget, how far from the next it is, and how many cannot be told from it."""
    table = table_of(cells, budget)
    if table.shape[1] < 2:
        return ""
    order = np.log(table).mean().sort_values(kind="stable").index
    first, second = order[0], order[1]
    floor = cells.groupby("seed").floor.mean()[table.index]
    wins = int((table.idxmin(axis=1) == pd.Series([first] * len(table), index=table.index)).sum())
    alike = sum(not apart(table[each], table[first]) for each in order[1:])
    found = best_within(cells, budget)
    nfe = found[(found.variant == first[0]) & (found.method == first[1])].nfe.mean()
    return (
        f"With at most {budget} evaluations take {called(first)}, with {nfe:.0f}: {ratio(table[first], floor)} times the "
        f"distance of data, the least of {len(order)} pairs in {wins} of {len(table)} replicates; the next, {called(second)}, is "
        f"{ratio(table[second], table[first])} times as far, and {others_told(alike)}."
    )


def others_told(alike: int) -> str:
    """Say how many of the others cannot be told from the first."""
    return f"{alike} of the others cannot be told from the first" if alike else "all others can be told from the first"


def apart(one: pd.Series, other: pd.Series) -> bool:
    """Whether the interval of a ratio leaves out 1; of a single replicate nothing is known."""
    logs = np.log((one / other).to_numpy(float))
    if len(logs) < 2:
        return False
    found = interval(logs)
    return found.low > 0 or found.high < 0


def by_family(table: pd.DataFrame) -> pd.DataFrame:
    """Return (replicate, model) x family: the best sampler of each, where a model has both."""
    found = table.T.assign(family=[family(method) for _, method in table.columns]).reset_index()
    least = found.groupby(["variant", "family"])[list(table.index)].min().stack().unstack("family")
    return least.reindex(columns=[FLOWS, NOISY]).dropna()


def flow_or_noise(cells: pd.DataFrame, few: int, many: int) -> str:
    """Say whether the best flow solver or the best sampler that draws noise is nearer to data, at both budgets."""
    parts = []
    for budget in (few, many):
        both = by_family(table_of(cells, budget))
        if both.empty:
            return ""
        logs = np.log(both[FLOWS] / both[NOISY])
        models = logs.groupby(level=0).mean()
        replicates = np.exp(logs.groupby(level=1).mean())
        nearer = f"nearer on {int((models < 0).sum())} of {len(models)} objectives"
        parts.append(f"{ratio(replicates, replicates * 0 + 1)} with at most {budget} evaluations, {nearer}")
    return (
        "With noise or without: the distance of the best solver of the flow over that of the best sampler that draws noise is "
        f"{parts[0]}; {parts[1]}."
    )


def what_matters(cells: pd.DataFrame, budget: float) -> str:
    """Say how much of the spread of log distances within a budget is between samplers, and how much between objectives."""
    table = np.log(table_of(cells, budget))
    table = table[[column for column in table.columns if family(column[1]) != "yours"]]
    shares = pd.concat({seed: explained(values.unstack()) for seed, values in table.iterrows()}, axis=1) if len(table) else table
    if shares.empty or shares.isna().to_numpy().any():
        return ""
    sampler, objective = (spread(100 * shares.loc[each]) for each in ("sampler", "objective"))
    more = "sampler" if shares.loc["sampler"].mean() > shares.loc["objective"].mean() else "objective"
    return (
        f"With at most {budget:g} evaluations choose the {more} first: which sampler it is explains {sampler} % of the variance "
        f"of log distances between cells, which objective {objective} %; the rest is how the two fit together."
    )


def explained(table: pd.DataFrame) -> pd.Series:
    """Return the shares of variance of objectives (lines) and samplers (columns) in the cells that all lines or columns have."""
    whole = table.loc[:, table.notna().mean() > 0.5].dropna()
    centred = whole - whole.to_numpy().mean() if whole.size else whole
    total = float((centred**2).to_numpy().mean()) if whole.size else 0.0
    if not total:
        return pd.Series({"objective": np.nan, "sampler": np.nan})
    return pd.Series(
        {"objective": float((centred.mean(axis=1) ** 2).mean()) / total, "sampler": float((centred.mean() ** 2).mean()) / total}
    )


def spread(values: pd.Series) -> str:
    """Return a mean with its interval: "31 [25, 37]"."""
    if len(values) < 2:
        return f"{values.mean():.0f}"
    found = interval(values)
    return f"{found.mean:.0f} [{max(0, found.low):.0f}, {min(100, found.high):.0f}]"


def cheapest_training(rows: pd.DataFrame) -> str:
    """Say which objective's training reaches the best quality that most of them reach in the fewest steps."""
    steps = rows[(rows.metric == "steps_to_quality") & (rows.status == "ok")]
    tables = {at: mine.pivot_table(index="seed", columns="method", values="value") for at, mine in steps.groupby("at")}
    for quality, table in sorted(tables.items()):
        whole = table.reindex(sorted(set(steps.seed))).dropna(axis=1)
        if whole.shape[1] >= 2:
            order = np.log(whole).mean().sort_values(kind="stable").index
            never = set(rows.method[(rows.metric == "feature_frechet") & (rows.axis == "step")]) - set(whole.columns)
            return (
                f"To train least take {spoken(order[0])}: its samples come within {quality:g} times the distance of data after "
                f"{np.exp(np.log(whole[order[0]]).mean()):.0f} steps, {spoken(order[1])}'s after "
                f"{ratio(whole[order[1]], whole[order[0]])} times as many{not_reached(never)}."
            )
    return ""


def not_reached(never: Collection[str]) -> str:
    """Return who did not get there in every replicate."""
    return f"; {len(never)} of the objectives do not get there in every replicate" if never else ""
