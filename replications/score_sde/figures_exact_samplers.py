"""Figures of samplers with exact scores: what is left is their own error (Tables 1 and 5, Figures 3 and 9)."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt

from common.measure.drawing import plain, rows_of
from common.measure.figure_data import measured
from common.measure.figures import Figure, Runs
from replications.ffjord.drawing import WIDTH, against, panels, powers_of_ten
from replications.score_sde.drawing import at_values, floored, shared_legend
from replications.score_sde.names import KINDS, PREDICTORS, SDES, name, shade


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    if runs.find("exact_samplers"):
        yield from (partial(draw, runs) for draw in (kinds, corrector_strength, corrector_share, solver))


def kinds(runs: Runs) -> Figure:
    """Distance by N of each predictor alone, at twice as many scales, with a corrector, and of the corrector alone (Table 1)."""
    found = runs.find("exact_samplers")
    rows = rows_of(found)
    rows = rows[(rows.metric == "sampler_distance") & (rows.method != "data")]
    sdes = [sde for sde in SDES if sde in set(rows.dataset)]
    predictors = [predictor for predictor in PREDICTORS if predictor in set(rows.method)]
    size = (WIDTH, 2.1 * max(1, len(sdes)) + 0.4)
    figure, axes = plt.subplots(max(1, len(sdes)), max(1, len(predictors)), figsize=size, sharex=True, sharey=True, squeeze=False)
    for line, sde in zip(axes, sdes):
        for axis, predictor in zip(line, predictors):
            # the corrector alone is beside every predictor
            mine = rows[(rows.dataset == sde) & rows.method.isin([predictor, "corrector_only"])]
            for kind in KINDS:
                against(axis, mine[mine.variant == kind], shade(kind), name(kind))
            floored(axis, rows)
            axis.set(xscale="log", yscale="log", title=f"{name(sde)}, {name(predictor)}")
            at_values(axis.xaxis, rows["at"])
            plain(axis.yaxis, (1, 2, 5))
        line[0].set_ylabel("sliced Wasserstein distance")
    for axis in axes[-1]:
        axis.set_xlabel("scales N")
    shared_legend(figure, axes.flat, 5)
    return Figure(
        "predictors-and-correctors",
        "Predictors, correctors and both, with exact scores",
        "Cf. Table 1. Distance to data of a mixture's samples by its exact score: of a predictor at N scales and at 2N, of the "
        "corrector alone with two steps at each of N scales, and of a predictor with one corrector step at each of N; the last "
        "three cost the same. Dashed: data against data. Lines are means over replicates, bands span them.",
        "A log-log panel for each SDE and predictor with a line for each kind of sampler; those with a predictor come down to "
        "the dashed one as N grows.",
        figure,
        runs=found,
        data=measured(rows, "sampler_distance"),
    )


def corrector_strength(runs: Runs) -> Figure:
    """Distance by the corrector's signal-to-noise ratio, with a predictor and without (Table 5)."""
    found = runs.find("exact_samplers")
    rows = rows_of(found)
    rows = rows[rows.metric == "snr_distance"]
    sdes = [sde for sde in SDES if sde in set(rows.dataset)]
    figure, axes = panels(len(sdes), 2.7, per_line=max(2, len(sdes)), sharey=True)
    for axis, sde in zip(axes, sdes):
        mine = rows[rows.dataset == sde]
        for kind, label in {"PC": "reverse diffusion and corrector", "C2": "corrector alone"}.items():
            against(axis, mine[mine.variant == kind], shade(kind), label)
        floored(axis, mine)
        axis.set(yscale="log", xlabel="signal-to-noise ratio r", title=name(sde))
        plain(axis.yaxis, (1, 3))
    axes[0].set_ylabel("sliced Wasserstein distance")
    shared_legend(figure, axes, 3)
    scales = found[0].info["settings"]["snr_scales"]
    return Figure(
        "corrector-strength",
        "How strong the corrector should be",
        f"Cf. Table 5. Exact scores of a mixture, N = {scales}: distance of samples to data by the signal-to-noise ratio of the "
        "corrector, with a predictor (one step at each scale, 0 being none) and alone (two). Dashed: data against data. "
        "Lines are means over replicates, bands span them.",
        "A panel for each SDE: with a predictor the ratio matters little; alone, weak correctors end far from data.",
        figure,
        runs=found,
        data=measured(rows, "snr_distance"),
    )


def corrector_share(runs: Runs) -> Figure:
    """Distance by the corrector's share of a fixed number of evaluations (Figure 9)."""
    found = runs.find("exact_samplers")
    rows = rows_of(found)
    rows = rows[rows.metric == "share_distance"]
    figure, axis = plt.subplots(figsize=(5.6, 2.6))
    for predictor in [each for each in PREDICTORS if each in set(rows.method)]:
        # with no evaluations for a predictor none is told from another: all lines end alike
        against(axis, rows[rows.method.isin([predictor, "corrector_only"])], shade(predictor), name(predictor))
    floored(axis, rows)
    axis.set(xlabel="corrector's share of the evaluations", ylabel="sliced Wasserstein distance", ylim=(0, None))
    axis.xaxis.set_major_formatter("{x:.0%}")
    if axis.lines:
        axis.legend(loc="upper left")
    settings = found[0].info["settings"]
    return Figure(
        "corrector-share",
        "How to share evaluations between predictor and corrector",
        f"Cf. Figure 9. Exact scores of a mixture, {name(settings['shared_on'])} SDE, {settings['evaluations']} evaluations: "
        "distance of samples to data by the share that goes to the corrector; at 100 % there is no predictor. Dashed: data "
        "against data. Lines are means over replicates, bands span them.",
        "Lines of the distance against the corrector's share for two predictors; both rise steeply towards the corrector alone.",
        figure,
        runs=found,
        data=measured(rows, "share_distance"),
    )


def solver(runs: Runs) -> Figure:
    """Evaluations and distance of the flow's samples by the solver's tolerance (Figure 3)."""
    found = runs.find("exact_samplers")
    rows = rows_of(found)
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH * 0.8, 2.6))
    for axis, metric, title in zip(axes, ("ode_nfe", "ode_distance"), ("evaluations", "sliced Wasserstein distance")):
        mine = rows[rows.metric == metric]
        for sde in SDES:
            against(axis, mine[mine.dataset == sde], shade(sde), name(sde))
        floored(axis, mine)
        axis.set(xscale="log", xlabel="tolerance", title=title)
        powers_of_ten(axis.xaxis)
    axes[0].set_ylim(0, None)
    axes[1].set_yscale("log")
    plain(axes[1].yaxis, (1, 3))
    shared_legend(figure, axes, 3)
    return Figure(
        "flow-tolerance",
        "Evaluations and samples by the solver's tolerance, with exact scores",
        "Cf. Figure 3. Samples of a mixture by the probability flow of its exact score, denoised last: evaluations of RK45 and "
        "distance to data, by its relative and absolute tolerance. Dashed: data against data. Lines are means over replicates, "
        "bands span them.",
        "Left: evaluations fall as the tolerance grows. Right: the distance is that of data up to a tolerance of about 0.001, "
        "and far larger at 0.1.",
        figure,
        runs=found,
        data=measured(rows, "ode_nfe", "ode_distance"),
    )
