"""The maximum-likelihood experiment at smoke level, from training to claims and table, as the command line runs it."""

import math

import pandas as pd
import pytest

from common.measure.claims import judge
from common.measure.figures import RunFolder
from common.measure.paper import load_paper
from common.runs.cli import main
from common.runs.settings import ROOT
from replications.neural_ode import figures_flows

CLAIMS = {
    "tolerance-densities",
    "reversibility-default",
    "moons-likelihood",
    "circles-likelihood",
    "sampling-by-reversal",
    "reverse-cost",
}


@pytest.fixture(scope="module")
def metrics(tmp_path_factory) -> pd.DataFrame:
    results = tmp_path_factory.mktemp("results")
    assert main("replications.neural_ode", ["maximum_likelihood", "--level", "smoke", "--results", str(results)]) == 0
    (file,) = results.rglob("metrics.csv")
    return RunFolder.open(file.parent).metrics


def test_every_claim_finds_its_rows(metrics):
    claims = judge(load_paper(ROOT / "replications" / "neural_ode"), metrics, "smoke").set_index("claim")
    assert {name for name, value in claims.measured.items() if not math.isnan(value)} == CLAIMS
    assert claims.measured["tolerance-densities"] == pytest.approx(0, abs=0.01), "smoke's tolerance is 1e-3"


def test_the_tight_tolerance_takes_more_evaluations_for_the_same_points(metrics):
    nfe = metrics[(metrics.metric == "nfe")].pivot(index="dataset", columns="variant", values="value")
    assert (nfe["density, tight tolerance"] > 2 * nfe["density"]).all()
    mine = metrics[metrics.method == "cnf"]
    nll = mine.pivot_table(index="dataset", columns="metric", values="value")
    assert (nll["nll"] != nll["nll_at_tight_tolerance"]).all()
    assert (nll["nll"] - nll["nll_at_tight_tolerance"]).abs().max() < mine.error[mine.metric == "nll"].min()


def test_table_shows_both_tolerances_and_bears_their_absence(metrics):
    (table,) = figures_flows.tables(metrics)
    cnf = table.frame[table.frame.method == "CNF"]
    assert len(table.frame) == 4 and (cnf != "–").all(axis=None)
    (before,) = figures_flows.tables(metrics[~metrics.metric.str.contains("tight") & ~metrics.variant.str.contains("tight")])
    assert set(before.frame["NLL, tight"]) == {"–"}
