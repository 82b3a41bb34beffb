"""The arithmetic of what is measured without networks, on what is known in closed form."""

import math

import numpy as np
import pytest
import torch

from common.dynamics.oracles import gaussian
from common.dynamics.paths import sub_vp, ve, vp
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.score_sde.experiments import sde_facts
from replications.score_sde.facts import chain_facts, forward_facts, inverse_facts, likelihood_facts, marginal_facts
from replications.score_sde.facts.toy_mixture import EPS, Toy, drawn_toy
from replications.score_sde.predictor_corrector import predictor_corrector, scales
from replications.score_sde.predictors import ancestral, euler_maruyama

F64, PACKAGE = torch.float64, "replications.score_sde"


@pytest.fixture
def context(tmp_path):
    return Context("score_sde", "sde_facts", "smoke", 0, 5, tmp_path, tmp_path, torch.device("cpu"))


@pytest.fixture(scope="module")
def settings():
    return resolve(PACKAGE, "sde_facts", "smoke")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def toy(dim=3, seed=0):
    return drawn_toy(4, dim, generator=generator(seed))


def one_gaussian(std=0.4, dim=2):
    return Toy(torch.ones(1, dtype=F64), torch.zeros(1, dim, dtype=F64), torch.tensor([std], dtype=F64))


def values(rows, metric):
    keys = ("dataset", "method", "variant", "at")
    return {
        tuple(row[key] for key in keys if key in row and row[key] != ""): row["value"] for row in rows if row["metric"] == metric
    }


def test_the_mixture_has_mean_0_and_fits_under_its_widest_noise():
    drawn = toy(5)
    torch.testing.assert_close(drawn.weights @ drawn.means, torch.zeros(5, dtype=F64))
    assert float(drawn.weights.sum()) == pytest.approx(1) and float(drawn.weights.max() / drawn.weights.min()) < 3
    assert float(drawn.stds.min()) >= 0.1 and float(drawn.stds.max()) <= 0.3
    farthest = max(float((a - b).norm()) for a in drawn.means for b in drawn.means)
    assert drawn.paths()["ve"].prior_std == pytest.approx(farthest + 1)
    assert list(drawn.paths()) == ["ve", "vp", "sub_vp"] == list(EPS)
    assert not torch.equal(drawn.means, toy(5, seed=1).means)


# forward


def test_simulations_follow_the_closed_forms(context):
    settings = resolve(PACKAGE, "sde_facts", "smoke", ["forward.chains=4000", "forward.steps=200"]).forward
    rows = forward_facts.simulation_rows(settings, context)
    assert len(rows) == 2 * 3 * 4
    for row in rows:
        # four standard errors, and Euler's error: at a quarter of the way sub-VP's variance grows as t^4
        assert row["value"] < 4 * row["error"] + 0.06, row
    errors = {row["metric"]: row["error"] for row in rows}
    assert errors["simulated_mean_gap"] == pytest.approx(4000**-0.5)
    assert errors["simulated_variance_gap"] == pytest.approx(2000**-0.5)


@pytest.mark.parametrize(("wrong", "metric"), [((1.1, 1.0), "simulated_mean_gap"), ((1.0, 1.2), "simulated_variance_gap")])
def test_a_wrong_closed_form_shows(context, settings, monkeypatch, wrong, metric):
    """Moments exactly as they should be, judged by forms that are off."""

    def exact(path, x0, settings, context):
        scale, variance = forward_facts.of_point(path, torch.tensor(0.25, dtype=F64))
        return {0.25: (float(scale) * x0 * wrong[0], float(variance) * wrong[1])}

    monkeypatch.setattr(forward_facts, "simulated_moments", exact)
    rows = forward_facts.simulation_rows(settings.forward, context)
    found = values(rows, metric)
    other = values(rows, ({"simulated_mean_gap", "simulated_variance_gap"} - {metric}).pop())
    assert all(value > 1e-3 for value in found.values()) and all(value < 1e-9 for value in other.values())
    if metric == "simulated_variance_gap":
        assert list(found.values()) == pytest.approx([0.2] * 3)


