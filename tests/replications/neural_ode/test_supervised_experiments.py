"""The supervised experiments at smoke level, from training to figures, as the command line runs them."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from common.measure.claims import judge
from common.measure.figures import RunFolder, Runs, style
from common.measure.paper import load_paper
from common.runs.cli import main
from common.runs.settings import ROOT
from replications.neural_ode import figures_supervised
from replications.neural_ode.classifiers import error_percent, labelled_images, load_classifier
from replications.neural_ode.experiments.train_classifier import by_epoch

PACKAGE = "replications.neural_ode"


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    common = ["--level", "smoke", "--results", str(folder)]
    assert main(PACKAGE, ["train_classifier", *common, "--sweep", "kind=resnet,ode_net,ode_net_tight"]) == 0
    assert main(PACKAGE, ["solver_control", *common]) == 0
    assert main(PACKAGE, ["solver_practice", *common]) == 0
    return folder


def folders(results):
    return [RunFolder.open(file.parent) for file in sorted(results.rglob("metrics.csv"))]


def test_saved_weights_are_those_that_were_tested(results):
    run = results / "smoke" / "models" / "digits-ode_net-classifier" / "seed0"
    rows = RunFolder.open(run).metrics
    net = load_classifier(run)
    with torch.no_grad():
        error = error_percent(net, *labelled_images("digits", "test"), batch=500)
    assert error == rows[rows.metric == "test_error"].value.iloc[0]
    count = sum(parameter.numel() for parameter in net.parameters())
    assert count == rows[rows.metric == "parameters"].value.iloc[0]


def test_evaluations_are_recorded_at_every_step(results):
    run = RunFolder.open(results / "smoke" / "models" / "digits-ode_net-classifier" / "seed0")
    assert (run.arrays["nfe"] >= 8).all()  # dopri5: two, and six for at least one step
    assert len(run.arrays["nfe"]) == (run.metrics.metric == "training_nfe").sum()


def test_epochs_share_out_all_steps():
    assert np.allclose(by_epoch(np.array([1.0, 3.0, 10.0, 20.0, 7.0]), 2), [2, 15, 7])
    assert np.allclose(by_epoch(np.array([1.0, 3.0, 10.0, 20.0]), 1.5), [2, 10, 20])


def test_every_claim_of_this_half_finds_its_rows(results):
    import pandas as pd

    paper = load_paper(ROOT / "replications" / "neural_ode")
    claims = judge(paper, pd.concat([run.metrics for run in folders(results)]), "smoke")
    mine = claims[claims.number.astype(int) <= 10].set_index("claim")
    # what smoke's few settings do not measure: the third network, the tolerances of claims 7 and 10; claim 8's densities are
    # measured by maximum_likelihood
    absent = {"test-error-rk-net", "loose-test-error", "loose-test-cost", "reversibility-default", "tolerance-densities"}
    assert {name for name, value in mine.measured.items() if math.isnan(value)} == absent
    assert not mine.reason.str.contains("its statistic failed").any()


def test_figures_and_tables_are_drawn(results):
    import pandas as pd

    runs = Runs(folders(results), "neural_ode")
    with style():
        drawn = [draw() for draw in figures_supervised.figures(runs)]
    assert len({figure.id for figure in drawn}) == 5 and all(figure.alt for figure in drawn)
    tables = list(figures_supervised.tables(pd.concat([run.metrics for run in runs.folders])))
    assert [len(table.frame) for table in tables] == [3, 8]
