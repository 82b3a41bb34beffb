"""Tables of what needs no network or follows its chains: published ladders, exact scores, interpolations."""

import pandas as pd

from common.measure.figures import Table, marked
from common.measure.table_cells import pivot
from replications.ncsnv2.names import NAMES, name
from replications.ncsnv2.published import NCSN, PUBLISHED

EXACT = "exact draws"
# rows that are no method, by what the tables call them
KINDS = {EXACT: "floor", NAMES["data"]: "floor", NAMES["blend"]: "baseline"}
MODELS = pd.DataFrame((NCSN, *PUBLISHED)).rename(columns={"data": "dataset", "paper": "variant", "dim": "D", "steps": "T"})
LADDERS = {
    "levels published": ("L", "{:.0f}"),
    "levels techniques": ("L, technique 2", "{:.0f}"),
    "shell_mass published": ("shell mass C", "{:.4f}"),
    "step_size published": ("ε", "{:.3g}"),
    "step_size techniques": ("ε, technique 4", "{:.3g}"),
    "final_variance published": ("s_T² / σ²", "{:.4f}"),
    "final_variance techniques": ("s_T² / σ², technique 4", "{:.4f}"),
    "evaluations published": ("evaluations", "{:.0f}"),
}
COVERAGE = {
    "distance_over_data": "distance over data's",
    "distinct_centres": "images reached",
    "class_variation": "class variation",
}
BOUND = {
    "log10_bound_at_median": "log₁₀ of the bound at the median distance",
    "median_over_bound": "median pair, over its bound",
    "largest_over_bound": "largest pair, over its bound",
    "error": "its standard error",
}
ALONE = {"mixture": "among all images", "two images alone": "alone"}
PATHS = {
    "step_over_independent pixels": "neighbours in pixels",
    "step_over_independent features": "neighbours in features",
    "largest_step_over_independent features": "farthest in features",
    "ends": "Fréchet distance at the ends",
    "middle": "in the middle",
}


def published_ladders(rows: pd.DataFrame) -> Table:
    """Return published models x their levels, masses and steps, with those of techniques 2 and 4."""
    # in the order of the models
    every = MODELS.merge(rows.assign(metric=rows.metric + " " + rows.method), on=["dataset", "variant"])
    every = every.assign(model=every.variant.map(name), **{"σ₁": every.sigma_max.map("{:g}".format)})
    caption = (
        "Cf. Table 4. What the paper ran, for D numbers in an image and noise levels from σ₁ to 0.01: L levels, with the mass C "
        "of a level on the shell of the level before, and T steps at each, of size ε, which leave a variance of s_T² where the "
        "level has σ²; beside them what technique 2 gives for L at C = 0.567, what technique 4 gives for ε, and the variance "
        "that this leaves. A sample takes T L evaluations of the network. The same in all replicates."
    )
    titles, formats = ({key: pair[place] for key, pair in LADDERS.items()} for place in (0, 1))
    frame = pivot(every, ["model", "D", "σ₁", "T"], titles, formats)
    return Table("published-ladders", "Published ladders, by the techniques", caption, frame)


def largest_level(rows: pd.DataFrame) -> Table:
    """Return largest levels x starts with what chains with exact scores cover."""
    mine = with_floor(rows[(rows.axis == "sigma_over_median") & rows.metric.isin(COVERAGE)], rows)
    groups = mine.groupby(["dataset", "variant"])
    mine = mine.assign(share=groups["at"].transform("mean"))
    # from the smallest level up; the sort is stable, so starts keep their order
    mine = mine.sort_values(["dataset", "last", "share"], kind="stable")
    share, nfe = mine.share.map("{:.3g}".format), groups.nfe.transform("max").map("{:.0f}".format)
    of_data = mine.method == "data"
    shown = mine.assign(
        **{"σ₁": mine.variant.replace({"1": "1 (NCSN)"}).mask(of_data, "–"), "over median": share.mask(of_data, "–")},
        NFE=nfe.mask(of_data, "–"),
        start=mine.method.map(name).mask(of_data, EXACT),
    )
    caption = (
        "Cf. Proposition 1 and Figure 2. Annealed Langevin dynamics with the exact score of a mixture of Gaussians around "
        "images, from a largest level σ₁, also over the images' median distance, by where all chains start. Mean distance "
        "of two samples over that of two images; images reached: centres that are nearest to any sample, over what as many "
        "independent draws reach in expectation; total variation between the classes of these and those of all images. Exact "
        "draws: of the mixture itself. Mean ± s.d. over replicates."
    )
    frame = pivot(shown, ["σ₁", "over median", "NFE", "start"], COVERAGE)
    return marked(Table("largest-level", "Coverage by largest noise level and start", caption, frame), KINDS, "start")


