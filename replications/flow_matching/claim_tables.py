"""Rows that several statistics start from."""

import pandas as pd

from common.runs.plan import entries


def on_images(metrics: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Return the rows of an experiment on the first of its level's image data sets that was run."""
    rows = metrics[metrics.experiment == experiment]
    job = entries("replications.flow_matching")[experiment]
    present = [name for level in rows.level.unique() for name in job.sets(level) if (rows.dataset == name).any()]
    return rows[rows.dataset == present[0]] if present else rows
