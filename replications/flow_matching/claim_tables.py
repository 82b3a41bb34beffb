"""Rows that several statistics start from."""

import pandas as pd

from replications.flow_matching.image_sets import SETS, UPSAMPLING_SETS


def on_images(metrics: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Return the rows of an experiment on the first of its level's image data sets that was run."""
    rows = metrics[metrics.experiment == experiment]
    known = UPSAMPLING_SETS if experiment == "upsampling" else SETS
    present = [name for level in rows.level.unique() for name in known[level] if (rows.dataset == name).any()]
    return rows[rows.dataset == present[0]] if present else rows
