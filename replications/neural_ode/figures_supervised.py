"""Figures and tables of Section 3, supervised learning, and of the solver's use."""

from collections.abc import Callable, Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import LogLocator

from common.measure.figure_data import measured, stacked
from common.measure.figures import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Figure,
    Runs,
    Table,
    mean_and_deviation,
    mean_and_range,
    plain_ticks,
)

NAMES = {
    "resnet": "ResNet",
    "rk_net": "RK-Net",
    "ode_net": "ODE-Net",
    "ode_net_tight": "ODE-Net, tight tolerance",
    "dopri5": "dopri5",
    "bosh3": "bosh3",
    "vode": "Adams (VODE)",
    "lsoda": "LSODA",
    "adjoint": "adjoint",
    "backpropagation": "backpropagation",
}
# names that share a figure have different colours
COLOURS = {
    **{"resnet": BLACK, "rk_net": GREEN, "ode_net": BLUE, "ode_net_tight": VERMILION},
    **{"dopri5": BLUE, "bosh3": SKY, "vode": VERMILION, "lsoda": ORANGE},
    **{"adjoint": BLUE, "backpropagation": VERMILION},
}
OTHERS = (VERMILION, PURPLE, ORANGE, GREEN)


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    if runs.find("train_classifier"):
        yield partial(training, runs)
    if runs.find("solver_control"):
        yield partial(control, runs)
        yield partial(backward, runs)
    if runs.find("solver_practice"):
        yield partial(memory, runs)
        yield partial(practice, runs)


def tables(metrics: pd.DataFrame) -> Iterator[Table]:
    """Yield the tables that the rows present allow."""
    trained = metrics[metrics.experiment == "train_classifier"]
    if len(trained):
        caption = (
            "Cf. Table 1. Mean ± s.d. over replicates, each with a random split of its own. The claims allow the networks with "
            "an ODE one percentage point more than the ResNet."
        )
        yield Table("classifiers", "Residual blocks or one ODE block", caption, classifier_table(trained))
    controlled = metrics[metrics.experiment == "solver_control"]
    if (controlled.metric == "evaluation_share").any():
        caption = (
            "Cf. Figure 3b; our measurement. Time of a forward solve, and the share of it that passes inside the network, the "
            "rest being the solver's own; trained ODE-Net, dopri5, mean ± s.d. over replicates. The paper says that time is "
            "proportional to evaluations, and both parts are."
        )
        yield Table("time-of-evaluations", "Where the time goes", caption, share_table(controlled))
    control_rows = controlled[controlled.metric == "backward_ratio"]
    if len(control_rows):
        caption = (
            "Cf. Figure 3c. Evaluations of the adjoint pass over those of the forward pass, per solver, loss reduction and "
            "tolerance; trained ODE-Net, mean ± s.d. over replicates. The paper saw about 0.5 with SciPy's Adams method, whose "
            "row for a mean loss is judged; the others are our measurements."
        )
        yield Table("backward-evaluations", "Evaluations of the backward pass", caption, backward_table(control_rows))


def classifier_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return networks x (test error, parameters, parameters of a block, seconds of training)."""
    error = rows[rows.metric == "test_error"]
    seconds = error.assign(value=error.seconds)
    parts = {
        "test error, %": error.groupby(["method"]).value.agg(mean_and_deviation),
        "parameters": rows[rows.metric == "parameters"].groupby("method").value.first().map("{:,.0f}".format),
        "per block": rows[rows.metric == "parameters_per_block"].groupby("method").value.first().map("{:,.0f}".format),
        "training, s": seconds.groupby(["method"]).value.agg(mean_and_deviation),
    }
    table = pd.DataFrame(parts).reindex([name for name in NAMES if name in set(error.method)])
    return table.rename(index=NAMES).rename_axis("network").reset_index()


def share_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return tolerances x (evaluations, milliseconds, share inside the network)."""
    seconds, shares = (rows[rows.metric == metric] for metric in ("forward_seconds", "evaluation_share"))
    parts = {
        "NFE": seconds.groupby("at").nfe.agg(mean_and_deviation),
        "time, ms": seconds.assign(value=1e3 * seconds.value).groupby("at").value.agg(mean_and_deviation),
        "inside the network": shares.groupby("at").value.agg(mean_and_deviation),
    }
    table = pd.DataFrame(parts).sort_index(ascending=False)
    return table.rename(index="{:g}".format).rename_axis("tolerance").reset_index()


