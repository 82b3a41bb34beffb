"""Latents: what is measured of them on Gaussian data, how they are compared, and a second network."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from common.dynamics.answers import Answering
from common.dynamics.oracles import gaussian
from common.dynamics.paths import sub_vp, ve, vp
from common.evaluation.yardstick import Yardstick
from common.learning.data.split import ImageSplit
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.ncsn.sample_measures import Known
from replications.score_sde.experiments import latent_codes
from replications.score_sde.images import latent_uses
from replications.score_sde.images.latent_agreement import agreement, correlations, gaussian_latents
from replications.score_sde.images.latent_uses import Given
from replications.score_sde.probability_flow import encoded

F64, SHAPE, STD = torch.float64, (1, 8, 8), 0.3
PATHS = {"score_vp": vp(), "score_sub_vp": sub_vp(), "score_ve": ve(0.01, 15.0)}


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def image_model(path):
    """What is exact for images of independent Gaussian pixels of mean 0."""
    oracle = gaussian(path, torch.zeros(64, dtype=F64), STD)
    return Answering(path, "score", lambda x, t: oracle.score(x.flatten(1), t).reshape(x.shape))


@pytest.fixture
def context(tmp_path):
    return Context("score_sde", "latent_codes", "smoke", 0, 99, tmp_path, tmp_path, torch.device("cpu"))


@pytest.fixture
def settings():
    more = ["tolerances=[1.0e-5, 1.0e-3, 1.0e-1]", "tolerance=1.0e-5", "train.steps=2", "pairs=40", "samples=80"]
    return resolve("replications.score_sde", "latent_codes", "smoke", more)


@pytest.fixture
def given():
    def features(images):
        return images.flatten(1)[:, :3].double().numpy()

    train, test, noise = STD * draw(50, *SHAPE), STD * draw(80, *SHAPE, seed=1), draw(80, *SHAPE, seed=2)
    measure = Yardstick(ImageSplit(torch.empty(0), None, 17), features, features(test), features(train))
    return Given(measure, Known(train.float(), features(train)), test, noise)


def values(rows, metric, key="at"):
    return {row[key]: row["value"] for row in rows if row["metric"] == metric}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_latents_of_correlated_data_under_their_gaussian(path):
    """The flow of the exact score of N(m, C), solved, against the closed form from data of just that mean and covariance."""
    mean, root = torch.tensor([0.5, -0.2, 0.1], dtype=F64), 0.4 * draw(3, 3)
    raw = draw(40, 3, seed=3)
    raw = (raw - raw.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(raw.T.cov())).T
    data, covariance = mean + raw @ root.T, root @ root.T

    def score(x, t):
        marginal = path.alpha(t) ** 2 * covariance + path.sigma(t) ** 2 * torch.eye(3, dtype=F64)
        return -torch.linalg.solve(marginal, (x - path.alpha(t) * mean).T).T

    model = Answering(path, "score", lambda x, t: score(x, torch.as_tensor(t, dtype=F64)))
    x = mean + draw(10, 3, seed=4) @ root.T
    expected = encoded(model, x, t_min=1e-3, tolerance=1e-8).x
    torch.testing.assert_close(gaussian_latents(path, x, data, 1e-3), expected, rtol=1e-5, atol=1e-5 * path.prior_std)


def test_agreement():
    a, other = draw(400, 4, 5), draw(400, 4, 5, seed=1)
    same, opposite, unlike = agreement(a, a), agreement(a, -a), agreement(a, other)
    assert same.difference == 0 and same.correlation == pytest.approx(1) and abs(same.shuffled) < 0.1
    assert opposite.correlation == pytest.approx(-1)
    assert unlike.difference == pytest.approx(1, abs=0.05) and abs(unlike.correlation) < 0.05
    # z_B = z_A + noise of its own: |noise| over |difference of two images|
    near = agreement(a, a + 0.5 * other)
    assert near.difference == pytest.approx(0.5 / math.sqrt(2 + 0.25), rel=0.05)
    # of normals, ranks correlate by 6 / pi asin(rho / 2)
    assert near.correlation == pytest.approx(6 / math.pi * math.asin(0.5 / math.sqrt(1.25)), rel=0.02)


def test_one_image_far_out_decides_nothing():
    a = draw(100, 20)
    b = a + 0.1 * draw(100, 20, seed=1)
    b[7] = -1000.0
    assert agreement(a, b).correlation > 0.9 and agreement(a, b).difference < 0.1


def test_correlations_are_of_each_dimension():
    a, b = draw(30, 3), draw(30, 3, seed=1)
    expected = [spearmanr(a[:, k], b[:, k]).statistic for k in range(3)]
    assert correlations(a + 5, 2 * b).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_tolerances_cost_evaluations_and_move_samples(path, settings, given, context):
    rows, pictures = latent_uses.tolerance_rows(image_model(path), given, settings, context, {"method": "m"})
    nfe, moved = values(rows, "nfe"), values(rows, "moved")
    assert nfe[1e-5] > nfe[1e-3] > nfe[1e-1] and moved[1e-5] == 0 < moved[1e-3] < moved[1e-1]
    back = values(latent_uses.round_trip_rows(image_model(path), given, settings, {}), "round_trip_error")
    assert back[1e-5] < 1e-3 < back[1e-1] and back[1e-5] < back[1e-3] < back[1e-1]
    assert set(pictures) == {"1e-05", "0.001", "0.1"}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_the_straight_middle_has_half_of_the_variance(path, settings, given, context):
    """Of Gaussian data, whose flow is linear: the sphere keeps the norm, the straight line loses a root of two."""
    rows, pictures = latent_uses.interpolation_rows(image_model(path), given, settings, context, {})
    variance = values(rows, "sample_variance", "variant")
    assert variance["random"] == pytest.approx(STD**2, rel=0.1) == variance["spherical"]
    assert variance["linear"] == pytest.approx(STD**2 / 2, rel=0.1)
    # the mean is the likeliest point
    near = values(rows, "nearest_in_pixels", "variant")
    assert near["linear"] < near["spherical"] == pytest.approx(near["random"], rel=0.05)
    paths = pictures["spherical"].reshape(latent_uses.MOMENTS, -1, *SHAPE)
    torch.testing.assert_close(paths[0], given.test[::2][: paths.shape[1]], atol=0.05, rtol=0.01)
    torch.testing.assert_close(paths[-1], given.test[1::2][: paths.shape[1]], atol=0.05, rtol=0.01)


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_variance_goes_with_the_square_of_the_temperature(path, settings, given, context):
    rows, _ = latent_uses.temperature_rows(image_model(path), given, settings, context, {})
    variance = values(rows, "sample_variance")
    assert variance[0.6] / variance[1.0] == pytest.approx(0.36, rel=0.02) and variance[1.0] == pytest.approx(STD**2, rel=0.1)


def test_the_second_network_has_weights_and_batches_of_its_own(settings, context, monkeypatch):
    seen = {}
    original = latent_codes.fitted

    def fitted(model, train, context, **more):
        seen.update(more, model=model)
        return original(model, train, context, **more)

    monkeypatch.setattr(latent_codes, "fitted", fitted)
    one = latent_codes.second_network("score_ve", settings, context)
    assert seen["seed"] == context.seed_for("second network") and seen["of"] == seen["model"]
    assert seen["model"].backbone == settings.backbone and seen["data"] == "digits"
    assert one.conditioning.t == "log_sigma" and not any(weight.requires_grad for weight in one.parameters())
    untrained = seen["model"].build(seen["seed"])
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), untrained.parameters()))


def test_a_run_compares_states_with_the_second_network(settings, given, context, monkeypatch):
    monkeypatch.setattr(latent_uses, "given", lambda settings, context: given)
    monkeypatch.setattr(latent_codes, "second_network", lambda *_: image_model(ve(0.01, 15.0)))

    def trained(name, settings, context, share=1.0):
        exact = image_model(PATHS["score_vp" if name == "ddpm_vp" else name])
        return exact if share == 1 else Answering(exact.path, "score", lambda x, t: share * exact.score(x, t))

    monkeypatch.setattr(latent_codes, "trained", trained)
    outcome = latent_codes.run(settings.model_copy(update={"tolerance": 1e-2, "tolerances": [1e-2, 1e-1]}), context)
    found = [row for row in outcome.rows if row["metric"] == "latent_difference"]
    assert [(row["variant"], row.get("at")) for row in found] == [
        ("Gaussian flow", None),
        ("shared network", 0.5),
        ("shared network", 1.0),
    ]
    linear, half, full = (row["value"] for row in found)
    assert full == 0 < half and 0 < linear < 1.2
    names = {"ddpm_vp_tolerance_0.1", "score_ve_path_spherical", "score_ve_temperature_1", "score_ve_latents_second"}
    assert names <= set(outcome.arrays) and all(each.dtype == np.float16 for each in outcome.arrays.values())
    torch.testing.assert_close(outcome.arrays["score_ve_latents_shared"], outcome.arrays["score_ve_latents_second"])
    references = {row["metric"] for row in outcome.rows if row.get("method") == "data"}
    assert references == {"feature_frechet", "nearest_in_pixels", "nearest_in_features", "sample_variance"}
