"""Figures and tables of the report, drawn from run folders; nothing here trains or samples."""

from collections.abc import Callable, Iterator

from common.measure.figures import Figure, Runs
from replications.score_sde import (
    figures_controllable,
    figures_exact_samplers,
    figures_facts,
    figures_identified,
    figures_latents,
    figures_likelihood,
    figures_samplers,
)
from replications.score_sde.report_tables import tables

__all__ = ["figures", "tables"]
# in the order of the page
PARTS = (
    figures_samplers,
    figures_facts,
    figures_exact_samplers,
    figures_likelihood,
    figures_latents,
    figures_identified,
    figures_controllable,
)


def figures(runs: Runs) -> Iterator[Callable[[], Figure]]:
    """Yield the paper's figures that the runs present allow."""
    for part in PARTS:
        yield from part.figures(runs)
