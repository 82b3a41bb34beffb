"""The arithmetic of the experiments, on stand-in models whose answers are known by hand."""

import math

import numpy as np
import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.oracles import gaussian
from common.dynamics.paths import optimal_transport, vp
from common.learning.data.scale import to_unit
from common.learning.data.split import ImageSplit
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.flow_matching.experiments import table1, toy_2d
from replications.flow_matching.path_geometry import noise_left, noise_left_rows, straightness
from replications.flow_matching.sampling import sample_adaptively

F64 = torch.float64
PACKAGE = "replications.flow_matching"
STD = 0.4


def image_model(mean, path=None):
    """Images [1, 2, 2] whose pixels are N(mean, STD^2)."""
    path = path or optimal_transport()
    oracle = gaussian(path, mean.flatten(), STD)
    return Answering(path, "velocity", lambda x, t: oracle.velocity(x.flatten(1), t).reshape(x.shape))


@pytest.fixture
def test_split():
    images = torch.randint(0, 17, (5, 1, 2, 2), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    return ImageSplit(images, None, 17)


@pytest.fixture
def context(tmp_path):
    return Context("flow_matching", "table1", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu"))


def rows_at(rows, metric):
    return {row["at"]: row["value"] for row in rows if row["metric"] == metric}


def test_bits_per_dim_at_each_number_of_draws(test_split, context):
    settings = resolve(PACKAGE, "table1", "smoke", ["test_images=5", "dequantisations=[1, 2, 4]", "batch=100", "tolerance=1e-8"])
    mean = torch.tensor([0.1, -0.2, 0.3, 0.0], dtype=F64)
    rows = table1.likelihood_rows(image_model(mean), test_split, settings, {"dataset": "d", "method": "m"}, context)
    draws = to_unit(test_split.images.repeat(4, 1, 1, 1), 17, generator=context.generator("dequantise")).double()
    density = torch.distributions.Normal(mean, STD).log_prob(draws.flatten(1)).sum(1).reshape(4, 5)
    for k in (1, 2, 4):
        bits = -(density[:k].logsumexp(0) - math.log(k)) / (4 * math.log(2)) + math.log2(17 / 2)
        # the oracle's density and the flow's differ by the prior's at t = 1 only, which is the marginal's on this path
        assert rows_at(rows, "nll")[k] == pytest.approx(float(bits.mean()), abs=2e-4)
        assert rows_at(rows, "nll_standard_error")[k] == pytest.approx(float(bits.std() / 5**0.5), abs=2e-4)
    assert all(row["n"] == 5 and row["axis"] == "K" and row["nfe"] > 10 for row in rows)


def test_with_estimated_divergences_more_than_one_draw_is_refused(test_split, context):
    settings = resolve(PACKAGE, "table1", "smoke", ["dequantisations=[1, 5, 20]", "divergence=hutchinson", "test_images=5"])
    rows = table1.likelihood_rows(image_model(torch.zeros(4, dtype=F64)), test_split, settings, {"method": "m"}, context)
    refused = {row["at"]: row["message"] for row in rows if row.get("status") == "refused"}
    assert set(refused) == {5, 20} and all("Hutchinson's noise must not enter a log-mean-exp" in why for why in refused.values())
    assert set(rows_at(rows, "nll_standard_error")) == {1}


def test_evaluations_are_the_mean_over_samples_and_not_over_batches():
    model, noise = (
        image_model(torch.zeros(4, dtype=F64)),
        torch.randn(7, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=F64),
    )
    parts = [sample_adaptively(model, part, 5, 1e-6)[1] for part in noise.split(5)]
    images, nfe = sample_adaptively(model, noise, 5, 1e-6)
    assert nfe == pytest.approx((5 * parts[0] + 2 * parts[1]) / 7) and len(images) == 7


def test_samples_start_from_the_prior():
    """Noise is standard normal; a path whose prior is wider starts from so much wider noise."""
    from common.dynamics.paths import ve

    model = image_model(torch.zeros(4, dtype=F64), ve(0.01, 20.0))
    noise = torch.randn(400, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    images, _ = sample_adaptively(model, noise, 400, 1e-5)
    assert float(images.std()) == pytest.approx(STD, rel=0.1)


def test_the_boards_likelihood_is_the_negative_log_density():
    path, mean = vp(), torch.tensor([0.3, -0.5], dtype=F64)
    oracle, settings = gaussian(path, mean, STD), resolve(PACKAGE, "toy_2d", "smoke", ["tolerance=1e-8"])
    test = mean + STD * torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    nll, error = toy_2d.likelihood_rows(oracle, test, settings, {"method": "m"})
    exact = -torch.distributions.Normal(mean, STD).log_prob(test).sum(1)
    assert nll["value"] == pytest.approx(float(exact.mean()), abs=0.02) and nll["unit"] == "nats" and nll["n"] == 50
    assert error["value"] == pytest.approx(float(exact.std() / 50**0.5), rel=0.05)


def test_samples_of_the_right_density_are_near_the_data():
    oracle, settings = gaussian(vp(), torch.zeros(2, dtype=F64), STD), resolve(PACKAGE, "toy_2d", "smoke", ["tolerance=1e-6"])
    start = torch.randn(300, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    data = STD * np.random.default_rng(0).normal(size=(300, 2))
    nfe, distance = toy_2d.sampling_rows(oracle, start, data, settings, {"method": "m"})
    shifted = toy_2d.sampling_rows(oracle, start, data + 1.0, settings, {"method": "m"})[1]
    assert distance["value"] < 0.15 and shifted["value"] == pytest.approx(math.sqrt(2), rel=0.1) and nfe["value"] > 10


def test_straight_paths_at_constant_speed_deviate_by_nothing_and_others_by_their_variance():
    times = torch.linspace(1, 0, 101, dtype=F64)
    ends, data = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), dtype=F64), torch.zeros(20, 2, dtype=F64)
    states = times[:, None, None] * ends + (1 - times)[:, None, None] * data
    assert straightness(states, (ends - data).expand(101, -1, -1), times) == pytest.approx(0, abs=1e-12)
    part = times[:51]  # half of the way, at the same speed
    assert straightness(states[:51], (ends - data).expand(51, -1, -1), part) == pytest.approx(0, abs=1e-12)
    # x = t^2 e has velocity 2 t e: int (2t - 1)^2 |e|^2 dt = |e|^2 / 3
    bent = times.square()[:, None, None] * ends
    expected = float(ends.square().sum(1).mean() / 3)
    assert straightness(bent, 2 * times[:, None, None] * ends, times) == pytest.approx(expected, rel=1e-3)
    assert noise_left(bent)[50] == pytest.approx(0.25)


def test_noise_left_is_read_half_way_and_where_it_is_least_linear():
    times = torch.linspace(1, 0, 21, dtype=F64)
    states = times.square()[:, None, None] * torch.ones(21, 3, 2, dtype=F64)
    deviation, halfway = noise_left_rows(states, times, {"n": 3})
    assert halfway["value"] == pytest.approx(0.25) and deviation["value"] == pytest.approx(0.25), "t - t^2 at t = 1/2"
