"""Figures, tables and advice of the report, drawn from run folders; nothing here trains or samples."""

from collections.abc import Callable, Iterator

from common.measure.figures import Figure, Runs
from replications.survey import figures_exact, figures_grid, figures_quality, figures_samples, figures_training
from replications.survey.advice import advice
from replications.survey.report_tables import tables

__all__ = ["advice", "figures", "tables"]
# in the order of the page
PARTS = (figures_quality, figures_grid, figures_samples, figures_exact, figures_training)


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the figures that the runs present allow."""
    for part in PARTS:
        yield from part.figures(runs)
