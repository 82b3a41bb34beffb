"""Figures and tables of Section 5, latent ODEs."""

from collections.abc import Iterator

import pandas as pd

from common.figures import Figure, Runs, Table


def figures(runs: Runs) -> Iterator[Figure]:
    """Yield the figures that the runs present allow."""
    yield from ()


def tables(metrics: pd.DataFrame) -> Iterator[Table]:
    """Yield the tables that the rows present allow."""
    yield from ()
