"""Samplers of trained models, on models whose answers are known: what is asked of them, at which cost, and what ends in a row."""

import math

import numpy as np
import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.oracles import gaussian
from common.dynamics.paths import ve, vp
from common.evaluation.yardstick import Yardstick
from common.learning.data.split import ImageSplit
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.score_sde.correctors import langevin
from replications.score_sde.experiments import learned_samplers
from replications.score_sde.images import learned_sampling
from replications.score_sde.images.learned_sampling import METHODS, Case, CorrectorSettings, size, ways
from replications.score_sde.predictors import NONE, TABLE_1

F64, SHAPE, STD = torch.float64, (1, 4, 4), 0.3
MEAN = torch.linspace(-0.5, 0.5, 16, dtype=F64)
PATHS = {"score_ve": ve(0.01, 15.0), "ddpm_vp": vp()}
BY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=lambda path: path.name)


def image_model(path, asked=None):
    """What is exact for images of independent Gaussian pixels."""
    oracle, asked = gaussian(path, MEAN, STD), [] if asked is None else asked
    return Answering(path, "score", lambda x, t: asked.append(t) or oracle.score(x.flatten(1), t).reshape(x.shape))


def images(n, seed=0):
    return (MEAN.reshape(SHAPE) + STD * torch.randn(n, *SHAPE, generator=torch.Generator().manual_seed(seed))).float()


@pytest.fixture
def context(tmp_path):
    return Context("score_sde", "learned_samplers", "smoke", 0, 99, tmp_path, tmp_path, torch.device("cpu"))


@pytest.fixture(scope="module")
def settings():
    return resolve("replications.score_sde", "learned_samplers", "smoke", ["scales=25", "samples=12"])


@pytest.fixture(scope="module")
def measure():
    def features(x):
        return x.flatten(1)[:, :3].double().numpy()

    test = ImageSplit(((images(30).clamp(-0.99, 0.99) + 1) * 8.5).long(), None, 17)
    return Yardstick(test, features, features(images(30)), features(images(30, 1)))


def case_of(path, context, measure, samples=12, snr=0.0, batch=None, alpha="one", asked=None):
    noise = torch.randn(samples, *SHAPE, generator=context.generator("starts"), dtype=torch.float32)
    corrector = CorrectorSettings(snr=dict.fromkeys([*TABLE_1, NONE], snr), alpha=alpha)
    return Case(image_model(path, asked), noise, batch or samples, corrector, measure, 0.25, context)


def cells(rows, metric):
    return {row["variant"]: row for row in rows if row["metric"] == metric}


@BY_PATH
def test_every_predictor_gives_the_data(path, context, measure):
    case = case_of(path, context, measure, 400, 0.05, batch=200)
    for predictor in METHODS:
        if predictor in case.corrector.predictors:
            found = case.samples(predictor, 100, 1)
            assert found.nfe == 200 and found.x.shape == found.noisy.shape == (400, *SHAPE)
            assert float((found.x.mean(0).flatten() - MEAN).abs().max()) < 0.12
            assert float(found.x.var(0).mean()) == pytest.approx(STD**2, rel=0.25)


def test_columns_at_their_cost(context, measure, settings):
    asked = []
    case = case_of(vp(), context, measure, asked=asked)
    rows, arrays = learned_samplers.table_rows(case, settings, {"method": "m"})
    costs = {"frechet_p": 25, "frechet_p2": 50, "frechet_pc": 50, "frechet_p2_rounded": 50}
    for metric, cost in costs.items():
        found = cells(rows, metric)
        assert list(found) == list(TABLE_1) and {row["nfe"] for row in found.values()} == {cost}
        assert {(row["method"], row["floor"], row["n"]) for row in found.values()} == {("m", 0.25, 12)}
    assert list(cells(rows, "frechet_c2")) == [NONE] and cells(rows, "frechet_c2")[NONE]["nfe"] == 50
    assert len(asked) == 3 * sum(costs.values()) + 50
    for predictor in TABLE_1:
        assert cells(rows, "frechet_p2")[predictor]["value"] != cells(rows, "frechet_p2_rounded")[predictor]["value"]
    assert arrays["samples_ancestral_P2_rounded"].dtype == np.float16 and len(arrays) == 4 * 3 + 1


