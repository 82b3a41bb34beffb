"""Tables of the report: the grid at a budget, refusals, costs, orders and training; mean ± standard deviation over replicates."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd

from common.measure.figures import Table, marked, mean_and_deviation
from common.measure.statistics import log_slope
from replications.survey import report_tables_cost
from replications.survey.drawing import samplers_of, variants
from replications.survey.figures_grid import budget_of
from replications.survey.figures_quality import COMPARED
from replications.survey.fronts import cells_of, within
from replications.survey.names import NAMES, name
from replications.survey.own_rows import beside

KINDS = {NAMES["data"]: "floor"}
SPREAD = " Mean ± s.d. over replicates."
REFUSED = "refused"
LEAST = 20  # evaluations from which an order is measured


def tables(metrics: pd.DataFrame, refused: pd.DataFrame) -> Iterator[Table | Callable[[], Table]]:
    """Yield the tables that the measured and the refused rows allow, one of a kind for each data set."""
    every = pd.concat([metrics, refused], ignore_index=True)
    for experiment in COMPARED:
        rows = beside(every) if experiment == "learned" else every[every.experiment == experiment]
        for dataset in dict.fromkeys(rows.dataset):
            mine = rows[rows.dataset == dataset]
            yield grid(mine, experiment, dataset)
            if (mine.metric == "precision").any():
                yield coverage(mine, dataset)
            if (mine.status == "refused").any():
                yield refusals(mine, dataset)
    yield from report_tables_cost.tables(metrics)
    exact = metrics[metrics.experiment == "exact"]
    if (exact.metric == "flow_error").any():
        yield orders(exact)


def grid(rows: pd.DataFrame, experiment: str, dataset: str) -> Table:
    """Return sampler x objective: the measure within a budget, and beneath it what data read."""
    what, budget = COMPARED[experiment], budget_of(rows)
    cells = within(cells_of(rows, what.metric), budget)
    models = variants(rows)
    values = cells.groupby(["method", "variant"]).value.agg(partial(of_all, replicates=rows.seed.nunique()))
    refused = rows[(rows.status == "refused") & (rows.metric == what.metric)].set_index(["method", "variant"]).index
    data = rows[(rows.method == "data") & (rows.metric == what.metric)].value
    lines = [
        {"sampler": name(sampler)}
        | {name(model): values.get((sampler, model), REFUSED if (sampler, model) in refused else "–") for model in models}
        for sampler in samplers_of(rows[(rows.method != "data") & (rows.metric == what.metric)])
    ]
    lines.append({"sampler": NAMES["data"], **{name(model): mean_and_deviation(data) if len(data) else "–" for model in models}})
    caption = (
        f"{what.said[0].upper()}{what.said[1:]}: of every sampler the cell of most evaluations up to {budget:g}, of an adaptive "
        f"one by what it took. {REFUSED}: cannot run there, see the table of refusals. –: more evaluations at every tolerance. "
        f"In brackets: of how many replicates, if not of all.{SPREAD}"
    )
    table = Table(
        f"grid-table-{dataset}", f"Objective x sampler at {budget:g} evaluations: {dataset}", caption, pd.DataFrame(lines)
    )
    return marked(table, KINDS, "sampler")


def coverage(rows: pd.DataFrame, dataset: str) -> Table:
    """Return sampler x objective: precision and recall within a budget, and beneath them what data read."""
    budget, metrics = budget_of(rows), ("precision", "recall")
    found = [within(cells_of(rows, metric), budget).groupby(["method", "variant"]).value.mean() for metric in metrics]
    both = pd.concat(found, axis=1, keys=metrics)
    data = [rows[(rows.method == "data") & (rows.metric == metric)].value.mean() for metric in metrics]
    texts = {cell: f"{precise:.2f} / {whole:.2f}" for cell, precise, whole in both.itertuples()}
    models = variants(rows)
    lines = [
        {"sampler": name(sampler)} | {name(model): texts.get((sampler, model), "–") for model in models}
        for sampler in samplers_of(both.reset_index())
    ]
    lines.append({"sampler": NAMES["data"]} | {name(model): "{:.2f} / {:.2f}".format(*data) for model in models})
    caption = (
        f"Precision / recall of samples against test images, by nearest neighbours in features, means over replicates; cells as "
        f"in the table of distances, up to {budget:g} evaluations. Precision falls where samples are no digits, recall where "
        "digits are missing."
    )
    table = Table(
        f"coverage-{dataset}", f"Precision and recall at {budget:g} evaluations: {dataset}", caption, pd.DataFrame(lines)
    )
    return marked(table, KINDS, "sampler")


def of_all(values: pd.Series, replicates: int) -> str:
    """Return mean and deviation, and of how many replicates where it is not of all."""
    return mean_and_deviation(values) + (f" ({len(values)} of {replicates})" if len(values) < replicates else "")


def refusals(rows: pd.DataFrame, dataset: str) -> Table:
    """Return who cannot run on which model, at which budgets, and why."""
    mine = rows[rows.status == "refused"]
    lines = [
        {
            "sampler": name(method),
            "objective": name(variant),
            "at": ", ".join(f"{at:g}" for at in sorted(set(found["at"].dropna()))) or "–",
            "why": ends(list(dict.fromkeys(found.sort_values("at").message))),
        }
        for (method, variant), found in mine.groupby(["method", "variant"], sort=False)
    ]
    caption = (
        "Cells of the comparison that did not run, by the evaluations (of adaptive samplers: the tolerances) that they had; "
        "where the reason differs between them, that of the least and of the most."
    )
    return Table(f"refusals-{dataset}", f"What cannot run, and why: {dataset}", caption, pd.DataFrame(lines))


def ends(reasons: list[str]) -> str:
    """Return the first and the last of several reasons."""
    return "; ".join(dict.fromkeys([reasons[0], reasons[-1]]))


def orders(rows: pd.DataFrame) -> Table:
    """Return flow solver x path: the order at which its error falls."""
    mine = rows[(rows.metric == "flow_error") & (rows.status == "ok") & (rows["axis"] == "nfe") & (rows["at"] >= LEAST)]
    paths = list(dict.fromkeys(mine.variant))
    lines = [
        {"data": dataset, "sampler": name(method)} | {name(path): order(found[found.variant == path]) for path in paths}
        for (dataset, method), found in mine.groupby(["dataset", "method"], sort=False)
    ]
    caption = (
        f"Orders p of errors ~ NFE^-p between {LEAST} and the most evaluations, by least squares of the logarithms, with exact "
        f"scores. An error that no longer falls has reached where the last evaluation ends.{SPREAD}"
    )
    return Table("orders", "Orders of the flow's solvers", caption, pd.DataFrame(lines))


def order(rows: pd.DataFrame) -> str:
    """Return the order of one solver on one path."""
    values = rows.pivot_table(index="seed", columns="at", values="value")
    nfe = rows.pivot_table(index="seed", columns="at", values="nfe")
    if values.shape[1] < 2:
        return "–"
    found = -log_slope(nfe, values).replace([np.inf, -np.inf], np.nan).dropna()
    return mean_and_deviation(found) if len(found) else "–"