def test_a_point_under_the_ve_sde_has_no_noise_at_first():
    scale, variance = forward_facts.of_point(ve(0.01, 50.0), torch.tensor([0.0, 1.0], dtype=F64))
    assert scale.tolist() == [1, 1] and variance.tolist() == pytest.approx([0, 2500 - 1e-4])
    _, variance = forward_facts.of_point(vp(), torch.tensor([1.0], dtype=F64))
    assert float(variance) == pytest.approx(1 - math.exp(-10.05))


def test_order_of_variances(context, settings):
    found = values(forward_facts.order_rows(settings.forward, context), "sub_vp_over_vp")
    drawn = torch.rand(5, 3, generator=context.generator("schedules"), dtype=F64)
    largest = 0.0
    for a, b, c in drawn.tolist():
        low, high, start = 0.05 + 0.95 * a, 5 + 25 * b, 2 * c
        shrunk = np.exp(-(low * (t := np.linspace(0, 1, 1001)[1:]) + (high - low) * t**2 / 2))
        largest = max(largest, ((shrunk * start + (1 - shrunk) ** 2) / (shrunk * start + 1 - shrunk)).max())
    assert found["variance",] == pytest.approx(largest) and largest < 1
    rows = forward_facts.order_rows(settings.forward, context)
    start, shrunk = 2 * float(drawn[0, 2]), math.exp(-10.05)
    ends = values(rows, "end_variance_gap")
    assert ends["vp", "variance"] == pytest.approx(shrunk * abs(start - 1), rel=1e-4)
    assert ends["sub_vp", "variance"] == pytest.approx(abs(shrunk * (start - 2) + shrunk**2), rel=1e-4)
    assert values(rows, "kept_variance_gap")["vp", "variance"] < 1e-12


def test_kernels_gaps():
    found = values(forward_facts.kernel_rows([1000, 4000]), "kernel_gap")
    for n in (1000, 4000):
        # both are largest at the first level
        assert found["ve", "smld", "variance", n] == pytest.approx(1 - 5000 ** (-2 / n))
        exact = -math.expm1(-0.1 / n - 19.9 / 2 / n**2)
        assert found["vp", "ddpm", "variance", n] == pytest.approx(1 - 0.1 / n / exact)
    assert set(found) == {(*key, n) for n in (1000, 4000) for key in forward_keys()}
    shown = values(forward_facts.kernel_rows([1000]), "overlay_gap")
    assert all(value < 0.01 for value in shown.values()) and shown["vp", "ddpm", "variance", 1000] > 1e-4


def forward_keys():
    return [("ve", "smld", "variance"), ("vp", "ddpm", "variance"), ("vp", "ddpm", "mean")]


def test_the_figure_ends_at_the_last_level():
    arrays = forward_facts.figure_5()
    assert {values.shape for values in arrays.values()} == {(200,)} and arrays["t"][-1] == 1
    assert arrays["smld_variance"][-1] == pytest.approx(2500) and arrays["vp_variance"][-1] == pytest.approx(1, abs=1e-4)


# reverse


def test_marginals_are_exact_samples():
    model = one_gaussian().on(vp())
    found = marginal_facts.exact(model, torch.tensor([0.1, 1.0]), 20_000, generator())
    for x, t in zip(found, (0.1, 1.0)):
        time = torch.tensor(t, dtype=F64)
        wanted = float((0.4 * vp().alpha(time)).square() + vp().sigma(time).square())
        assert float(x.var()) == pytest.approx(wanted, rel=0.04)


def test_the_reverse_sde_is_kept_where_asked():
    model, grid = one_gaussian().on(vp()), torch.linspace(1, 1e-3, 11, dtype=F64)
    start = torch.randn(5, 2, generator=generator(), dtype=F64)
    found = marginal_facts.reverse_sde(model, start, grid, torch.tensor([10, 3]), generator=generator(1))
    for index, states in zip((10, 3), found):
        shorter = marginal_facts.euler_maruyama(model, start, grid[: index + 1], generator=generator(1)).x
        torch.testing.assert_close(states, shorter)