def backward_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return (solver, loss reduction) x tolerances."""
    table = rows.groupby(["method", "variant", "at"]).value.agg(mean_and_deviation).unstack("at")
    table = table[sorted(table.columns, reverse=True)].rename(columns="{:g}".format).fillna("–").reset_index()
    return table.assign(method=table.method.map(NAMES)).rename(columns={"method": "solver", "variant": "loss"})


def training(runs: Runs) -> Figure:
    """Loss, and evaluations per image over the epochs (Figure 3d), of every network and replicate."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.2))
    found, data = runs.find("train_classifier"), {}
    seen: set[str] = set()
    for run in found:
        kind, seed = run.info["settings"]["kind"], run.info["seed"]
        style = {"color": COLOURS[kind], "label": None if kind in seen else NAMES[kind], "alpha": 0.8}
        seen.add(kind)
        data[kind, seed, "loss", "step"] = loss = (run.arrays["loss_step"], run.arrays["loss"])
        left.plot(*loss, **{**style, "linewidth": 0.9})
        if "depth" in run.arrays:
            depth = run.arrays["depth"]
            data[kind, seed, "NFE of an image", "epoch"] = depths = (np.arange(len(depth)), depth)
            right.plot(*depths, **style)
    left.set(xlabel="step", ylabel="training loss", yscale="log")
    right.axvspan(0, 1.5, color="0.92", linewidth=0)  # left out of the claims
    right.set(xlabel="epochs done", ylabel="NFE of an image solved alone", xlim=(0, None))
    left.legend()
    right.legend()
    return Figure(
        "nfe-over-training",
        "Evaluations over training",
        "Cf. Figure 3d. Left: loss. Right: evaluations of dopri5 at tolerance 1e-5, mean over test images that are solved "
        "alone; the first epoch, in grey, is left out of the claims. A line for each replicate.",
        "Left: line plot of the training loss against step for the four networks. Right: line plot of the evaluations per "
        "image against epochs for the networks with an ODE block.",
        figure,
        runs=found,
        data=stacked(data, ("network", "seed", "metric", "axis"), ("at", "value")),
    )


def control(runs: Runs) -> Figure:
    """Error and time against evaluations (Figure 3 a, b)."""
    found = runs.find("solver_control")
    rows = pd.concat([run.metrics for run in found])
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.2))
    error, timed, shares = (rows[rows.metric == m] for m in ("numerical_error", "forward_seconds", "evaluation_share"))
    for seed in sorted(rows.seed.unique()):
        mine = error[error.seed == seed].sort_values("nfe")
        left.plot(mine.nfe, mine.value, color=COLOURS["ode_net"], marker="o", markersize=3, alpha=0.8)
        mine = timed[timed.seed == seed].sort_values("nfe")
        whole = mine.value.to_numpy() / mine.value.iloc[-1]
        inside = whole * shares[shares.seed == seed].set_index("at").value.loc[mine["at"]].to_numpy()
        first = seed == rows.seed.min()
        right.plot(mine.nfe, whole, "o", markersize=4, color=COLOURS["ode_net"], label="the solve" if first else None)
        right.plot(mine.nfe, inside, "x", markersize=4, color="0.5", label="of it, inside the network" if first else None)
    left.set(xlabel="NFE of a forward pass", ylabel="relative error", yscale="log")
    right.set(xlabel="NFE of a forward pass", ylabel="time, longest solve = 1", xlim=(0, None), ylim=(0, None))
    right.legend()
    tolerances = sorted(error["at"].unique(), reverse=True)
    return Figure(
        "error-and-time",
        "Error and time against evaluations",
        f"Cf. Figures 3a and 3b. Trained ODE-Net, dopri5 at tolerances from {tolerances[0]:g} to {tolerances[-1]:g}. Left: error "
        "against a tight solve in float64, a line for each replicate. Right: shortest of several timings that take turns.",
        "Left: plot of the numerical error, logarithmic, falling with the number of forward evaluations. Right: scatter plot "
        "of the time of a forward pass against evaluations, and of the part of it that is spent inside the network.",
        figure,
        runs=found,
        data=measured(rows, "numerical_error", "forward_seconds", "evaluation_share"),
    )


