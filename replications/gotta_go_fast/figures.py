"""Figures and tables of the report, drawn from run folders; nothing here trains or samples."""

from collections.abc import Callable, Iterator

from common.measure.figures import Figure, Runs
from replications.gotta_go_fast import figures_learned, figures_rivals, figures_toy
from replications.gotta_go_fast.report_tables import tables

__all__ = ["figures", "tables"]
# in the order of the page
PARTS = (figures_learned, figures_toy, figures_rivals)


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the paper's figures that the runs present allow."""
    for part in PARTS:
        yield from part.figures(runs)
