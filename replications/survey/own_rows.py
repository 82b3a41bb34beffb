"""A user's names in the rows, and the user's rows beside the suite's."""

import re
from pathlib import Path

import pandas as pd

MARK = re.compile(r" \([A-Za-z0-9_]+\.py\)$")


def own(name: str, file: str) -> str:
    """Return a user's name as rows and tables have it, with its file, so that it is no other file's and none of the suite's."""
    return f"{name} ({Path(file).name})"


def is_own(name: str) -> bool:
    """Whether a method or variant of the rows is a user's."""
    return bool(MARK.search(name))


def beside(metrics: pd.DataFrame, experiment: str = "learned") -> pd.DataFrame:
    """Return the rows of an experiment and those of the user's own files, as if all were of it: for tables and figures.

    Statistics of claims read the experiment alone.
    """
    found = metrics[metrics["experiment"].isin([experiment, "bring_your_own"])]
    return found.assign(experiment=experiment)
