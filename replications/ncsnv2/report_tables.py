"""Tables of the report: mean over replicates with the standard deviation."""

from collections.abc import Callable, Iterator

import pandas as pd

from common.measure.figures import Table, marked
from common.measure.table_cells import in_order, pivot
from replications.ncsnv2.names import ARMS, NAMES, NETWORKS, name
from replications.ncsnv2.report_tables_facts import bound, budget_splits, interpolations, largest_level, published_ladders
from replications.ncsnv2.states import STEADY, fluctuation

PERCENT = 100
# rows that are no method, by what the tables call them
KINDS = {NAMES["data"]: "floor"}
ABLATION = {
    "end": "distance at the end",
    "mean": "mean over states",
    "fluctuation": "fluctuation",
    "colour_off": "colour off data's, %",
    "colour_fluctuation": "colour's fluctuation, %",
}
DENOISING = {
    "not denoised": "distance without it",
    "denoised": "with it",
    "denoising_change": "its change, over σ_L",
    "fid not denoised": "FID without it",
    "fid denoised": "FID with it",
    "inception_score not denoised": "Inception score without it",
    "inception_score denoised": "Inception score with it",
}
SETTINGS = {
    "shell_mass": "shell mass C",
    "relative_step": "ε / σ_L²",
    "distance": "feature Fréchet distance",
    "diverged_share": "diverged",
}
LOSSES = {
    "train": "loss, training images",
    "test": "unseen images",
    "smoothed_loss": "last smoothed training loss",
}


def tables(metrics: pd.DataFrame) -> Iterator[Table]:
    """Yield the tables that the rows present allow."""
    makers: dict[str, tuple[Callable[[pd.DataFrame], Table], ...]] = {
        "exact_scores": (largest_level, budget_splits, bound),
        "ladders": (published_ladders,),
        "ablation": (ablation, denoising),
        "sampler_settings": (sampler_settings,),
        "losses": (losses,),
        "interpolation": (interpolations,),
    }
    for experiment, made in makers.items():
        rows = metrics[metrics.experiment == experiment]
        if len(rows):
            yield from (make(in_order(rows, NAMES)) for make in made)


def ablation(rows: pd.DataFrame) -> Table:
    """Return arms x distance at the end and over the states, and how distance and colour fluctuate from state to state."""
    states, colours = (rows[rows.metric == metric] for metric in ("frechet_of_state", "mean_colour"))
    parts = [
        states[states["at"] == 1].assign(metric="end"),
        per_arm(states, lambda mine: mine.value.mean(), "mean"),
        per_arm(states, fluctuation, "fluctuation"),
        per_arm(off_data(colours), lambda mine: PERCENT * mine.value.abs().mean(), "colour_off"),
        per_arm(colours[colours.method.isin(ARMS)], lambda mine: PERCENT * fluctuation(mine), "colour_fluctuation"),
        rows[(rows.metric == "feature_frechet") & (rows.method == "data")].assign(metric="end"),
    ]
    every = in_order(pd.concat(parts, ignore_index=True), NAMES)
    caption = (
        "Cf. Figures 4 and 5. Distance of samples to test images in features, after the whole training and as a mean over its "
        f"states; its fluctuation, the standard deviation about a straight line through the states up to {STEADY:.0%} of the "
        "training; and for the mean of each colour of the samples, in percent of the range of pixels, the mean difference from "
        "that of test images, whatever its sign, and its fluctuation. Data: training images in the samples' place. Mean ± s.d. "
        "over replicates."
    )
    frame = pivot(every.assign(arm=every.method.map(name)), ["arm"], ABLATION)
    return marked(Table("ablation", "What each group of techniques brings", caption, frame), KINDS, "arm")


def per_arm(rows: pd.DataFrame, what: Callable[[pd.DataFrame], float], metric: str) -> pd.DataFrame:
    """Return one row for each data set, arm and replicate: what is made of its rows; what is unknown is left out."""
    groups = rows.groupby(["dataset", "method", "seed"])
    found = [(*names, metric, what(mine)) for names, mine in groups]
    return pd.DataFrame(found, columns=["dataset", "method", "seed", "metric", "value"]).dropna(subset="value")


def off_data(colours: pd.DataFrame) -> pd.DataFrame:
    """Return the arms' mean colours less those of data, channel by channel."""
    keys = ["dataset", "seed", "variant"]
    own = colours[colours.method.isin(ARMS)]
    of_data = colours[colours.method == "data"].groupby(keys).value.mean().rename("of_data")
    own = own.join(of_data, on=keys)
    return own.assign(value=own.value - own.of_data)


