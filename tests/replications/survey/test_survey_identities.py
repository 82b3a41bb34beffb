"""Identities in closed form: gaps are 0 and orders whole, and each would not be for a formula that is a little wrong."""

import math

import pytest
import torch

from common.dynamics.paths import PATHS, uniform_times, vp
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.score_sde.facts.toy_mixture import drawn_toy
from replications.survey.experiments import identities
from replications.survey.facts import bound_facts, loss_facts, sampler_facts

F64 = torch.float64


@pytest.fixture
def context(tmp_path):
    return Context("survey", "identities", "smoke", 0, 99, tmp_path, tmp_path, torch.device("cpu"))


@pytest.fixture(scope="module")
def toy():
    return drawn_toy(3, 2, generator=torch.Generator().manual_seed(0))


def by(rows, metric, *labels):
    found = [row for row in rows if row["metric"] == metric]
    keys = [tuple(row.get(label) for label in labels) for row in found]
    assert len(set(keys)) == len(keys), f"{metric} twice"
    return dict(zip(keys, (row["value"] for row in found)))


def test_all_losses_are_one(toy, context, monkeypatch):
    found = by(loss_facts.loss_rows(toy, 10, context), "loss_gap", "method", "variant")
    assert set(found) == {(quantity, path) for quantity in ("score", "data", "velocity") for path in PATHS}
    assert max(found.values()) < 1e-10
    monkeypatch.setattr(loss_facts, "weights", lambda path: dict.fromkeys(("noise", "score", "data", "velocity"), "one"))
    assert min(by(loss_facts.loss_rows(toy, 10, context), "loss_gap", "method", "variant").values()) > 0.01


def test_ddpm_becomes_the_vp_sde_at_order_one():
    found = loss_facts.ddpm_rows([1000, 2000, 4000])
    gaps = by(found, "ddpm_gap", "at")
    # log alpha_bar_N is that of the SDE less half the sum of beta_i^2, of which the next order is a third of beta_i^3
    mean_square = (0.1**2 + 0.1 * 20 + 20**2) / 3
    assert gaps[(4000,)] == pytest.approx(1 - math.exp(-mean_square / 8000), rel=0.01)
    assert by(found, "order", "method") == {("ddpm_gap",): pytest.approx(1, abs=0.05)}


def test_orders_by_hand():
    assert loss_facts.order_row([9.0, 1.0, 0.25], [1, 10, 20])["value"] == pytest.approx(2)
    assert loss_facts.order_row([1.0, 0.25], [10, 40])["value"] == pytest.approx(1)


def test_samplers_that_are_the_same(toy, context, monkeypatch):
    rows = sampler_facts.same_rows(toy, 5, 10, context)
    found = by(rows, "ddim_euler_gap", "variant")
    assert set(found) == {(path,) for path in PATHS} and max(found.values()) < 1e-12
    assert list(by(rows, "ddim_ancestral_gap", "variant").values()) == [pytest.approx(0, abs=1e-12)]
    # other noise, another chain
    monkeypatch.setattr(sampler_facts, "ddim", lambda eta=0.0: SAME[min(1.0, eta + 0.5)])
    wrong = sampler_facts.same_rows(toy, 5, 10, context)
    assert min(by(wrong, "ddim_euler_gap", "variant").values()) > 0.01


SAME = {}


@pytest.fixture(autouse=True)
def _samplers():
    from common.dynamics.samplers.exponential import ddim

    def half(model, x, times, generator=None):
        return ddim(0.5)(model, x, times, generator=torch.Generator().manual_seed(0))

    SAME.update({0.5: half, 1.0: ddim(1.0)})


def test_orders_of_the_flows_solvers(toy, context):
    found = by(sampler_facts.order_rows(toy, 5, [50, 100], context), "order", "method", "variant")
    assert set(found) == {(solver, path) for solver in sampler_facts.ORDERED for path in PATHS}
    for (solver, path), order in found.items():
        assert order == pytest.approx(1 if solver in ("euler", "ddim") else 2, abs=0.3), (solver, path)


def test_flow_and_sde_have_the_same_marginals_and_other_ways(toy):
    rows = sampler_facts.marginal_rows(toy, 0.2, [400, 1600])
    gaps, ways = by(rows, "marginal_gap", "method", "variant", "at"), by(rows, "start_correlation", "method", "variant")
    for path in PATHS:
        for how in ("ode", "sde"):
            assert gaps[how, path, 1600] < 0.02 and gaps[how, path, 1600] < gaps[how, path, 400]
        assert ways["ode", path] == pytest.approx(1) and ways["sde", path] < 0.5
    orders = by(rows, "order", "method", "variant")
    assert orders["ode", "vp"] == pytest.approx(1, abs=0.05) and orders["sde", "ot"] == pytest.approx(1, abs=0.05)


