"""What several of the paper's figures draw."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import LogLocator, NullLocator

from common.measure.figures import mean_and_range
from common.measure.image_lines import image_lines

WIDTH = 8.2  # inches, about what the page has


def panels(n: int, height: float, per_line: int = 3, **sharing: bool) -> tuple[Drawing, list[Axes]]:
    """Return a figure with n panels of this height in inches, line by line; there is at least one."""
    columns = max(1, min(n, per_line))
    lines = max(1, -(-n // columns))
    # few panels are not stretched over the page
    size = (WIDTH * max(columns, 1.6) / max(per_line, 1.6), height * lines)
    figure, grid = plt.subplots(lines, columns, figsize=size, squeeze=False, **sharing)
    axes = list(grid.flat)
    for spare in axes[max(n, 1) :]:
        spare.remove()
    return figure, axes[: max(n, 1)]


def against(axis: Axes, rows: pd.DataFrame, colour: str, label: str, linestyle: str = "-", band: bool = True) -> None:
    """Draw rows' mean against what they run along, if asked with a band over the replicates; no rows leave no line."""
    if len(rows):
        values = rows.pivot_table(index="at", columns="seed", values="value")
        mean_and_range(axis, values if band else values.mean(axis=1).to_frame(), colour, label)
        axis.lines[-1].set_linestyle(linestyle)


def unit_images(axis: Axes, images: np.ndarray, label: str, per_line: int) -> None:
    """Draw images in [0, 1] [n, channels, y, x] line by line."""
    image_lines(axis, 2 * images - 1, label, min(per_line, len(images)), gap=max(1, images.shape[-1] // 16))


def powers_of_ten(*axes: Axis) -> None:
    """Label logarithmic axes at powers of ten only, without marks in between."""
    for axis in axes:
        axis.set_major_locator(LogLocator(base=10, numticks=6))
        axis.set_minor_locator(NullLocator())


def legend(axis: Axes, place: str) -> None:
    """Name what is drawn, if anything is."""
    if axis.get_legend_handles_labels()[0]:
        axis.legend(loc=place)