def denoising(rows: pd.DataFrame) -> Table:
    """Return arms x distance with and without the last denoising step, and how much it changes."""
    distance = rows[rows.metric == "feature_frechet"]
    of_data = [distance[distance.method == "data"].assign(metric=each) for each in ("not denoised", "denoised")]
    scores = rows[rows.metric.isin(["fid", "inception_score"])]
    parts = [
        distance[distance.method != "data"].assign(metric=lambda mine: mine.variant),
        rows[rows.metric == "denoising_change"],
        scores.assign(metric=scores.metric + " " + scores.variant),
        *of_data,
    ]
    every = pd.concat(parts, ignore_index=True)
    caption = (
        "Cf. Section 3.4 and Table 1. After the whole training: distance of samples to test images in features without the last "
        "denoising step and with it, and the root mean square change of a pixel by that step, over the least noise level. Data: "
        "training images in the samples' place. Mean ± s.d. over replicates."
    )
    frame = pivot(every.assign(arm=every.method.map(name)), ["arm"], DENOISING)
    return marked(Table("denoising", "The last denoising step", caption, frame), KINDS, "arm")


def sampler_settings(rows: pd.DataFrame) -> Table:
    """Return numbers of levels and step sizes x shell mass, step, distance and share of chains that diverged."""
    mine = rows.replace({"metric": dict.fromkeys(("frechet_of_levels", "frechet_of_sizes", "feature_frechet"), "distance")})
    mine = mine.assign(last=mine.method == "data").sort_values(["dataset", "last", "axis", "at"], kind="stable")
    nfe = mine.groupby(["dataset", "axis", "at"]).nfe.transform("max").map("{:.0f}".format)
    caption = (
        "Cf. Sections 3.2 and 3.4. NCSNv2 with ladders of L levels between the same ends and about as many evaluations, steps "
        "sized by technique 4; and with its own ladder and other step sizes, over technique 4's. C: mass of a level on the shell "
        "of the level before; ε / σ_L²: from 2 on no chain is stable; distance of samples to test images in features; share of "
        "chains that diverged. Data: training images in the samples' place. Mean ± s.d. over replicates."
    )
    shown = mine.assign(setting=mine.apply(setting, axis=1), NFE=nfe.where(mine.method != "data", "–"))
    frame = pivot(shown, ["setting", "NFE"], SETTINGS, exact={"shell_mass": "{:.3f}", "relative_step": "{:.3g}"})
    return marked(Table("sampler-settings", "Noise levels and step sizes", caption, frame), KINDS, "setting")


def setting(row: pd.Series) -> str:
    """Return what a row's setting is called."""
    return {"levels": f"L = {row['at']:g}", "size": f"ε × {row['at']:.3g}"}.get(row["axis"], name(row["method"]))


def losses(rows: pd.DataFrame) -> Table:
    """Return either network x its losses, and the parameters of the paper's own for ladders of several lengths."""
    objective = rows[rows.metric == "objective"]
    counts = parameters(rows)
    titles = {count: f"parameters, {count}" for count in dict.fromkeys(counts.metric)}
    every = pd.concat([objective.assign(metric=objective.variant), rows[rows.metric == "smoothed_loss"], counts])
    every = every.assign(network=every.method.map(lambda method: NETWORKS.get(method, name(method))))
    caption = (
        "Cf. Section 3.3 and Figure 3. Two networks on one ladder, from the same seed: the mean over levels of the denoising "
        "loss times σ² on as many training and unseen images, and the last point of the smoothed training curve. Parameters, in "
        "millions: of the paper's network for 32 × 32 pixels in colour and of NCSN's, which has a norm for each of the L levels. "
        "Mean ± s.d. over replicates."
    )
    frame = pivot(every, ["network"], LOSSES | titles, exact=dict.fromkeys(titles, "{:.1f}"))
    return Table("losses", "A network that is told no noise level", caption, frame)


def parameters(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the counts in millions for each data set and number of levels; told no level, a network has one for all."""
    found = rows[rows.metric == "parameters"]
    found = found.assign(value=found.value / 1e6)
    told, untold = found[found.axis == "levels"], found[found.axis != "levels"]
    lengths = sorted(told["at"].unique())
    every = pd.concat([told, *(untold.assign(at=length) for length in lengths)])
    every = every.assign(metric=every["at"].map("L = {:g}".format)).sort_values("at", kind="stable")
    names = rows[rows.dataset != ""].dataset.unique()
    return pd.concat([every.assign(dataset=dataset) for dataset in names]) if len(names) else every
