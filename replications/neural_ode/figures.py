"""Figures and tables of the report, one module for each of the paper's three parts; nothing here trains or samples."""

from collections.abc import Callable, Iterator

import pandas as pd

from common.measure.figures import Figure, Runs, Table
from replications.neural_ode import figures_flows, figures_latent, figures_supervised

PARTS = (figures_supervised, figures_flows, figures_latent)


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the paper's figures that the runs present allow."""
    for part in PARTS:
        yield from part.figures(runs)


def tables(metrics: pd.DataFrame) -> Iterator[Table]:
    """Yield the tables that stand beside the paper's."""
    for part in PARTS:
        yield from part.tables(metrics)
