"""The experiment without a network: its measures on cases that are known, and what it finds."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.ncsnv2.experiments import ladders
from replications.ncsnv2.facts import norm_facts, step_facts
from replications.ncsnv2.noise_levels import ratio_of_levels, shell_mass
from replications.ncsnv2.published import NCSN, PUBLISHED, Published


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ladders")
    settings = resolve("replications.ncsnv2", "ladders", "smoke", ["norms.draws=2000"])
    return ladders.run(settings, Context("ncsnv2", "ladders", "smoke", 0, 99, folder, folder, torch.device("cpu")))


@pytest.fixture(scope="module")
def table(outcome):
    return pd.DataFrame(outcome.rows)


@pytest.fixture
def context(tmp_path):
    return Context("ncsnv2", "ladders", "smoke", 0, 99, tmp_path, tmp_path, torch.device("cpu"))


def column(table, metric, **where):
    found = table[table.metric == metric]
    for name, value in where.items():
        found = found[found[name] == value]
    return found


def test_the_statistic_of_kolmogorov_and_smirnov_is_scipys():
    draws = np.random.default_rng(0).normal(0.3, 1.2, 57)
    assert norm_facts.ks(stats.norm.cdf(draws)) == pytest.approx(stats.kstest(draws, stats.norm.cdf).statistic, rel=1e-12)
    assert norm_facts.ks(np.array([0.5])) == 0.5 and norm_facts.ks(np.array([0.9, 0.9])) == pytest.approx(0.9)


@pytest.mark.parametrize("dim", [1, 2, 50])
def test_the_exact_distance_is_that_of_the_two_distributions(dim):
    r = np.linspace(0, 20, 40_001)
    expected = np.abs(stats.chi(dim).cdf(r) - stats.norm(math.sqrt(dim), math.sqrt(0.5)).cdf(r)).max()
    assert norm_facts.exact_distance(dim) == pytest.approx(expected, abs=1e-5)


def test_norms_are_drawn_in_blocks(monkeypatch):
    monkeypatch.setattr(norm_facts, "NUMBERS", 100)
    norms = norm_facts.drawn_norms(30, 1000, generator=torch.Generator().manual_seed(0))
    assert norms.shape == (1000,) and norms.dtype == torch.float64 and len(norms.unique()) > 990
    assert float(norms.square().mean()) == pytest.approx(30, abs=5 * math.sqrt(60 / 1000))


def test_norms_and_shells(table):
    """The distance from the limit goes as 1 / sqrt(D); drawn norms have their exact distribution."""
    exact = column(table, "norm_ks", method="exact").set_index("at").value
    assert list(exact.index) == [2, 8, 64, 784, 3072]
    np.testing.assert_allclose((exact * np.sqrt(exact.index)).iloc[1:], 0.188, rtol=0.01)
    drawn = column(table, "norm_ks", method="drawn").set_index("at")
    np.testing.assert_allclose(drawn.floor, 1.358 / 2000**0.5, rtol=1e-3)
    assert (abs(drawn.value - exact) < 2 / 2000**0.5).all() and (column(table, "chi_ks").value < 2).all()
    assert drawn.value[3072] < drawn.floor[3072] and drawn.value[2] > 2 * drawn.floor[2]
    masses = column(table, "shell_mass", axis="dimension").pivot(index="at", columns="method", values="value")
    assert list(masses.index) == [8, 64, 784, 3072]
    np.testing.assert_allclose(masses.formula, 0.567)
    assert masses.exact[3072] == pytest.approx(0.5637, abs=1e-4)
    errors = column(table, "shell_mass", method="drawn").set_index("at").error
    np.testing.assert_allclose(errors, np.sqrt(masses.drawn * (1 - masses.drawn) / 2000))
    assert (abs(masses.drawn - masses.exact) < 4 * errors).all()


def test_rows_of_drawn_norms(context):
    settings = norm_facts.NormSettings(dimensions=[6], draws=300)
    found = {(each["metric"], each["method"]): each["value"] for each in norm_facts.norm_rows(settings, context)}
    norms = norm_facts.drawn_norms(6, 300, generator=context.generator("noise", 6)).numpy()
    assert found["chi_ks", "drawn"] == pytest.approx(300**0.5 * stats.kstest(norms, stats.chi(6).cdf).statistic)
    limit = stats.norm(6**0.5, 0.5**0.5)
    assert found["norm_ks", "drawn"] == pytest.approx(stats.kstest(norms, limit.cdf).statistic)
    inner, outer = norm_facts.shell(6, ratio_of_levels(6))
    assert found["shell_mass", "drawn"] == np.mean((norms > inner) & (norms < outer))


def test_a_shell_is_three_standard_deviations_of_the_level_before():
    inner, outer = norm_facts.shell(64, 1.5)
    assert (inner + outer) / 2 == pytest.approx(8 * 1.5) and outer - inner == pytest.approx(6 * 1.5 / math.sqrt(2))


def test_published_ladders_beside_the_techniques(table):
    for model in (NCSN, *PUBLISHED):
        here = {"dataset": model.data, "variant": model.paper}
        by_method = column(table, "levels", **here).set_index("method").value
        assert by_method["published"] == model.levels
        assert by_method["techniques"] == (model.levels if model is not NCSN else 125)
        [mass] = column(table, "shell_mass", **here).value
        assert mass == shell_mass(model.dim, model.ratio)
        step = column(table, "step_size", **here).set_index("method").value
        reached = column(table, "final_variance", **here).set_index("method").value
        assert step["published"] == model.eps and 1 < reached["techniques"] <= reached["published"]
    evaluations = column(table, "evaluations", variant="ncsnv2")
    assert list(evaluations.value) == [1160, 2500, 3152, 3258, 6933] == list(evaluations.nfe)


def test_levels_grow_as_the_root_of_the_dimension(table):
    needed = column(table, "levels_needed")
    slope = np.polyfit(np.log(needed["at"]), np.log(needed.value), 1)[0]
    assert slope == pytest.approx(0.5, abs=0.02)
    first = needed.iloc[0]
    assert first["at"] == 64 and first.value == pytest.approx(1 + math.log(1000) / math.log(ratio_of_levels(64)))


TOY = Published("toy", "ncsnv2", 0, 8.0, 4, 3, 0.3, sigma_min=1.0)  # ratio 2


@pytest.mark.parametrize("level", [1, 2, 3])
def test_chains_leave_the_variance_of_the_recursion(level, context):
    n = 20_000
    for steps, eps in ((3, 0.3), (2, 1.5), (1, 1e-9)):
        model = TOY._replace(steps=steps, eps=eps)
        expected = step_facts.recursion(2.0, eps, steps)
        found = step_facts.chain_variance(model, level, 3, n, context)
        assert found == pytest.approx(expected, abs=5 * expected * math.sqrt(2 / (3 * n)))
    assert expected == pytest.approx(4)


def test_the_recursion_by_hand():
    # (1 - 1/2)^2 4 + 2/2 = 2, and once more 1.5
    assert step_facts.recursion(2.0, 0.5, 1) == 2 and step_facts.recursion(2.0, 0.5, 2) == 1.5


def test_three_variances(table):
    assert (column(table, "recursion_off").value < 1e-12).all()
    chains = column(table, "level_variance", method="chains")
    assert len(chains) == 18 and set(chains["at"][chains.dataset == "ffhq256"]) == {1, 1155, 2310}
    off = column(table, "level_variance_off").value
    assert (off.abs() < 4).all() and off.std() == pytest.approx(1, abs=0.5)
    for model in (NCSN, *PUBLISHED):
        here = column(table, "level_variance", dataset=model.data, variant=model.paper)
        [exact], [steps] = (here[here.method == method].value for method in ("closed_form", "recursion"))
        assert exact == pytest.approx(steps, rel=1e-12)
        mine = here[here.method == "chains"]
        np.testing.assert_allclose(mine.error, exact * np.sqrt(2 / (mine.n * np.array([2, 16, 128]))))
        assert set(here.nfe) == {model.steps}


def test_curves_have_their_minimum_where_technique_4_says(outcome):
    rho = outcome.arrays["rho"]
    for model in (NCSN, *PUBLISHED):
        variance = outcome.arrays[f"{model.paper}_{model.data}_variance"]
        best = outcome.arrays[f"{model.paper}_{model.data}_best"]
        published = outcome.arrays[f"{model.paper}_{model.data}_published"]
        assert variance.min() >= best[1] and abs(np.log(rho[variance.argmin()] / best[0])) < np.log(rho[1] / rho[0])
        assert published[0] == pytest.approx(model.eps / 1e-4) and published[1] >= best[1]
        assert variance[-1] > 2