def test_euler_moments_by_hand():
    """One step of the SDE: the factor 1 - h (f + g^2 / v) on the variance, and g^2 h added; the flow takes half of g^2."""
    path, std, times = vp(), 0.3, torch.tensor([0.6, 0.5], dtype=F64)
    (alpha, end_alpha), (sigma, end_sigma) = path.alpha(times).tolist(), path.sigma(times).tolist()
    beta = 0.1 + 19.9 * 0.6
    start, end = (alpha * std) ** 2 + sigma**2, (end_alpha * std) ** 2 + end_sigma**2
    for noisy in (True, False):
        factor = 1 - 0.1 * (-0.5 * beta + (beta if noisy else 0.5 * beta) / start)
        variance = factor**2 * start + (0.1 * beta if noisy else 0)
        gap, correlation = sampler_facts.euler_moments(path, std, times, noisy)
        assert gap == pytest.approx(abs(variance / end - 1)) and correlation == pytest.approx(factor * (start / variance) ** 0.5)


@pytest.mark.parametrize("std", [0.1, 0.5])
def test_the_bound_knows_the_schedules_ends_alone(std):
    rows = bound_facts.vlb_rows(std)
    gaps, deviations = by(rows, "vlb_gap", "variant"), by(rows, "vlb_deviation", "variant")
    assert set(gaps) == {(path,) for path in PATHS} and max(gaps.values()) < 1e-8
    assert len({round(value, 6) for value in deviations.values()}) == 4 and min(deviations.values()) > 0.1
    # on the VE path the integrand is s^2 SNR / (1 + s^2 SNR) ln(5 / 0.02) per unit of uniform time, so its deviation has a form
    t = torch.linspace(0, 1, 200_001, dtype=F64)
    snr = (0.02 * 250**t) ** -2
    values = math.log(250) * std**2 * snr / (1 + std**2 * snr)
    assert deviations[("ve",)] == pytest.approx(float(values.std()), rel=1e-3)


def test_chains_are_exact_with_the_analytic_variance_alone():
    found = by(bound_facts.chain_rows(0.25, [1, 4]), "chain_variance_gap", "method", "variant", "at")
    for (method, path, count), gap in found.items():
        assert (gap < 1e-12) == (method == "analytic"), (method, path, count)


def test_the_posterior_variance_is_right_for_a_point_and_one_step_by_hand():
    path, times = vp(), uniform_times(vp(), 3, t_min=0.05, t_max=0.95)
    assert bound_facts.chain_gap(path, 1e-9, times, "posterior") < 1e-9
    (alpha, a), (sigma, s) = path.alpha(times[[0, -1]]).tolist(), path.sigma(times[[0, -1]]).tolist()
    exact, end = (0.3 * alpha) ** 2 + sigma**2, (0.3 * a) ** 2 + s**2
    forward = sigma**2 - (alpha / a * s) ** 2
    slope = alpha / a * s**2 / sigma**2 + a * forward / sigma**2 * alpha * 0.09 / exact
    expected = abs((slope**2 * exact + forward * s**2 / sigma**2) / end - 1)
    assert bound_facts.chain_gap(path, 0.3, times[[0, -1]], "posterior") == pytest.approx(expected)


def test_the_likelihood_bound():
    found = by(bound_facts.likelihood_rows(0.2, [-0.1, 0.0, 0.1], 1.4), "likelihood_bound_gap", "method", "at")
    assert found["scaled_score", 0.0] == pytest.approx(0, abs=1e-12)
    assert found["scaled_score", -0.1] > 0.01 and found["scaled_score", 0.1] > 0.01
    assert found["other_data", 1.4] == pytest.approx(0, abs=1e-8), "it is some diffusion's score"
    exact = bound_facts.variance_of(vp(), 0.2)
    sampled = bound_facts.sampled_variance(vp(), lambda t: 1 / exact(t), float(exact(torch.ones((), dtype=F64))))
    assert sampled == pytest.approx(float(exact(torch.tensor(1e-3, dtype=F64))), rel=1e-8)
    assert bound_facts.kl(2.0, 1.0) == pytest.approx(0.5 * (1 - math.log(2)))


def test_a_run(context):
    rows = identities.run(resolve("replications.survey", "identities", "smoke"), context).rows
    assert all(math.isfinite(row["value"]) for row in rows)
    assert max(row["value"] for row in rows if row["metric"] in ("loss_gap", "ddim_euler_gap", "ddim_ancestral_gap")) < 1e-10