def backward(runs: Runs) -> Figure:
    """Backward against forward evaluations (Figure 3c)."""
    found = runs.find("solver_control")
    rows = pd.concat([run.metrics for run in found])
    rows = rows[rows.metric == "nfe_backward"]
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.4), sharex=True, sharey=True)
    most = max(rows.nfe.max(), rows.value.max())
    for axis, reduction in zip(axes, ("mean", "sum")):
        for solver in rows.method.unique():
            mine = rows[(rows.method == solver) & (rows.variant == f"{reduction} loss")]
            axis.plot(mine.nfe, mine.value, "o", markersize=4, alpha=0.8, color=COLOURS[solver], label=NAMES[solver])
        axis.plot([1, most], [0.5, most / 2], color="0.4", linestyle=":", label="half (the paper)")
        axis.plot([1, most], [1, most], color="0.75", linewidth=0.8, label="equal")
        axis.set(xscale="log", yscale="log", xlabel="NFE forward", title=f"loss: {reduction} over the batch")
        plain_ticks(axis.xaxis, base=2, subs=(1,))
        plain_ticks(axis.yaxis, base=2, subs=(1,))
        axis.set_xlim(rows.nfe.min() / 1.3, most * 1.2)
        axis.set_ylim(rows.value.min() / 1.6, most * 1.2)
    axes[0].set_ylabel("NFE backward")
    axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return Figure(
        "backward-evaluations",
        "Evaluations of the backward pass",
        "Cf. Figure 3c. Each point is one solver, tolerance and seed; the same tolerance in both passes.",
        "Two log-log scatter plots of backward against forward evaluations, for the mean and for the summed loss, a colour per "
        "solver, with lines at one half and at equality.",
        figure,
        runs=found,
        data=measured(rows, "nfe_backward"),
    )


def memory(runs: Runs) -> Figure:
    """Bytes kept for the backward pass against steps (Table 1, column memory), and against the times asked for."""
    found = runs.find("solver_practice")
    rows = pd.concat([run.metrics for run in found]).assign(kib=lambda frame: frame.value / 1024)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.2), sharey=True)
    for method in ("backpropagation", "adjoint"):
        mine = rows[(rows.metric == "saved_bytes") & (rows.method == method)]
        mean_and_range(left, mine.pivot_table(index="at", columns="seed", values="kib"), COLOURS[method], NAMES[method])
    outputs = rows[rows.metric == "saved_bytes_of_outputs"].pivot_table(index="at", columns="seed", values="kib")
    mean_and_range(right, outputs, COLOURS["adjoint"], NAMES["adjoint"])
    for axis in (left, right):
        axis.set(xscale="log", yscale="log")
        plain_ticks(axis.xaxis, base=2, subs=(1,))
        axis.legend()
    left.set(xlabel="Euler steps", ylabel="kept for the backward pass, KiB")
    right.set(xlabel="times at which the state is asked for")
    return Figure(
        "memory",
        "Memory against steps and output times",
        "Cf. Table 1, column memory. Bytes that the ODE block's forward pass keeps for the backward pass, parameters aside. "
        "Right: at 32 steps.",
        "Two log-log plots of kilobytes. Against solver steps: a rising line for backpropagation, a flat one for the adjoint. "
        "Against the number of output times: a rising line for the adjoint.",
        figure,
        runs=found,
        data=measured(rows, "saved_bytes", "saved_bytes_of_outputs"),
    )


def practice(runs: Runs) -> Figure:
    """Loose tolerances at test time, joint solves, solves there and back (Section 6)."""
    found = runs.find("solver_practice")
    rows = pd.concat([run.metrics for run in found])
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9.4, 3))
    loose = rows[rows.metric == "test_error"].pivot_table(index="at", columns="seed", values="value")
    mean_and_range(left, loose, COLOURS["ode_net_tight"], "test error")
    left.set(xscale="log", xlabel="tolerance at test time", ylabel="test error, %", ylim=(0, None))
    for shade, (tolerance, group) in zip(OTHERS, rows[rows.metric == "batch_nfe_ratio"].groupby("variant")):
        mean_and_range(middle, group.pivot_table(index="at", columns="seed", values="value"), shade, tolerance)
    middle.set(xscale="log", xlabel="images solved as one ODE", ylabel="NFE over the mean of single ones", ylim=(0, None))
    middle.legend()
    errors = rows[rows.metric == "reconstruction_error"]
    for shade, (method, group) in zip((COLOURS["ode_net"], *OTHERS), errors.groupby("method", sort=False)):
        mine = group.pivot_table(index="at", columns="seed", values="value")
        mean_and_range(right, mine, shade, NAMES.get(method, f"untrained, {method}"))
    right.set(xscale="log", yscale="log", xlabel="tolerance", ylabel="error after there and back")
    right.xaxis.set_major_locator(LogLocator(base=100))  # every power of ten would touch the next
    right.legend()
    return Figure(
        "solver-practice",
        "Tolerance, batches, reversibility",
        "Cf. Sections 3 and 6. Left: the network trained at a tight tolerance, tested at looser ones. Middle: evaluations of "
        "joint solves. Right: relative error of the initial state after a solve forwards and backwards. Bands span the seeds.",
        "Three line plots: test error against tolerance; evaluations of a joint solve over single ones against batch size; "
        "reconstruction error against tolerance for the trained network and for untrained fields of three gains.",
        figure,
        runs=found,
        data=measured(rows, "test_error", "batch_nfe_ratio", "reconstruction_error"),
    )
