"""Tables of the report: mean over replicates with the standard deviation."""

from collections.abc import Callable, Iterator

import pandas as pd

from common.measure.figures import Table, marked, mean_and_deviation
from common.measure.table_cells import in_order, pivot
from replications.score_sde.names import KINDS, NAMES, SDES, name

# rows that are no method, by what the tables call them
ROLES = {NAMES["data"]: "floor", NAMES["noise"]: "baseline", NAMES["uniform"]: "baseline"}
# columns of a model, by metric; the samplers of its samples are the variants of one
LIKELIHOODS = {
    "nll_median": "bits/dim, median",
    "nll": "bits/dim, mean",
    "forward variance": "bound, forward variance",
    "posterior variance": "bound, posterior variance",
    "nfe": "NFE",
    "ODE": "Fréchet, flow",
    "SDE": "Fréchet, reverse SDE",
    "PC": "Fréchet, with corrector",
}
DENOISING = {
    "denoising_change": "change over noise removed",
    "sampler_distance": "distance with it",
    "undenoised_distance": "without",
}
AGREEMENT = {
    "latent_difference": "difference, over other images'",
    "latent_correlation": "rank correlation",
    "shuffled_correlation": "of other images",
}


def tables(metrics: pd.DataFrame) -> Iterator[Table]:
    """Yield the tables that the rows present allow."""
    makers: dict[str, tuple[Callable[[pd.DataFrame], Table], ...]] = {
        "exact_samplers": (exact_samplers, last_denoising),
        "likelihood": (likelihoods,),
        "latent_codes": (latents,),
    }
    for experiment, made in makers.items():
        rows = metrics[metrics.experiment == experiment]
        if len(rows):
            yield from (make(in_order(rows, NAMES)) for make in made)


def exact_samplers(rows: pd.DataFrame) -> Table:
    """Return SDEs, N and predictors x kinds of samplers."""
    mine = rows[(rows.metric == "sampler_distance") & (rows.method != "data")]
    found = mine.groupby(["dataset", "at", "method", "variant"]).value.agg(mean_and_deviation).unstack("variant")
    kinds = [kind for kind in KINDS if kind in found]
    places = [*SDES, *NAMES]  # of SDEs and of predictors alike
    frame = found[kinds].reset_index().sort_values(["dataset", "at", "method"], key=lambda column: column.map(_place(places)))
    frame.insert(1, "N", frame.pop("at").map("{:g}".format))
    frame = frame.assign(dataset=frame.dataset.map(name), method=frame.method.map(name)).fillna("–")
    frame = frame.rename(columns={"dataset": "SDE", "method": "predictor", **{kind: name(kind) for kind in kinds}})
    frame = frame.reset_index(drop=True).rename_axis(columns=None)
    of_data = mean_and_deviation(rows[(rows.metric == "sampler_distance") & (rows.method == "data")].value)
    floor = pd.DataFrame([{"SDE": "–", "N": "–", "predictor": name("data"), **dict.fromkeys(map(name, kinds), of_data)}])
    caption = (
        "Cf. Table 1. Exact scores of a mixture: sliced Wasserstein distance of samples to data, of a predictor at N scales and "
        "at 2N, of two corrector steps at each of N scales, and of a predictor with one corrector step at each of N; the last "
        "three cost the same. Data: other data in the samples' place. Mean ± s.d. over replicates."
    )
    table = Table("exact-samplers", "Predictors, correctors and both", caption, pd.concat([frame, floor], ignore_index=True))
    return marked(table, ROLES, "predictor")


def _place(order: list[str]) -> Callable[[object], object]:
    """Return what puts names in an order and leaves numbers as they are."""
    return lambda each: order.index(each) if each in order else each


def last_denoising(rows: pd.DataFrame) -> Table:
    """Return SDEs and N x what the last denoising step changes."""
    mine = rows[(rows.method == "reverse_diffusion") & (rows.axis == "scales") & (rows.variant.isin(["", "P"]))]
    caption = (
        "Cf. Appendix G. Reverse diffusion with exact scores at N scales: root mean square change by the last step, which "
        "removes noise only, over the noise's standard deviation, and sliced Wasserstein distance to data with that step and "
        "without. Mean ± s.d. over replicates."
    )
    mine = mine.assign(SDE=mine.dataset.map(name), N=mine["at"].map("{:g}".format), dataset="")
    return Table("last-denoising", "The last denoising step", caption, pivot(mine, ["SDE", "N"], DENOISING))


def likelihoods(rows: pd.DataFrame) -> Table:
    """Return image data sets and models x bits/dim, its bounds, evaluations and distances of samples."""
    nll, frechet = rows[rows.metric == "nll"], rows[rows.metric == "feature_frechet"]
    # data and noise are compared in no sampler's way: they stand in the first column of distances
    samples = frechet.assign(metric=frechet.variant.where(frechet.variant.isin(["ODE", "SDE", "PC"]), "ODE"))
    bounds = rows[rows.metric == "variational_bound"]
    nfe = nll[nll.nfe.notna()]
    parts = [rows[rows.metric == "nll_median"], nll, bounds.assign(metric=bounds.variant), samples]
    every = in_order(pd.concat([*parts, nfe.assign(metric="nfe", value=nfe.nfe)]), NAMES)
    caption = (
        "Cf. Table 2. Bits/dim of test images by the probability flow, median and mean of the images (one that a flow takes far "
        "out can decide the mean), and mean variational bounds with either variance of the reverse steps; evaluations of a "
        "solve; feature Fréchet distance of samples by the flow, by the reverse SDE, and with a corrector. Data: training images "
        "in the samples' place. Mean ± s.d. over replicates."
    )
    frame = pivot(every.assign(model=every.method.map(name)), ["model"], LIKELIHOODS)
    return marked(Table("likelihoods", "Likelihoods and samples", caption, frame), ROLES, "model")


def latents(rows: pd.DataFrame) -> Table:
    """Return image data sets, objectives and states of a network x agreement with a second one."""
    mine = rows[rows.metric.isin(AGREEMENT)]
    share = mine["at"].map("at {:.0%} of training".format).where(mine.axis == "share of training", mine.variant)
    caption = (
        "Cf. Figures 7 and 8. Latents of test images under the suite's network, or under the flow of a Gaussian with the data's "
        "mean and covariance, against those under a second network: median difference over that of different images, rank "
        "correlation over images (median over dimensions), and the same of different images. Mean ± s.d. over replicates."
    )
    frame = pivot(mine.assign(model=mine.method.map(name), latents=share), ["model", "latents"], AGREEMENT)
    kinds = ["baseline" if each == "Gaussian flow" else "" for each in frame.latents]
    return Table("latent-agreement", "Two networks' latents of an image", caption, frame, kinds)