def test_processes_share_marginals_and_a_wrong_one_is_seen(context, monkeypatch):
    settings = resolve(PACKAGE, "sde_facts", "smoke", ["marginals.samples=800", "marginals.steps=100", "marginals.times=[0.25]"])
    rows = marginal_facts.marginal_rows(one_gaussian(), settings.marginals, context)
    assert {row["variant"] for row in rows} == {"sde to ode", "sde to exact", "ode to exact"} and len(rows) == 3 * 2 * 3
    for row in rows:
        assert row["value"] < 3 * row["floor"], row
    monkeypatch.setattr(
        marginal_facts, "reverse_sde", lambda model, start, grid, indices, **more: start.repeat(len(indices), 1, 1)
    )
    for row in marginal_facts.marginal_rows(one_gaussian(), settings.marginals, context):
        if row["dataset"] == "ve":
            assert (row["value"] > 10 * row["floor"]) == ("sde" in row["variant"])


def test_the_samplers_are_the_published_ones(context, settings, monkeypatch):
    found = values(chain_facts.same_chain_rows(toy(), settings.chains, context), "same_chain_gap")
    assert set(found) == {("ve", "smld"), ("vp", "ddpm")} and max(found.values()) < 1e-9
    monkeypatch.setattr(chain_facts, "annealed_langevin", lambda snr: chain_facts.identity)
    monkeypatch.setattr(chain_facts, "ancestral", chain_facts.reverse_diffusion)
    assert min(values(chain_facts.same_chain_rows(toy(), settings.chains, context), "same_chain_gap").values()) > 1e-3


def test_ancestral_and_reverse_diffusion_grow_alike(context, monkeypatch):
    settings = resolve(PACKAGE, "sde_facts", "smoke", ["chains.scales=[50, 200]", "chains.starts=400"]).chains
    gaps = values(chain_facts.end_point_rows(toy(), settings, context), "end_point_gap")
    for sde in ("ve", "vp"):
        assert math.log(gaps[sde, 200] / gaps[sde, 50]) / math.log(4) == pytest.approx(-1, abs=0.25)
    monkeypatch.setattr(chain_facts, "ancestral", chain_facts.reverse_diffusion)
    gaps = values(chain_facts.end_point_rows(toy(), settings, context), "end_point_gap")
    assert set(gaps.values()) == {0.0}


@pytest.mark.parametrize(
    ("path", "rule", "method"), [(vp(), "ancestral", ancestral), (sub_vp(), "euler_maruyama", euler_maruyama)]
)
def test_the_variance_of_a_chain_is_that_of_its_samples(path, rule, method):
    times = scales(path, 30, t_min=1e-3)
    exact = chain_facts.end_variance(path, *chain_facts.RULES[rule], 0.3, times[:-1])
    states = []
    start = torch.randn(10_000, 1, generator=generator(), dtype=F64)
    model = gaussian(path, torch.zeros(1, dtype=F64), 0.3)
    predictor_corrector(method)(model, start, times, generator=generator(1), callback=lambda step, t, x: states.append(x))
    wanted = float((0.3 * path.alpha(times[-1])).square() + path.sigma(times[-1]).square())
    assert float(states[-2].var()) / wanted == pytest.approx(exact, rel=4 * 2**0.5 / 100)


def test_variances_at_the_end(context, settings):
    rows = chain_facts.end_variance_rows(settings.chains, context)
    found = values(rows, "end_variance")
    assert len(found) == 2 * 3 * 2
    assert found["sub_vp", "euler_maruyama", 60] == pytest.approx(1, abs=0.1)
    assert abs(found["sub_vp", "reverse_diffusion", 60] - 1) > 0.1


# likelihoods


