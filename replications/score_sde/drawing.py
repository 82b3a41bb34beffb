"""What several of the paper's figures draw."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from common.measure.figures import BLACK, RunFolder, Runs
from common.measure.image_lines import image_lines


def first(found: list[RunFolder]) -> RunFolder:
    """Return the run of the least replicate: what is shown of one is shown of that."""
    return min(found, key=lambda run: run.info["seed"])


def firsts(runs: Runs, experiment: str) -> list[RunFolder]:
    """Return the first replicate's run of each data set of an experiment."""
    found = runs.find(experiment)
    return [
        first([run for run in found if run.info["dataset"] == data]) for data in dict.fromkeys(r.info["dataset"] for r in found)
    ]


def of_use(run: RunFolder, use: str) -> dict[str, dict[str, np.ndarray]]:
    """Return the pictures of a use of latents by model and by what they are of, a tolerance or a temperature."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for key, images in run.arrays.items():
        model, between, kind = key.partition(f"_{use}_")
        if between:
            found.setdefault(model, {})[kind] = images
    return found


def floored(axis: Axes, rows: pd.DataFrame, label: str = "data") -> None:
    """Draw what the measure reads for data against data, where the rows know it."""
    floor = rows.floor.mean()
    if np.isfinite(floor):
        axis.axhline(floor, color=BLACK, linestyle="--", linewidth=1, label=label)


def at_values(axis: Axis, values: Iterable[float]) -> None:
    """Mark on a logarithmic axis the values that there are, as plain numbers."""
    axis.set_major_locator(FixedLocator(sorted(set(values))))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter("{x:g}")


def positional(value: float) -> str:
    """Return a number with all its digits and no exponent, such as 0.00001."""
    return np.format_float_positional(value, trim="-")


def guide(axis: Axes, rows: pd.DataFrame, power: float, label: str) -> None:
    """Draw a power of what rows run along, through the mean at their first point."""
    means = rows.groupby("at").value.mean()
    if len(means) > 1:
        x = means.index.to_numpy(float)
        axis.plot(x, means.iloc[0] * (x / x[0]) ** power, color=BLACK, linestyle="--", linewidth=1, label=label, zorder=1)


def strip(axis: Axes, images: np.ndarray, label: str, per_line: int) -> None:
    """Draw images in [-1, 1] line by line, with gaps that part small ones."""
    image_lines(axis, images, label, min(per_line, len(images)), gap=max(1, images.shape[-1] // 16))


def shared_legend(figure: Drawing, axes: Iterable[Axes], columns: int) -> None:
    """Name below all panels what any of them draws, each once."""
    named = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels())}
    if named:
        figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=columns)
