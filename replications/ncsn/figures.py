"""Figures and tables of the report, drawn from run folders; nothing here trains or samples."""

from collections.abc import Callable, Iterator

from common.measure.figures import Figure, Runs
from replications.ncsn import figures_levels, figures_samples, figures_toys
from replications.ncsn.report_tables import tables

__all__ = ["figures", "tables"]


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the paper's figures that the runs present allow."""
    for part in (figures_toys, figures_levels, figures_samples):
        yield from part.figures(runs)
