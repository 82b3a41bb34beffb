"""Figures of what needs no network: kernels, marginals, chains, likelihoods (Figure 5, Sections 3 and 4, App. C to E, H.2)."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from common.measure.drawing import plain, rows_of
from common.measure.figure_data import measured, stacked
from common.measure.figures import BLACK, GREY, VERMILION, Figure, Runs
from replications.ffjord.drawing import WIDTH, against, legend, panels, powers_of_ten
from replications.score_sde.drawing import at_values, first, guide, positional, shared_legend
from replications.score_sde.names import SDES, name, shade

# the SDE's curve as a wide pale line under the chain's: where both agree, both are seen
SDE, CHAIN = {"linewidth": 4, "alpha": 0.35}, {"linewidth": 1.1, "linestyle": "--"}
# Figure 5: title, curve of the chain, of the SDE, name of the chain, whose colour
FIGURE_5 = (
    ("variance", "smld_variance", "ve_variance", "SMLD", "ve"),
    ("scale of the mean", "ddpm_mean", "vp_mean", "DDPM", "vp"),
    ("variance", "ddpm_variance", "vp_variance", "DDPM", "vp"),
)
KERNELS = {("smld", "variance"): ("ve", "-"), ("ddpm", "variance"): ("vp", "-"), ("ddpm", "mean"): ("vp", ":")}
PAIRS = {
    "sde to ode": (shade("reverse_diffusion"), "SDE to ODE"),
    "sde to exact": (shade("ancestral"), "SDE to exact"),
    "ode to exact": (shade("probability_flow"), "ODE to exact"),
}
PROBES = {"rademacher": shade("ancestral"), "gaussian": VERMILION}
RULES = ("euler_maruyama", "reverse_diffusion", "ancestral")
ENDS = {"exact end": "o", "prior": "s"}  # what the log-density of latents is


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    if runs.find("sde_facts"):
        yield from (partial(draw, runs) for draw in (discrete_chains, simulations, marginals, chains, probes))


def discrete_chains(runs: Runs) -> Figure:
    """Kernels of SMLD's and DDPM's chains over those of the SDEs, and how far they are apart by N (Figure 5)."""
    found = runs.find("sde_facts")
    arrays, rows = first(found).arrays, rows_of(found)
    figure, axes = plt.subplots(1, 4, figsize=(WIDTH, 2.6))
    for axis, (title, chain, sde, of, colour) in zip(axes, FIGURE_5):
        axis.plot(arrays["t"], arrays[sde], color=shade(colour), label=f"{name(colour)} SDE", **SDE)
        axis.plot(arrays["t"], arrays[chain], color=BLACK, label=of, **CHAIN)
        axis.set(xlabel="time t", title=title)
        axis.legend()
    axes[0].set_yscale("log")
    powers_of_ten(axes[0].yaxis)
    gaps = rows[rows.metric == "kernel_gap"]
    for (method, variant), (colour, line) in KERNELS.items():
        mine = gaps[(gaps.method == method) & (gaps.variant == variant)]
        against(axes[3], mine, shade(colour), f"{name(colour)}, {variant}", line, band=False)
    guide(axes[3], gaps[(gaps.method == "ddpm") & (gaps.variant == "mean")], -1, "∝ 1/N")
    axes[3].set(xscale="log", yscale="log", xlabel="scales N", title="largest relative gap")
    at_values(axes[3].xaxis, gaps["at"])
    plain(axes[3].yaxis, (1, 3))
    axes[3].set_ylim(bottom=axes[3].get_ylim()[0] / 10)  # where the legend is
    legend(axes[3], "lower left")
    curves = [key for *_, chain, sde, _, _ in FIGURE_5 for key in (chain, sde)]
    return Figure(
        "discrete-chains",
        "Chains of many noise levels are nearly their SDEs",
        "Cf. Figure 5. Left to right: variance of SMLD's chain and of the VE SDE, mean scale and variance of DDPM's chain and of "
        "the VP SDE, at N = 1000 scales; and the largest relative gap between chain and SDE by N. No draws are involved: all "
        "replicates are alike.",
        "Three plots against time in which a dashed line lies on a pale one, and a log-log plot of three gaps that fall like "
        "1/N.",
        figure,
        runs=found,
        data=stacked({key: (arrays["t"], arrays[key]) for key in curves}, ("curve",), ("t", "value")),
        arrays="arrays.npz",
    )


def simulations(runs: Runs) -> Figure:
    """Gaps of simulated means and variances from the closed forms, in standard errors (Equation 29)."""
    found = runs.find("sde_facts")
    rows = rows_of(found)
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH * 0.8, 2.5), sharey=True)
    for axis, (metric, title) in zip(axes, {"simulated_mean_gap": "mean", "simulated_variance_gap": "variance"}.items()):
        mine = rows[rows.metric == metric]
        for place, sde in enumerate(SDES):
            of = mine[mine.dataset == sde]
            beside = 0.025 * (place - 1)
            style = {"alpha": 0.6, "markeredgewidth": 0, "markersize": 5}
            axis.plot(of["at"] + beside, of.value / of.error, "o", color=shade(sde), label=name(sde), **style)
        axis.axhline(2, color=BLACK, linestyle="--", linewidth=1, label="2 standard errors")
        axis.set(xlabel="time t", title=title, xticks=sorted(mine["at"].unique()))
    axes[0].set(ylabel="gap, standard errors", ylim=(0, None))
    shared_legend(figure, axes, 4)
    return Figure(
        "simulations",
        "Simulated SDEs have the moments of the closed forms",
        "Cf. Equation 29. Euler-Maruyama simulations of the forward SDEs from one point: how far mean and variance are from the "
        "closed form, over the standard error of as many simulations. A dot for each replicate, of which each has a point of its "
        "own; of right moments one dot in twenty lies above the dashed line.",
        "Two plots of dots against time, for three SDEs; most dots lie below the dashed line at 2.",
        figure,
        runs=found,
        data=measured(rows, "simulated_mean_gap", "simulated_variance_gap"),
    )


def marginals(runs: Runs) -> Figure:
    """Distances between samples of the reverse SDE, of the ODE and of the exact marginal (Section 4.3, Appendix D.1)."""
    found = runs.find("sde_facts")
    rows = rows_of(found)
    rows = rows[rows.metric == "marginal_distance"]
    sdes = [sde for sde in SDES if sde in set(rows.dataset)]
    figure, axes = panels(len(sdes), 2.7, sharey=True)
    for axis, sde in zip(axes, sdes):
        mine = rows[rows.dataset == sde]
        times = sorted(mine["at"].unique(), reverse=True)
        placed = mine.assign(at=mine["at"].map({t: place for place, t in enumerate(times)}))
        for pair, (colour, label) in PAIRS.items():
            against(axis, placed[placed.variant == pair], colour, label)
        floors = placed.groupby("at").floor.mean()
        axis.plot(floors.index, floors, color=BLACK, linestyle="--", linewidth=1, label="exact to exact")
        axis.set_xticks(range(len(times)), [positional(t) for t in times])
        axis.set(title=name(sde), xlabel="time t, towards data", ylim=(0, 1.08 * rows.value.max()))
    axes[0].set_ylabel("sliced Wasserstein distance")
    shared_legend(figure, axes, 4)
    return Figure(
        "marginals",
        "Reverse SDE and probability flow have the same marginals",
        "Cf. Section 4.3 and Appendix D.1. Exact scores of a mixture: both processes start from the marginal at t = 1; the "
        "sliced Wasserstein distance between their samples, and to draws of the exact marginal, at several times. Dashed: two "
        "sets of draws. Lines are means over replicates, bands span them.",
        "A panel for each SDE with three lines close to one another and to the dashed one.",
        figure,
        runs=found,
        data=measured(rows, "marginal_distance"),
    )


def chains(runs: Runs) -> Figure:
    """Ancestral sampling and reverse diffusion by N: how far apart they end, and with what variance (Appendices E and H.2)."""
    found = runs.find("sde_facts")
    rows = rows_of(found)
    gaps, variances = (rows[rows.metric == metric] for metric in ("end_point_gap", "end_variance"))
    figure, (left, *others) = plt.subplots(1, 3, figsize=(WIDTH, 2.8))
    for sde in SDES:
        against(left, gaps[gaps.dataset == sde], shade(sde), name(sde))
    guide(left, gaps[gaps.dataset == "ve"], -1, "∝ 1/N")
    left.set(xscale="log", yscale="log", xlabel="scales N", title="distance of end points")
    at_values(left.xaxis, gaps["at"])
    plain(left.yaxis, (1, 2, 5))
    legend(left, "upper right")
    for axis, sde in zip(others, ("vp", "sub_vp")):
        mine = variances[variances.dataset == sde]
        for rule, line in zip(RULES, ("-", "-", "--")):
            against(axis, mine[mine.method == rule], shade(rule), name(rule), line)
        axis.axhline(1, color=BLACK, linestyle=":", linewidth=1)
        axis.set(xscale="log", xlabel="scales N", title=f"variance over exact, {name(sde)}")
        at_values(axis.xaxis, mine["at"])
    if len(others[0].lines) > 1:
        others[0].legend()
    return Figure(
        "ancestral-or-reverse",
        "Ancestral sampling, reverse diffusion and Euler-Maruyama",
        "Cf. Appendices E and H.2. Left: median distance between the end points of ancestral sampling and reverse diffusion with "
        "the same noise, on a mixture with exact scores. Others: on Gaussian data with its exact score, the variance of samples "
        "at the least time over what it should be; reverse diffusion and ancestral sampling step by DDPM's kernels, which are "
        "not the sub-VP SDE's. Bands span the replicates, each of which has a mixture and a Gaussian of its own.",
        "Left: log-log plot, two lines that fall like 1/N. Middle and right: ratios of variances against N; on VP all near 1, on "
        "sub-VP only Euler-Maruyama's.",
        figure,
        runs=found,
        data=measured(pd.concat([gaps, variances]), "end_point_gap", "end_variance"),
    )


def probes(runs: Runs) -> Figure:
    """Errors of estimated divergences and log-densities by probes averaged, and of exact ones (Section 4.3, Appendix D.2)."""
    found = runs.find("sde_facts")
    rows = rows_of(found)
    divergence, estimated, gaps = (
        rows[rows.metric == metric] for metric in ("divergence_error", "likelihood_error", "likelihood_gap")
    )
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 2.8))
    for axis, mine, title in zip(axes, (divergence, estimated), ("error of the divergence", "error of log p, nats")):
        for method, colour in PROBES.items():
            against(axis, mine[mine.method == method], colour, f"{method.capitalize()} probes")
        guide(axis, mine[mine.method == "rademacher"], -0.5, "∝ 1/√n")
        axis.set(xscale="log", yscale="log", xlabel="probes averaged, n", title=title)
        at_values(axis.xaxis, mine["at"])
        plain(axis.yaxis, (1, 2, 5))
    shared_legend(figure, axes[:2], 3)
    _exact_ends(axes[2], gaps)
    return Figure(
        "probes",
        "Likelihoods by the probability flow, to any accuracy",
        "Cf. Section 4.3 and Appendix D.2. Exact scores of a mixture. Left: root mean square error of the estimated divergence "
        "on the VP SDE, by the number of probes averaged. Middle: of log-densities, by the number of solves averaged, each with "
        "one Rademacher probe. Right: mean absolute error with the exact divergence, with the exact marginal at t = 1 and with "
        "the prior in its place. Bands and dots are of the replicates.",
        "Two log-log plots of errors that fall like one over the root of the number of probes, and dots of far smaller errors "
        "for three SDEs.",
        figure,
        runs=found,
        data=measured(pd.concat([divergence, estimated, gaps]), "divergence_error", "likelihood_error", "likelihood_gap"),
    )


def _exact_ends(axis: Axes, gaps: pd.DataFrame) -> None:
    """Draw the errors of exact likelihoods by SDE, with either density at the end."""
    for end, (marker, beside) in zip(ENDS, zip(ENDS.values(), (-0.12, 0.12))):
        for place, sde in enumerate(SDES):
            found = gaps[(gaps.dataset == sde) & (gaps.variant == end)].value
            fill = shade(sde) if end == "prior" else "none"
            axis.plot(np.full(len(found), place + beside), found, marker, color=shade(sde), markerfacecolor=fill, markersize=5)
        axis.plot([], [], marker, color=GREY, markerfacecolor=GREY if end == "prior" else "none", label=end)
    axis.set_xticks(range(len(SDES)), [name(sde) for sde in SDES])
    axis.set(yscale="log", title="with exact divergence, nats", xlim=(-0.5, len(SDES) - 0.5))
    axis.legend(loc="upper right")