def with_floor(rows: pd.DataFrame, every: pd.DataFrame) -> pd.DataFrame:
    """Return rows with those of exact draws last for each of their data sets."""
    floor = every[(every.method == "data") & (every.variant == EXACT) & every.dataset.isin(rows.dataset)]
    both = pd.concat([rows, floor], ignore_index=True)
    return both.assign(last=both.method == "data").sort_values(["dataset", "last"], kind="stable", ignore_index=True)


def budget_splits(rows: pd.DataFrame) -> Table:
    """Return the ways to split a budget into levels and steps, with what chains with exact scores cover."""
    mine = with_floor(rows[rows.axis == "levels"], rows).sort_values(["dataset", "last", "at"], kind="stable")
    of_data = mine.method == "data"
    levels, steps = mine["at"].map("{:.0f}".format), (mine.nfe / mine["at"]).map("{:.0f}".format)
    shown = mine.assign(L=levels.mask(of_data, EXACT), T=steps.mask(of_data, "–"))
    caption = (
        "Cf. Section 3.2. One budget of steps, split into L levels from the largest distance on, with T steps at each whose size "
        "technique 4 gives; chains with exact scores from uniform noise. The measures are those of the table of largest levels. "
        "With exact scores few levels do: technique 2 is about scores that are learned. Mean ± s.d. over replicates."
    )
    frame = pivot(shown, ["L", "T"], COVERAGE)
    return marked(Table("budget-splits", "Few or many noise levels, with exact scores", caption, frame), KINDS, "L")


def bound(rows: pd.DataFrame) -> Table:
    """Return widths of Gaussians x how near pairs of images come to the bound of Proposition 1."""
    mine = rows[rows.metric.isin(BOUND)]
    of_pairs = mine[mine.method.isin(ALONE)]
    # the bound itself is the same for both
    bounds = [mine[mine.metric == "log10_bound_at_median"].assign(method=method) for method in ALONE]
    errors = of_pairs[of_pairs.metric == "largest_over_bound"].assign(metric="error", value=lambda each: each.error)
    every = pd.concat([of_pairs, *bounds, errors.dropna(subset="value")], ignore_index=True)
    every = every.sort_values(["dataset", "at"], kind="stable")  # the narrowest Gaussians first
    shown = every.assign(**{"σ": every.variant.replace({"1": "1 (NCSN)"}), "two images": every.method.map(ALONE)})
    caption = (
        "Cf. Proposition 1. Mean share that one image has in the density at draws around another, over the proposition's bound "
        "½ exp(−d² / 8σ²) for two images at distance d: the pair that comes nearest to it and the median pair, among all images "
        "of a mixture and with only the two. Above 1 the bound would be broken. Mean ± s.d. over replicates."
    )
    frame = pivot(shown, ["σ", "two images"], BOUND, exact={"error": "{:.2g}"})
    return Table("bound", "How much of one image its neighbours' noise sees", caption, frame)


def interpolations(rows: pd.DataFrame) -> Table:
    """Return interpolations x distances of neighbours at the least angle, and of points from test images."""
    smooth, quality = rows[rows.axis == "angle"], rows[rows.axis == "point"]
    least = smooth[smooth["at"] == smooth.groupby("dataset")["at"].transform("min")]
    ends = quality[quality["at"].isin([0, 1])].groupby(["dataset", "method", "seed"], sort=False).value.mean().reset_index()
    of_data = quality.groupby(["dataset", "seed"]).floor.first().dropna().rename("value").reset_index().assign(method="data")
    parts = [
        least.assign(metric=least.metric + " " + least.variant),
        ends.assign(metric="ends"),
        quality[quality["at"] == 0.5].assign(metric="middle"),
        *(of_data.assign(metric=metric) for metric in ("ends", "middle")),
    ]
    every = pd.concat(parts, ignore_index=True).sort_values("dataset", kind="stable")
    caption = (
        "Cf. the appendix. Paths between two samples, by turning the noise of every step from one's to the other's, and by "
        f"blending the two images. Mean distance of neighbours at the least angle ({angles(least)}), over that of samples which "
        "have nothing in common, and of the farthest neighbours of each path; distance to test images in features, at the ends "
        "and in the middle of the paths. Data: training images in the samples' place. Mean ± s.d. over replicates."
    )
    frame = pivot(every.assign(interpolation=every.method.map(name)), ["interpolation"], PATHS)
    return marked(Table("interpolation", "Interpolations between samples", caption, frame), KINDS, "interpolation")


def angles(rows: pd.DataFrame) -> str:
    """Return the angles of rows in words."""
    return ", ".join(f"{angle:.3g}°" for angle in sorted(rows["at"].unique()))