def test_errors_of_means():
    errors = torch.tensor([[1.0, 3.0, -1.0, -3.0], [2.0, 2.0, 0.0, 0.0]], dtype=F64)
    rows = likelihood_facts.error_rows("likelihood_error", errors, [1, 2, 4], {"unit": "nats"})
    assert [row["at"] for row in rows] == [1, 2, 4] and all(row["unit"] == "nats" for row in rows)
    expected = [(28 / 8) ** 0.5, ((4 + 4 + 4 + 0) / 4) ** 0.5, ((0 + 1) / 2) ** 0.5]
    assert [row["value"] for row in rows] == pytest.approx(expected)


def test_divergences(context, monkeypatch):
    settings = resolve(PACKAGE, "sde_facts", "smoke", ["likelihood.probes=1024", "likelihood.points=8"]).likelihood
    rows = likelihood_facts.divergence_rows(toy(), settings, context)
    bias, error = values(rows, "divergence_bias"), values(rows, "divergence_error")
    assert all(abs(value) < 4 for value in bias.values()) and set(bias) == {("vp", "rademacher"), ("vp", "gaussian")}
    for method in ("rademacher", "gaussian"):
        assert error["vp", method, 1] / error["vp", method, 4] == pytest.approx(2, rel=0.15)
    true = likelihood_facts.hutchinson_divergence
    monkeypatch.setattr(likelihood_facts, "hutchinson_divergence", lambda *given: (None, 1.2 * true(*given)[1]))
    assert abs(values(likelihood_facts.divergence_rows(toy(), settings, context), "divergence_bias")["vp", "gaussian"]) > 4


def test_likelihoods(context, settings):
    rows = likelihood_facts.exact_rows(toy(), settings.likelihood, context)
    gaps = values(rows, "likelihood_gap")
    for sde in ("ve", "vp", "sub_vp"):
        assert gaps[sde, "exact end"] < 2e-3
    # the VE path's prior is the wide noise without the data under it
    assert gaps["ve", "prior"] > 0.01 > gaps["vp", "prior"]
    many = resolve(PACKAGE, "sde_facts", "smoke", ["likelihood.points=64"]).likelihood
    one, four = likelihood_facts.averaged_rows(toy(), many, context)
    assert (one["at"], four["at"]) == (1, 4) and one["value"] / four["value"] == pytest.approx(2, rel=0.25)


def test_a_tight_solve_has_the_mixtures_own_density(context, settings):
    tight = settings.likelihood.model_copy(update={"tolerance": 1e-8})
    gaps = values(likelihood_facts.exact_rows(toy(), tight, context), "likelihood_gap")
    assert all(gaps[sde, "exact end"] < 1e-5 for sde in ("ve", "vp", "sub_vp"))


def test_a_run(context, settings):
    outcome = sde_facts.run(settings, context)
    assert all(math.isfinite(row["value"]) for row in outcome.rows) and set(outcome.arrays) >= {"t", "ve_variance"}
    again = sde_facts.run(settings, context)
    assert [row["value"] for row in again.rows] == [row["value"] for row in outcome.rows]


def test_a_measurement_moves_samples_most_of_the_way_to_the_posterior(context, settings, monkeypatch):
    wide = settings.inverse.model_copy(update={"samples": 1000, "steps": 200})
    rows = inverse_facts.inverse_rows(wide, context)
    shares, widths = values(rows, "share_of_way"), values(rows, "posterior_variance_ratio")
    assert set(shares) == {("ve",), ("vp",), ("sub_vp",)}
    assert all(0.6 < share < 1.05 for share in shares.values()) and all(0.8 < width < 8 for width in widths.values())
    # without a measurement's gradient samples are the data's own: no way at all, and as wide as the data
    monkeypatch.setattr(inverse_facts, "measurement_gradient", lambda *_, **__: lambda x, t: torch.zeros_like(x))
    rows = inverse_facts.inverse_rows(wide, context)
    assert all(abs(share) < 0.1 for share in values(rows, "share_of_way").values())
    assert all(width > 3 for width in values(rows, "posterior_variance_ratio").values())
