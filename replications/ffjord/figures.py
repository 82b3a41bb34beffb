"""Figures and tables of the report, drawn from run folders; nothing here trains or samples."""

from collections.abc import Callable, Iterator

from common.measure.figures import Figure, Runs
from replications.ffjord import figures_analysis, figures_densities, figures_images, figures_posteriors, figures_tables
from replications.ffjord.report_tables import tables

__all__ = ["figures", "tables"]


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the paper's figures that the runs present allow."""
    for part in (figures_densities, figures_analysis, figures_tables, figures_images, figures_posteriors):
        yield from part.figures(runs)
