"""Section 5's experiments: rates with stand-ins for model and truth, and spirals at smoke level, from training to claims."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from common.measure.claims import judge
from common.measure.figures import RunFolder
from common.measure.paper import load_paper
from common.runs.cli import main
from common.runs.experiment import Context
from common.runs.settings import ROOT, resolve
from replications.neural_ode import figures_latent
from replications.neural_ode.experiments import poisson_events
from replications.neural_ode.poisson_process import LatentRate

PACKAGE = "replications.neural_ode"
OF_EVENTS = {"poisson-beats-constant-rate", "poisson-rate-follows-events"}
AT_SMOKE = {  # of spirals
    *("forecast-30", "forecast-50", "forecast-100", "advantage-grows-with-sparsity", "rnn-error-grows", "forecast-error-flat"),
    *("direction-in-latent-space", "coordinate-switches-direction", "reconstruction-flat"),
    *("one-state-determines-all", "backward-extrapolation"),
}


def scores(tmp_path, monkeypatch, true, learned):
    """Log-likelihoods by method, of a model with constant rates that was never trained, and of true rates of a kind each."""
    model = LatentRate(2, generator=torch.Generator().manual_seed(0)).requires_grad_(False)
    model.log_rate[2].weight.zero_()
    model.log_rate[2].bias[:] = torch.tensor(learned).log()
    monkeypatch.setattr(poisson_events, "RATES", {name: lambda t, r=r: r + 0 * t for name, r in zip("ab", true)})
    monkeypatch.setattr(poisson_events, "train_rates", lambda *given: SimpleNamespace(model=model, seconds=0.0))
    context = Context("neural_ode", "poisson_events", "smoke", 0, 1, tmp_path, tmp_path, torch.device("cpu"))
    outcome = poisson_events.run(resolve(PACKAGE, "poisson_events", "smoke"), context)
    rows = [row for row in outcome.rows if row["metric"] == "log_likelihood"]
    events = {name: len(outcome.arrays[f"events_{name}"]) for name in "ab"}
    return {row["method"]: row["value"] for row in rows}, events


def test_rates_of_known_likelihood(tmp_path, monkeypatch):
    """A model that is the truth scores as the truth does; both score rate by rate N log r - r T."""
    found, events = scores(tmp_path, monkeypatch, (6.0, 2.0), (6.0, 2.0))
    assert found["latent_ode"] == pytest.approx(found["true_rate"], rel=1e-5)
    assert found["latent_ode_by_training_solve"] == pytest.approx(found["latent_ode"], rel=1e-5)
    settings = resolve(PACKAGE, "poisson_events", "smoke")
    fitted = [events[name] / (settings.train_sequences * settings.span) for name in "ab"]
    again, _ = scores(tmp_path, monkeypatch, (6.0, 2.0), fitted)
    assert again["latent_ode"] == pytest.approx(again["constant_rate"], rel=1e-5)
    assert again["true_rate"] == found["true_rate"], "the same events"
    worse, _ = scores(tmp_path, monkeypatch, (6.0, 2.0), (2.0, 6.0))
    assert worse["latent_ode"] < found["latent_ode"]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    results = tmp_path_factory.mktemp("results")
    for name in ("latent_spirals", "poisson_events"):
        assert main(PACKAGE, [name, "--level", "smoke", "--results", str(results)]) == 0
    return {file.parent.parent.parent.name: RunFolder.open(file.parent) for file in results.rglob("metrics.csv")}


def test_every_claim_finds_its_rows(run):
    metrics = pd.concat([folder.metrics for folder in run.values()])
    claims = judge(load_paper(ROOT / "replications" / "neural_ode"), metrics, "smoke").set_index("claim")
    assert {name for name, value in claims.measured.items() if not math.isnan(value)} == AT_SMOKE | OF_EVENTS


def test_tables_and_arrays(run):
    metrics = pd.concat([folder.metrics for folder in run.values()])
    forecasts, rivals, probes, events = figures_latent.tables(metrics)
    assert len(forecasts.frame) == 7 and len(rivals.frame) == 4 and len(probes.frame) == 4 and len(events.frame) == 4
    assert not any(table.frame.isna().any(axis=None) for table in (forecasts, rivals, probes, events))
    arrays = run["latent_spirals"].arrays
    assert arrays["forecasts"].shape == (100, 6, 6, 2) and np.isfinite(arrays["forecasts"]).all()
