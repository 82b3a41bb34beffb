"""What the tables and figures say of the states of a training: how samples fluctuate from one to the next."""

import numpy as np
import pandas as pd

STEADY = 0.8  # share of a training until which the learning rate is constant at every level


def spread_about_trend(values: pd.Series) -> float:
    """Return the standard deviation of values about a straight line along their index; fewer than three have none."""
    if len(values) < 3:
        return np.nan
    along, found = values.index.to_numpy(float), values.to_numpy(float)
    return float(np.std(found - np.polyval(np.polyfit(along, found, 1), along)))


def fluctuation(rows: pd.DataFrame) -> float:
    """Return how rows along the states fluctuate while the learning rate is constant; colours are taken together."""
    steady = rows[rows["at"] <= STEADY]
    channels = [spread_about_trend(channel.set_index("at").value) for _, channel in steady.groupby("variant")]
    return float(np.mean(channels)) if channels else np.nan
