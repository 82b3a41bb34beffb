"""Figures and tables of the report, drawn from run folders; nothing here trains or samples."""

from collections.abc import Callable, Iterator

from common.measure.figures import Figure, Runs
from replications.ncsnv2 import figures_exact, figures_facts, figures_interpolation, figures_sampler, figures_training
from replications.ncsnv2.report_tables import tables

__all__ = ["figures", "tables"]
# in the order of the page
PARTS = (figures_exact, figures_facts, figures_training, figures_sampler, figures_interpolation)


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the paper's figures that the runs present allow."""
    for part in PARTS:
        yield from part.figures(runs)
