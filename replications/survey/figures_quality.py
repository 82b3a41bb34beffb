"""Figures of the comparison: what samples are worth by evaluations and by seconds."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from common.measure.drawing import datasets, rows_of
from common.measure.figure_data import measured
from common.measure.figures import GREY, Figure, RunFolder, Runs, Tip
from replications.ffjord.drawing import WIDTH, panels
from replications.gotta_go_fast.drawing import below, ticks
from replications.survey import drawing
from replications.survey.fronts import averaged, cells_of
from replications.survey.names import mark, name


class Compared(NamedTuple):
    """An experiment of samplers x models, by what is measured of its samples; `of` begins the names of its figures."""

    metric: str
    label: str
    said: str
    of: str = ""


COMPARED = {
    "learned": Compared("feature_frechet", drawing.DISTANCE, "Fréchet distance of samples to test images in features"),
    "learned_2d": Compared("mmd", drawing.MMD, "maximum mean discrepancy of samples from the density", "plane-"),
}


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for experiment in COMPARED:
        for dataset in datasets(runs, experiment):
            found = drawing.with_own(runs, experiment, dataset=dataset)
            yield partial(pareto, found, experiment, dataset)
            yield partial(by_objective, found, experiment, dataset)


def pareto(found: list[RunFolder], experiment: str, dataset: str) -> Figure:
    """The front of every objective over all samplers, against evaluations and against seconds."""
    what, rows = COMPARED[experiment], rows_of(found)
    cells, tips = averaged(cells_of(rows, what.metric)), []
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.9), sharey=True)
    for axis, (cost, label) in zip(axes, drawing.COSTS.items()):
        axis.set(xscale="log", yscale="log", xlabel=label)
        tips += drawing.fronts(axis, cells, cost, what.label)
        drawing.floor(axis, cells)
        ticks(axis)
    axes[0].set_ylabel(what.label)
    best = {tip.text.partition(" by ")[2].partition(":")[0].partition(",")[0] for tip in tips}
    marks = [
        Line2D([], [], color=GREY, marker=mark(each), linestyle="", label=name(each))
        for each in drawing.samplers_of(cells)
        if name(each).partition(",")[0] in best
    ]
    below(figure, [axes[0]], ncols=6, more=marks)
    return Figure(
        f"{what.of}pareto-{dataset}",
        f"What a sample is worth by what it costs: {dataset}",
        f"For every objective (colours) the samplers (marks) that no other beats at the same or a lower cost: {what.said}, means "
        "over replicates. Left: network evaluations; right: wall time of a sample, drawn in a batch on this machine. Thin "
        "dashed: as many data. All samplers start from the same noise. An exact score, where there is one, is that of the "
        "training set: what it reproduces are training images.",
        "Two panels of falling staircases, one for each objective, that flatten above or near the dashed line of data.",
        figure,
        runs=found,
        data=measured(rows, what.metric),
        tips=tips,
    )


def by_objective(found: list[RunFolder], experiment: str, dataset: str) -> Figure:
    """A panel for each objective with a line for every sampler, and their front."""
    what, rows = COMPARED[experiment], rows_of(found)
    cells, models = averaged(cells_of(rows, what.metric)), drawing.variants(rows)
    figure, tips = small_panels(cells, models, what.label)
    return Figure(
        f"{what.of}by-objective-{dataset}",
        f"Every sampler on every objective: {dataset}",
        f"{what.said[0].upper()}{what.said[1:]} against evaluations, means over replicates. Warm colours: samplers that draw "
        "noise on the way; cold: solvers of the flow. Wide grey: the front, what no sampler beats at as many evaluations. "
        "Dashed: as many data. What lies above the panels is not shown. Cells that cannot run are in the table of refusals.",
        "Small panels, one an objective, each with falling lines of about a dozen samplers above a grey staircase.",
        figure,
        runs=found,
        data=measured(rows, what.metric),
        tips=tips,
    )


def small_panels(cells: pd.DataFrame, models: list[str], measure: str) -> tuple[Drawing, list[Tip]]:
    """Draw a panel for each model with a line for every sampler against evaluations; return it and what the dots say."""
    across = min((3, 4), key=lambda each: -len(models) % each)  # panels in a line, as few empty places as can be
    figure, axes = panels(len(models), 2.1, per_line=across, sharex=True, sharey=True)
    tips = []
    for place, (axis, model) in enumerate(zip(axes, models)):
        axis.set(xscale="log", yscale="log", title=name(model))
        tips += drawing.by_cost(axis, cells[cells.variant == model], "nfe", measure)
        drawing.floor(axis, cells)
        axis.set_ylabel(measure if place % across == 0 else "")
        axis.set_xlabel("evaluations" if place >= len(models) - across else "")
        axis.tick_params(labelbottom=place >= len(models) - across)
    if len(cells):
        # one sampler that diverges shall not flatten all others
        low, most = min(cells.value.min(), cells.floor.min()), cells.value.max()
        axes[0].set_ylim(0.7 * low, min(1.3 * most, 40 * cells.floor.mean()))
    ticks(axes[0])
    below(figure, axes, ncols=5)
    return figure, tips
