"""What several of the paper's figures draw: errors against evaluations, costs against tolerances, variants in lines of dots."""

from collections.abc import Iterable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from common.measure.drawing import plain
from common.measure.figures import BLACK, GREY
from replications.ffjord.drawing import against
from replications.gotta_go_fast.names import name, shade

# samplers without a tolerance, and the one that is a curve too
MARKS = {"reverse_diffusion_langevin": "D", "euler_maruyama_full": "s", "rk45": "^"}
SPREAD = 0.66  # of the lines of dots of one variant, from the first to beyond the last


def curve(axis: Axes, rows: pd.DataFrame, method: str, label: str = "", annotate: bool = False, **look: str) -> None:
    """Draw rows against their evaluations from tolerance to tolerance: a replicate faintly, their mean with dots.

    With `annotate` each dot has its tolerance beside it. No rows leave no curve.
    """
    if not len(rows):
        return
    if rows.seed.nunique() > 1:
        for _, mine in rows.sort_values("at").groupby("seed"):
            axis.plot(mine.nfe, mine.value, color=shade(method), alpha=0.25, linewidth=0.8, **look)
    mean = rows.groupby("at")[["nfe", "value"]].mean()
    axis.plot(mean.nfe, mean.value, color=shade(method), marker="o", markersize=4, label=label or name(method), **look)
    for tolerance, point in mean.iterrows() if annotate else ():
        axis.annotate(
            f"{tolerance:g}", (point.nfe, point.value), (0, 5), textcoords="offset points", ha="center", va="bottom", fontsize=7,
            color=shade(method), path_effects=[withStroke(linewidth=2, foreground="white")],
        )  # fmt: skip


def points(axis: Axes, rows: pd.DataFrame, methods: Iterable[str] = MARKS) -> None:
    """Draw samplers that have no tolerance: a faint mark for each replicate, a full one for their mean."""
    for method in methods:
        mine = rows[rows.method == method]
        if not len(mine):
            continue
        look = {"marker": MARKS.get(method, "o"), "linestyle": "", "color": shade(method)}
        if len(mine) > 1:
            axis.plot(mine.nfe, mine.value, alpha=0.3, markersize=4, markeredgewidth=0, **look)
        axis.plot([mine.nfe.mean()], [mine.value.mean()], markersize=6, label=name(method), **look)


def floor(axis: Axes, rows: pd.DataFrame, along: str = "y") -> None:
    """Mark what data or exact samples read under the same measure."""
    if rows.floor.notna().any():
        line = axis.axhline if along == "y" else axis.axvline
        line(rows.floor.mean(), color=BLACK, linestyle="--", linewidth=1)


def floor_below(axis: Axes, rows: pd.DataFrame) -> None:
    """Mark the floor of errors and end the panel not far below it: what lies there is as exact samples, however far down."""
    floor(axis, rows)
    if rows.floor.notna().any():
        axis.set_ylim(bottom=rows.floor.mean() / 4)


def below(figure: Drawing, axes: Iterable[Axes], ncols: int = 6, more: Iterable[Line2D] = ()) -> None:
    """Name what any of the panels draws, each once, below them."""
    found = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels())}
    found |= {line.get_label(): line for line in more}
    if found:
        figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=min(ncols, len(found)))


def ticks(axis: Axes, sides: str = "xy") -> None:
    """Label logarithmic axes with plain numbers, fewer where an axis spans more."""
    for side in sides:
        low, high = getattr(axis, f"get_{side}lim")()
        subs = (1, 2, 3, 4, 5, 7) if high < 8 * low else (1, 2, 3, 5) if high < 30 * low else (1, 3) if high < 300 * low else (1,)
        plain(getattr(axis, f"{side}axis"), subs)
        if high < 3 * low:
            getattr(axis, f"{side}axis").set_major_locator(MaxNLocator(5))


def cost(axis: Axes, rows: pd.DataFrame, colour: str, label: str) -> None:
    """Draw evaluations against the tolerance, or what else they run along: the slowest sample's, and below it the mean."""
    against(axis, rows[rows.metric == "nfe_max"], colour, label)
    against(axis, rows[rows.metric == "nfe_mean"], colour, "", linestyle=":", band=False)


def slowest_and_mean() -> list[Line2D]:
    """Return what says how the lines of `cost` differ."""
    return [
        Line2D([], [], color=BLACK, marker="o", markersize=3, label="slowest sample, as published"),
        Line2D([], [], color=BLACK, marker="o", markersize=3, linestyle=":", label="mean over samples"),
    ]


def over_default(rows: pd.DataFrame, group: str) -> pd.DataFrame:
    """Return a metric's rows of the solver's variants over the default's of the same group and replicate; none, none left."""
    keys = [group, "seed"]
    base = rows[rows.method == "default"].groupby(keys).value.mean().rename("base")
    found = rows.join(base, on=keys).dropna(subset="base")
    return found.assign(value=found.value / found.base)


def variants(axis: Axes, rows: pd.DataFrame, group: str, lines: list[str]) -> None:
    """Draw a line for each variant from the top down, on it the groups: a dot a replicate, a bar their mean."""
    groups = list(dict.fromkeys(rows[group]))
    apart = SPREAD / max(1, len(groups))
    for height, method in enumerate(lines):
        for place, key in enumerate(groups):
            found = rows[(rows.method == method) & (rows[group] == key)].value
            at = height + apart * (place - (len(groups) - 1) / 2)
            label = "" if height else name(key)
            axis.plot(found, [at] * len(found), "o", color=shade(key), markersize=4.5, alpha=0.6, markeredgewidth=0, label=label)
            if len(found):
                axis.plot([found.mean()] * 2, [at - 0.4 * apart, at + 0.4 * apart], color=shade(key), linewidth=2)
    axis.set_yticks(range(len(lines)), [name(method) for method in lines])
    axis.set_ylim(max(1, len(lines)) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)


def at_one(axis: Axes, along: str = "x") -> None:
    """Mark where a ratio is 1."""
    (axis.axvline if along == "x" else axis.axhline)(1, color=GREY, linestyle=":", linewidth=1, zorder=0)


def at_values(axis: Axes, rows: pd.DataFrame) -> None:
    """Label an axis where there are rows."""
    at = sorted(rows["at"].unique())
    axis.set_xticks(at, [f"{each:g}" for each in at])
    axis.set_xticks([], minor=True)
