"""Tables of costs: what a network and a sample take; and what an objective is to its training."""

from collections.abc import Iterator
from functools import partial

import pandas as pd

from common.measure.figures import Table, marked, mean_and_deviation
from replications.survey.drawing import samplers_of
from replications.survey.fronts import cells_of
from replications.survey.names import NAMES, name
from replications.survey.own_rows import beside

SPREAD = " Mean ± s.d. over replicates."
COSTS = {"parameters": "parameters", "training_rate": "images a second", "training_memory": "peak memory, MB"}
KINDS = {"uniform density": "baseline", NAMES["data"]: "floor"}


def tables(metrics: pd.DataFrame) -> Iterator[Table]:
    """Yield the tables that the rows present allow, one of a kind for each data set."""
    rows = beside(metrics)
    for dataset in dict.fromkeys(rows.dataset):
        yield sampling(rows[rows.dataset == dataset], dataset, network(metrics, dataset))
    rows = metrics[metrics.experiment == "training_side"]
    for dataset in dict.fromkeys(rows.dataset):
        yield training(rows[rows.dataset == dataset], dataset)


def sampling(rows: pd.DataFrame, dataset: str, size: str) -> Table:
    """Return sampler x budget: evaluations and samples a second, over all trained models; `size` says how large they are."""
    cells = cells_of(rows, "feature_frechet")
    cells = cells[~cells.variant.str.startswith("empirical")].assign(speed=lambda each: 1000 / each.each)
    lines = []
    for method in samplers_of(cells):
        for (axis, at), found in cells[cells.method == method].groupby(["axis", "at"], dropna=False):
            each = found.groupby("seed")
            lines.append(
                {
                    "sampler": name(method),
                    "budget": f"tolerance {at:g}" if axis == "tolerance" else f"{at:g}" if axis == "nfe" else "its own",
                    "NFE": mean_and_deviation(each.nfe.mean()),
                    "samples a second": rounded(each.speed.median()),
                    "objectives": found.variant.nunique(),
                }
            )
    caption = (
        "What a sample takes, those of a cell drawn in batches on the machine of the runs: evaluations (NFE), mean over trained "
        "objectives; samples a second, the median over objectives; and on how many objectives it ran. Seconds compare within one "
        "machine." + size + SPREAD
    )
    return Table(f"cost-{dataset}", f"What a sample takes: {dataset}", caption, pd.DataFrame(lines))


def training(rows: pd.DataFrame, dataset: str) -> Table:
    """Return objective by objective: size, seconds, steps to a quality, noise scale, bits per dimension."""
    curve = rows[(rows.metric == "feature_frechet") & (rows["axis"] == "step") & (rows.status == "ok")]
    trained = rows[(rows.metric == "noise_scale") & (rows.variant == "trained")]
    part_of, lines = partial(partly, replicates=rows.seed.nunique()), []
    for method in dict.fromkeys(rows.method[~rows.method.isin(["data", "uniform"])]):
        last = curve[curve.method == method].sort_values("at").groupby("seed").last()
        mine = rows[rows.method == method]
        line = {"objective": name(method), "training, s": cell(last.seconds)}
        line |= {title: rounded(mine.value[mine.metric == metric]) for metric, title in COSTS.items()}
        line["distance"] = cell(last.value)
        for quality, found in rows[rows.metric == "steps_to_quality"].groupby("at"):
            line[f"steps to {quality:g} x data"] = part_of(found[found.method == method])
        line["noise scale"] = part_of(trained[trained.method == method])
        line["bits/dim"] = cell(rows.value[(rows.metric == "nll") & (rows.method == method)])
        lines.append(line)
    data = rows[(rows.metric == "feature_frechet") & (rows.method == "data")].value
    uniform = rows[(rows.metric == "nll") & (rows.method == "uniform")].value
    lines.append({"objective": NAMES["data"], "distance": cell(data)})
    if len(uniform):
        lines.append({"objective": "uniform density", "bits/dim": cell(uniform)})
    caption = (
        "Every objective with one network, batches, times and noise. Training: wall time; memory: of the process, with whatever "
        "it had trained before. Distance: of samples by DPM-Solver++ after the last step. Steps to: how many it takes until "
        "those samples are as many times as far as data. Noise scale: batch at which noise and signal of the trained network's "
        "gradient are equal. A number in brackets is how many replicates it is of, where the others did not get there." + SPREAD
    )
    frame = pd.DataFrame(lines).fillna("–")
    return marked(
        Table(f"training-{dataset}", f"What an objective takes in training: {dataset}", caption, frame), KINDS, "objective"
    )


def rounded(values: pd.Series) -> str:
    """Return mean and deviation of large numbers, without decimals; one that is the same in all replicates has none."""
    if values.empty:
        return "–"
    return f"{values.mean():.0f}" + (f" ± {values.std():.0f}" if values.nunique() > 1 else "")


def cell(values: pd.Series) -> str:
    """Return mean and deviation, or a dash for nothing."""
    return mean_and_deviation(values) if len(values) else "–"


def partly(rows: pd.DataFrame, replicates: int) -> str:
    """Return mean and deviation, and of how many replicates where it is not of all."""
    return rounded(rows.value) + (f" ({len(rows)} of {replicates})" if 0 < len(rows) < replicates else "")


def network(metrics: pd.DataFrame, dataset: str) -> str:
    """Return the size of the network that all objectives share on a data set, in words; "" where no training was measured."""
    found = metrics.value[(metrics.metric == "parameters") & (metrics.dataset == dataset)]
    return f" The network has {found.iloc[0]:,.0f} parameters.".replace(",", "\N{NO-BREAK SPACE}") if len(found) else ""