def test_without_a_step_the_corrector_changes_nothing(context, measure):
    """Only where the predictor draws no noise of its own: the corrector draws some too."""
    still, moving = (case_of(vp(), context, measure, snr=snr) for snr in (0.0, 0.3))
    plain, corrected, moved = (
        case.samples("probability_flow", 25, steps).x for case, steps in ((still, 0), (still, 1), (moving, 1))
    )
    assert torch.equal(plain, corrected) and not torch.equal(plain, moved)
    assert torch.equal(moving.samples("probability_flow", 25).x, plain)


def test_each_predictor_has_a_ratio_of_its_own(context, measure, monkeypatch):
    asked = []
    monkeypatch.setattr(learned_sampling, "langevin", lambda snr, **more: asked.append((snr, more)) or langevin(snr, **more))
    corrector = CorrectorSettings(snr={"ancestral": 0.1, "euler_maruyama": 0.2, NONE: 0.3}, alpha="coded")
    case = case_of(vp(), context, measure)._replace(corrector=corrector)
    assert corrector.predictors == ["ancestral", "euler_maruyama"]
    for predictor in (*corrector.predictors, NONE):
        case.samples(predictor, 30, 1)
    assert asked == [(snr, {"alpha": "coded"}) for snr in (0.1, 0.2, 0.3)]


def test_rounding_asks_at_the_nearest_scale_alone(context, measure):
    asked, few = [], 25
    case = case_of(vp(), context, measure, asked=asked)
    found = case.samples("reverse_diffusion", 2 * few, rounded=few)
    levels = case.times(few)[:-1].tolist()
    assert set(asked) == set(levels) and len(asked) == 50 and asked == sorted(asked, reverse=True)
    wanted = [min(levels, key=lambda level: abs(level - t)) for t in case.times(2 * few)[:-1].tolist()]
    assert asked == pytest.approx(wanted)
    assert not torch.equal(found.x, case.samples("reverse_diffusion", 2 * few).x)


@pytest.mark.parametrize(("path", "noise"), [(ve(0.01, 15.0), 0.01), (vp(), math.sqrt((0.1 + 19.9e-3) / 25))])
def test_what_the_last_step_removes(path, noise, context, measure, settings):
    """Reverse diffusion's noise; the flow's predictor has none, and its mean is what it returns."""
    case = case_of(path, context, measure, 400)
    rows, _ = learned_samplers.table_rows(case, settings, {})
    change, undenoised = cells(rows, "denoising_change"), cells(rows, "frechet_undenoised")
    # 6400 squares of standard normals
    assert change["reverse_diffusion"]["value"] == pytest.approx(1, abs=4 * (0.5 / 6400) ** 0.5 + 1e-3)
    assert change["probability_flow"]["value"] == 0
    found = case.samples("reverse_diffusion", 25)
    assert float((found.noisy - found.x).std()) == pytest.approx(noise, rel=0.05)
    assert undenoised["reverse_diffusion"]["value"] == case.row("m", found.noisy)["value"] != case.row("m", found.x)["value"]


@BY_PATH
def test_the_flows_samples_in_closed_form(path, context, measure, settings):
    """It is linear; Tweedie's step then goes to the mean of the data given its end."""
    asked = []
    case = case_of(path, context, measure, 20, batch=12, asked=asked)
    assert case._replace(batch=20).flow(1e-2).nfe == len(asked)
    found = case.flow(1e-4)
    alpha, sigma = path.alpha(case.ends), path.sigma(case.ends)
    std = (alpha.square() * STD**2 + sigma.square()).sqrt()
    mean = MEAN.reshape(SHAPE)
    expected = alpha[1] * mean + std[1] / std[0] * (path.prior_std * case.noise - alpha[0] * mean)
    torch.testing.assert_close(found.noisy.double(), expected, atol=3e-3, rtol=0)
    clean = mean + alpha[1] * STD**2 / std[1] ** 2 * (expected - alpha[1] * mean)
    torch.testing.assert_close(found.x.double(), clean, atol=3e-3, rtol=0)
    rows, arrays = learned_samplers.flow_rows(case, settings.model_copy(update={"tolerance": 1e-4}), {"method": "m"})
    flow, _, change = rows
    assert [row["metric"] for row in rows] == ["frechet_flow", "frechet_undenoised", "denoising_change"]
    assert change["value"] == pytest.approx(float((expected - clean).square().mean().sqrt() / sigma[1]), rel=1e-2)
    assert flow["value"] == pytest.approx(case.row("m", clean)["value"], abs=1e-3) and flow["nfe"] == found.nfe > 20
    assert arrays["samples_rk45"].shape == (16, *SHAPE)


