"""Floors and trivial baselines are rows of their own kind, in every table of the committed reference that has them."""

from types import SimpleNamespace

import pytest

from common.measure.figures import read_metrics
from common.runs.settings import ROOT
from report.pictures import tables

MARKED = {
    "ffjord": {
        "toys": {"data": "floor", "one Gaussian": "baseline"},
        "tabular": {"one Gaussian": "baseline"},
        "images": {"uniform": "baseline", "one Gaussian": "baseline"},
        "posteriors": {"independent pixels": "baseline"},
    },
    "flow_matching": {
        "table1": {"data": "floor", "noise": "baseline"},
        "toy-2d": {"data": "floor"},
        "upsampling": {"enlarged small image": "baseline"},
    },
    "gotta_go_fast": {"table1": {"data": "floor"}, "exact-toy": {"exact samples": "floor"}},
    "score_sde": {
        "exact-samplers": {"data": "floor"},
        "likelihoods": {"data": "floor", "noise": "baseline", "uniform": "baseline"},
        "latent-agreement": {"Gaussian flow": "baseline"},
    },
    "ncsn": {
        "network-and-sampler": {"data": "floor", "uniform noise": "baseline"},
        "sampler-settings": {"data": "floor"},
        "mixture": {"data": "floor"},
    },
    "ncsnv2": {
        "largest-level": {"exact draws": "floor"},
        "budget-splits": {"exact draws": "floor"},
        "ablation": {"data": "floor"},
        "denoising": {"data": "floor"},
        "sampler-settings": {"data": "floor"},
        "interpolation": {"data": "floor", "blend of both ends": "baseline"},
    },
    "survey": {
        **{name: {"data": "floor"} for name in ("grid-table-digits", "coverage-digits", "grid-table-checkerboard")},
        "training-digits": {"data": "floor", "uniform density": "baseline"},
    },
    "neural_ode": {
        "spirals": {"mean of the observed points": "baseline", "last observed point": "baseline"},
        "probes": {"one observation, linear": "baseline", "one observation, nearest neighbours": "baseline"},
        "events": {"best constant rates": "baseline", "true rates": "floor"},
    },
}


@pytest.mark.parametrize("paper", sorted(MARKED))
def test_rows_that_are_no_method_are_marked(paper):
    (file,) = (ROOT / "results" / "reference").glob("laptop-*/metrics.csv")
    collection, found = SimpleNamespace(metrics=read_metrics(file), level="laptop"), {}
    for table in tables(SimpleNamespace(id=paper, folder=ROOT / "replications" / paper), collection):
        cells = table.frame.astype(str).to_numpy().tolist()
        marked = [(row, kind) for row, kind in zip(cells, table.kinds) if kind]
        if marked:
            names = {name for expected in MARKED[paper].values() for name in expected}
            found[table.id] = {next(cell for cell in row if cell in names): kind for row, kind in marked}
    assert found == MARKED[paper]
