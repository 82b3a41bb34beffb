"""Tables of the report: mean over replicates with the standard deviation."""

from collections.abc import Callable, Iterator

import pandas as pd
import torch

from common.measure.figures import Table, marked
from common.measure.table_cells import in_order, pivot
from replications.gotta_go_fast.names import NAMES, ON_MODELS, SDES, name
from replications.gotta_go_fast.narrow_mixture import narrow
from replications.score_sde.facts.toy_mixture import EPS

# rows that are no sampler, by what the tables call them
KINDS = {NAMES["data"]: "floor", "exact samples": "floor"}
COSTS = {"nfe": "NFE", "nfe_mean": "mean over samples", "rejected_share": "rejected"}
EXACT = {"residual": "R", "residual_error": "|R − R*|"}
SHELF = {"nfe": "NFE", **EXACT, "given_up": "given up"}
LEARNED = {"feature_frechet": "distance", "leftover_noise": "noise left"}
SPREAD = " Mean ± s.d. over replicates."


def tables(metrics: pd.DataFrame, refused: pd.DataFrame) -> Iterator[Table]:
    """Yield the tables that the measured and the refused rows allow."""
    every = pd.concat([metrics, refused], ignore_index=True)
    makers: dict[str, tuple[Callable[[pd.DataFrame], Table], ...]] = {
        **dict.fromkeys(ON_MODELS, (table1, learned_variants)),
        "exact_toy": (exact_toy, exact_variants, off_the_shelf),
    }
    for experiment, made in makers.items():
        rows = every[every.experiment == experiment]
        if len(rows):
            yield from (make(in_order(rows, NAMES)) for make in made)


