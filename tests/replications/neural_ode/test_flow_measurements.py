"""The arithmetic of the flows' experiments, on flows whose answers are known in closed form."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.neural_ode.experiments import density_matching, maximum_likelihood
from replications.neural_ode.planar_cnf import PlanarCNF

PACKAGE = "replications.neural_ode"


@pytest.fixture
def context(tmp_path):
    return Context("neural_ode", "density_matching", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu"))


def test_reverse_kl_of_gaussians_is_the_closed_form(context, monkeypatch):
    """q = N(0, s^2) against the energy |x|^2 / 2, whose normaliser is 2 pi: KL = 2 ((s^2 - 1) / 2 - log s)."""
    targets, sizes = ["a", "b"], [2, 4]
    settings = resolve(PACKAGE, "density_matching", "smoke", ["samples=4000"]).model_copy(
        update={"targets": targets, "sizes": sizes}
    )
    energies = {"a": lambda x: 0.5 * x.square().sum(-1), "b": lambda x: 0.5 * (x - 1).square().sum(-1)}
    stretches = torch.tensor([0.5, 1.0, 1.5, 2.0], dtype=torch.float64)  # of (a, 2), (a, 4), (b, 2), (b, 4)

    def judged(model, base, settings):
        x = stretches[:, None, None] * base.double()
        log_q = torch.distributions.Normal(0.0, stretches[:, None, None]).log_prob(x).sum(-1)
        return x, log_q, 7.0

    done = SimpleNamespace(model=None, seconds=1.0, losses=np.zeros(1), loss_steps=np.zeros(1))
    monkeypatch.setattr(density_matching, "ENERGIES", energies)
    monkeypatch.setattr(density_matching, "target_density", lambda name: np.zeros(1))
    monkeypatch.setattr(density_matching, "train_kind", lambda *_: done)
    monkeypatch.setattr(density_matching, "judge_cnf", judged)
    monkeypatch.setattr(density_matching, "judge_nf", judged)
    rows = density_matching.run(settings, context).rows
    found = {
        (row["dataset"], row["at"]): row["value"] for row in rows if row["metric"] == "reverse_kl" and row["method"] == "cnf"
    }
    errors = [row["value"] for row in rows if row["metric"] == "reverse_kl_standard_error" and row["method"] == "cnf"]
    for (cell, value), s, error in zip(found.items(), stretches.tolist(), errors):
        # the other target's mean is one off in both coordinates
        expected = (s**2 - 1) - 2 * math.log(s) + (1.0 if cell[0] == "b" else 0.0)
        assert value == pytest.approx(expected, abs=5 * error + 1e-3) and error < 0.1, cell
    assert list(found) == [("a", 2), ("a", 4), ("b", 2), ("b", 4)]


def test_a_flow_that_does_nothing_has_the_bases_likelihood(context):
    flow = PlanarCNF([4], generator=torch.Generator().manual_seed(0))
    flow.on.zero_()  # every unit switched off
    settings = resolve(PACKAGE, "maximum_likelihood", "smoke", [])
    test = torch.randn(1, 300, 2, generator=torch.Generator().manual_seed(1))
    rows = {
        (row["metric"], row.get("variant", "")): row["value"]
        for row in maximum_likelihood.cnf_rows(flow, test, settings, context, {})
    }
    exact = -torch.distributions.Normal(0.0, 1.0).log_prob(test[0].double()).sum(-1)
    assert rows["nll", ""] == pytest.approx(float(exact.mean()), abs=1e-6)
    assert rows["nll_standard_error", ""] == pytest.approx(float(exact.std() / 300**0.5), rel=1e-6)
    assert rows["round_trip_error", ""] == pytest.approx(0, abs=1e-9) and rows["wasserstein2", ""] < 0.5
    tight = maximum_likelihood.tight_rows(flow, test + 1, settings, {})[0]["value"]
    assert tight == pytest.approx(
        float(-torch.distributions.Normal(0.0, 1.0).log_prob(test[0].double() + 1).sum(-1).mean()), abs=1e-6
    )
