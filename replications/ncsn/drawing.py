"""What several of the paper's figures draw."""

import pandas as pd
from matplotlib.axes import Axes

from common.measure.drawing import plain
from common.measure.figures import mean_and_range


def against_sigma(axis: Axes, rows: pd.DataFrame, colour: str, label: str) -> None:
    """Draw rows against the noise level, which falls to the right as it does while sampling, with a band over replicates."""
    mean_and_range(axis, rows.pivot_table(index="at", columns="seed", values="value"), colour, label)
    axis.set(xscale="log", xlabel="noise level σ")
    if not axis.xaxis_inverted():
        axis.invert_xaxis()
    plain(axis.xaxis, (1, 3))