def test_every_share_costs_the_same(context, measure, settings):
    case = case_of(ve(0.01, 15.0), context, measure)
    case = case._replace(corrector=CorrectorSettings(snr={"reverse_diffusion": 0.1, NONE: 0.2}))
    rows, _ = learned_samplers.share_rows(case, settings, {"method": "m"})
    assert [(row["variant"], row["at"]) for row in rows] == [
        *(("reverse_diffusion", share) for share in (0, 0.25, 0.5, 0.75)),
        (NONE, 1.0),
    ]
    assert {(row["nfe"], row["axis"], row["metric"]) for row in rows} == {(84, "share", "frechet_share")}


@BY_PATH
def test_ways_from_the_same_starts(path, context, measure):
    case = case_of(path, context, measure, 200)
    times, found = ways(case, 200, 100, 1e-3)
    usual = (path.alpha(times).square() + path.sigma(times).square()).sqrt()
    torch.testing.assert_close(size(path, times), usual)
    assert times.shape == (100,) and {states.shape for states in found.values()} == {(100, 200, *SHAPE)}
    start = path.prior_std * case.noise[:200] / usual[0]
    for states in found.values():
        torch.testing.assert_close(states[0].float(), start.float())
    # the flow's end in closed form; the SDE's states have the marginal's spread half-way, and are no line
    alpha, std = path.alpha(times), (path.alpha(times).square() * STD**2 + path.sigma(times).square()).sqrt()
    mean = MEAN.reshape(SHAPE)
    end = alpha[-1] * mean + std[-1] / std[0] * (path.prior_std * case.noise[:200] - alpha[0] * mean)
    torch.testing.assert_close(found["ODE"][-1], end / usual[-1], atol=1e-2, rtol=0)
    spread = (found["SDE"][50] * usual[50] - alpha[50] * mean).square().mean().sqrt()
    assert float(spread) == pytest.approx(float(std[50]), rel=0.1)
    bends = {how: float(states.diff(n=2, dim=0).abs().mean()) for how, states in found.items()}
    assert bends["SDE"] > 5 * bends["ODE"]


def test_a_run_of_all_models(settings, context, measure, monkeypatch):
    monkeypatch.setattr(learned_samplers, "yardstick", lambda *_, **__: measure)
    monkeypatch.setattr(Context, "model", lambda self, data, name: name)
    monkeypatch.setattr(learned_samplers, "load_denoiser", lambda name, device: image_model(PATHS[name]))
    outcome = learned_samplers.run(settings, context)
    assert all(math.isfinite(row["value"]) for row in outcome.rows)
    assert all(row["floor"] == measure.floor(12) for row in outcome.rows if "frechet" in row["metric"])
    methods = {(row["method"], row["metric"]) for row in outcome.rows}
    assert {method for method, metric in methods if metric == "frechet_share"} == set(settings.shared) == set(PATHS)
    for name, corrector in settings.models.items():
        mine = [row for row in outcome.rows if row["method"] == name]
        assert set(cells(mine, "frechet_share")) == set(settings.shared[name].snr)
        assert list(cells(mine, "frechet_p2")) == corrector.predictors and list(cells(mine, "frechet_flow")) == ["rk45"]
        assert outcome.arrays[f"{name}_pixel_ODE"].shape == (2, 21)
        assert outcome.arrays[f"{name}_pictures_SDE"].shape == (2, 9, *SHAPE)
        # both ways begin in one state, which is the same for both models, over their usual sizes
        one, other = (outcome.arrays[f"{name}_pictures_{how}"][:, 0] for how in ("SDE", "ODE"))
        np.testing.assert_array_equal(one, other)
        times = outcome.arrays[f"{name}_way_times"]
        np.testing.assert_array_equal(outcome.arrays[f"{name}_way_moments"][[0, -1]], times[[0, -1]])
    starts = [outcome.arrays[f"{name}_pictures_ODE"][:, 0] for name in PATHS]
    np.testing.assert_allclose(*starts, rtol=5e-3)