def along_tolerances(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the main comparison: data, what has all its evaluations, then each tolerance in its turn."""
    rows = rows[rows.axis.isin(["", "tolerance"]) & (rows.status == "ok")]
    return rows.sort_values("at", kind="stable", na_position="first").assign(tolerance=tolerances)


def tolerances(rows: pd.DataFrame) -> pd.Series:
    """Return what tolerances are called, none where there is none."""
    return rows["at"].map("{:g}".format).where(rows["at"].notna(), "–")


def with_nfe(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return rows with more of metric "nfe": the evaluations that stand beside the rows of a metric."""
    counts = rows[(rows.metric == metric) & rows.nfe.notna()]
    return pd.concat([rows, counts.assign(metric="nfe", value=counts.nfe)], ignore_index=True)


def table1(rows: pd.DataFrame) -> Table:
    """Return samplers x models: evaluations, distance in features, noise that is left."""
    mine = with_nfe(along_tolerances(rows), "feature_frechet")
    of_data, others = mine[mine.method == "data"], mine[mine.method != "data"]
    models = list(dict.fromkeys(others.variant))
    # the floor is one for all models
    every = pd.concat([*(of_data.assign(variant=model) for model in models), others], ignore_index=True)
    titles = {"nfe": "NFE", **LEARNED}
    columns = {f"{model} {metric}": f"{name(model)}: {title}" for model in models for metric, title in titles.items()}
    every = every.assign(metric=every.variant + " " + every.metric, sampler=every.method.map(name))
    caption = (
        "Cf. Table 1. Trained models: evaluations of a sample (NFE); distance of samples to test images in features; root mean "
        "square of the samples along the directions in which training images vary least, in pixels, where noise that a sampler "
        "leaves is seen. GGF: the adaptive solver at a relative tolerance; its evaluations are the slowest sample's, as "
        "published, without the last, denoising one. Euler-Maruyama and DDIM (VP alone) at a tolerance have as many. torchsde's "
        "adaptive solvers take the tolerance as relative and absolute. Data: "
        "training images in the samples' place, for the noise test images." + SPREAD
    )
    frame = pivot(every, ["tolerance", "sampler"], columns)
    return marked(Table("table1", "Samplers of trained models", caption, frame), KINDS, "sampler")


def exact_toy(rows: pd.DataFrame) -> Table:
    """Return SDE x tolerance x sampler: evaluations, residual and its distance from the exact one, rejected steps."""
    # torchsde's have a table of their own
    mine = with_nfe(along_tolerances(rows[~rows.method.str.startswith("torchsde_")]), "residual_error")
    mine = mine.assign(sampler=mine.method.map({"data": "exact samples"}).fillna(mine.method.map(name)))
    caption = (
        "Cf. Table 1. A mixture of narrow modes with its exact score. R: root mean square distance of a sample from the nearest "
        f"centre, over s √d; of exact samples R* = {exact('vp'):.4f} (VP) and {exact('ve'):.4f} (VE). NFE: evaluations; of the "
        "adaptive solver GGF those of the slowest sample, as published, and beside them their mean; rejected: share of its "
        "steps. Euler-Maruyama and DDIM (VP alone) at a tolerance have as many evaluations as GGF's slowest sample. "
        "Exact samples: as many, in the samples' place." + SPREAD
    )
    frame = by_sde(pivot(vp_first(mine), ["tolerance", "sampler"], {**COSTS, **EXACT}))
    return marked(Table("exact-toy", "Samplers with exact scores", caption, frame), KINDS, "sampler")


def exact(sde: str) -> float:
    """Return the residual of exact samples; it depends on neither the centres nor the number of dimensions."""
    return narrow(sde, EPS[sde], generator=torch.Generator()).exact


def vp_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows in the order of the paper's SDEs."""
    return rows.sort_values("dataset", key=lambda column: column.map(SDES.index), kind="stable")


def by_sde(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose data sets are SDEs under their names."""
    return frame.assign(dataset=frame.dataset.map(name)).rename(columns={"dataset": "SDE"}) if "dataset" in frame else frame


def exact_variants(rows: pd.DataFrame) -> Table:
    """Return SDE x variant of the solver: evaluations, rejected steps and error with the exact score."""
    mine = with_nfe(rows[rows.axis == "ablation"], "residual_error")
    caption = (
        "Cf. the appendix's ablations. Variants of the adaptive solver on a mixture with its exact score: evaluations of the "
        "slowest sample and their mean, share of rejected steps, R, and how far it is from that of exact samples." + SPREAD
    )
    frame = by_sde(pivot(vp_first(mine).assign(variant=lambda each: each.method.map(name)), ["variant"], {**COSTS, **EXACT}))
    return Table("exact-variants", "Variants of the solver with exact scores", caption, frame)


def learned_variants(rows: pd.DataFrame) -> Table:
    """Return model x variant of the solver: evaluations, rejected steps, distance and the noise that is left."""
    mine = with_nfe(rows[rows.axis == "ablation"], "feature_frechet")
    models = list(dict.fromkeys(rows.variant))
    mine = mine.sort_values("variant", key=lambda column: column.map(models.index), kind="stable")
    mine = mine.sort_values("dataset", kind="stable")
    mine = mine.assign(model=mine.variant.map(name), variant=mine.method.map(name))
    caption = (
        "Cf. the appendix's ablations. Variants of the adaptive solver on trained models: evaluations of the slowest sample and "
        "their mean, share of rejected steps, distance of samples to test images in features, and noise left, in pixels." + SPREAD
    )
    frame = pivot(mine, ["model", "variant"], {**COSTS, **LEARNED})
    return Table("learned-variants", "Variants of the solver on trained models", caption, frame)


def off_the_shelf(rows: pd.DataFrame) -> Table:
    """Return torchsde's adaptive solvers x tolerance beside Euler-Maruyama and the paper's: evaluations, error, or given up."""
    shelf = rows[rows.method.str.startswith("torchsde_")]
    beside = rows[
        (rows.method == "euler_maruyama_full") & (rows.axis == "") | (rows.method == "ggf") & (rows.axis == "tolerance")
    ]
    mine = vp_first(pd.concat([beside[beside.dataset.isin(shelf.dataset)], shelf]))
    mine = mine.assign(tolerance=tolerances, sampler=mine.method.map(name))
    errors = mine[mine.metric == "residual_error"]
    lost = errors.assign(metric="given_up", value=(errors.status == "refused").astype(float))
    # a solver that was always given up has a line too, in its place
    every = pd.concat([lost, with_nfe(mine[mine.status == "ok"], "residual_error")], ignore_index=True)
    frame = pivot(every, ["sampler", "tolerance"], SHELF, exact={"given_up": "{:.0%}"})
    caption = (
        "Cf. the appendix's table of solvers. torchsde's adaptive solvers with one tolerance, relative and absolute, beside "
        "Euler-Maruyama in full and the adaptive solver GGF at a relative tolerance, with the exact score: evaluations of a "
        "sample, and how far R is from that of exact samples. Given up: share of replicates in which a solver took too many "
        "evaluations or its values were not finite; the others are its means." + SPREAD
    )
    return Table("off-the-shelf", "Off-the-shelf adaptive solvers", caption, by_sde(frame))
