"""Sizes of all papers that count evaluations: each experiment has one at each level, of no fewer samples than calls."""

import importlib

import pytest

from common.runs.entries import entries
from common.runs.levels import LEVELS
from common.runs.settings import resolve


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("paper", ["ncsn", "ncsnv2", "score_sde", "gotta_go_fast"])
def test_every_experiment_has_a_size(paper, level):
    package = f"replications.{paper}"
    sizes = importlib.import_module(f"{package}.sizes")
    for experiment, entry in entries(package).items():
        for data in entry.sets(level) or [None]:
            found = getattr(sizes, experiment)(resolve(package, experiment, level, [f"data={data}"] if data else []))
            assert 1 <= found.calls <= found.samples, experiment
