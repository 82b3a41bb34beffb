"""The arithmetic of the flows' experiments, on flows whose answers are known in closed form."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.neural_ode.experiments import change_of_variables, density_matching, maximum_likelihood
from replications.neural_ode.flow_training import annealed_weight
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
    errors = [row["error"] for row in rows if row["metric"] == "reverse_kl" and row["method"] == "cnf"]
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
    found = maximum_likelihood.cnf_rows(flow, test, settings, context, {})
    rows = {(row["metric"], row.get("variant", "")): row["value"] for row in found}
    exact = -torch.distributions.Normal(0.0, 1.0).log_prob(test[0].double()).sum(-1)
    assert rows["nll", ""] == pytest.approx(float(exact.mean()), abs=1e-6)
    assert found[0]["error"] == pytest.approx(float(exact.std() / 300**0.5), rel=1e-6)
    assert rows["round_trip_error", ""] == pytest.approx(0, abs=1e-9)
    tight = maximum_likelihood.tight_rows(flow, test + 1, settings, {})[0]["value"]
    assert tight == pytest.approx(
        float(-torch.distributions.Normal(0.0, 1.0).log_prob(test[0].double() + 1).sum(-1).mean()), abs=1e-6
    )


def test_the_way_back_is_measured_against_the_points_that_left(monkeypatch):
    """A solve that halves everything on each way: a quarter comes back, so three quarters are missing."""

    def halved(flow, x, times, *, tolerance):
        assert tolerance == 1e-3
        return SimpleNamespace(states=torch.stack([x, x / 2]))

    monkeypatch.setattr(maximum_likelihood, "solve", halved)
    x = torch.randn(1, 50, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert maximum_likelihood.reconstruction_error(None, x, 1e-3) == pytest.approx(0.75)


def test_the_way_back_of_a_real_flow_shrinks_with_the_tolerance():
    flow = PlanarCNF([8], generator=torch.Generator().manual_seed(0))
    x = torch.randn(1, 50, 2, generator=torch.Generator().manual_seed(1))
    loose, tight = (maximum_likelihood.reconstruction_error(flow, x, tolerance) for tolerance in (1e-3, 1e-8))
    assert tight < 1e-6 < loose < 0.1


@pytest.mark.parametrize("power", [1, 3])
def test_the_slope_of_the_top_octave_does_not_see_the_small_widths(context, monkeypatch, power):
    widths = [64, 128, 256]

    def turns(work, repeats):
        # the calls of small widths cost the same; one of three turns is disturbed
        seconds = {width: 1.0 if width < 128 else (width / 128) ** power for width in work}
        return {width: [taken, 5 * taken if width == 256 else taken, taken] for width, taken in seconds.items()}

    monkeypatch.setattr(change_of_variables, "interleaved_seconds", turns)
    settings = resolve(PACKAGE, "change_of_variables", "smoke", [])
    rows = change_of_variables.run(settings.model_copy(update={"widths": widths, "layer_widths": widths}), context).rows
    slopes = {row["method"]: row["value"] for row in rows if row["metric"] == "top_octave_slope"}
    assert slopes == {"cnf": pytest.approx(power), "wide_layer": pytest.approx(power)}
    shortest = {row["at"]: row["value"] for row in rows if row["metric"] == "evaluation_seconds" and row["method"] == "cnf"}
    assert shortest == {64: 1.0, 128: 1.0, 256: 2.0**power}


def test_the_energys_weight_climbs_to_one_and_stays():
    weights = [annealed_weight(step, 100, 0.5) for step in range(100)]
    assert weights[0] == 0.01 and weights[25] == pytest.approx(0.505)
    assert all(weight < 1 for weight in weights[:50]) and set(weights[50:]) == {1.0}
    assert annealed_weight(0, 100, 0.0) == 1.0


@pytest.mark.parametrize("kind", ["cnf", "nf"])
def test_both_kinds_are_trained_on_the_tempered_target(context, monkeypatch, kind):
    """What the loss is given at the first, the middle and the last step of ten."""
    settings = resolve(PACKAGE, "density_matching", "smoke", [])
    seen, losses = [], {}
    monkeypatch.setattr(density_matching, "reverse_kl", lambda *given: seen.append(given[-1]) or torch.zeros(9))
    monkeypatch.setattr(density_matching, "train_flows", lambda kind, sizes, loss, *rest: losses.update({kind: loss}))
    schedule = settings.cnf.model_copy(update={"steps": 10})
    density_matching.train_kind(kind, None, schedule, settings, context)
    for step in (0, 5, 9):
        losses[kind](None, step, torch.Generator())
    assert seen == [0.01, 1.0, 1.0]
