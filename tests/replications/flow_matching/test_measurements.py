"""The arithmetic of the experiments, on stand-in models whose answers are known by hand."""

import math

import numpy as np
import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.oracles import gaussian
from common.dynamics.paths import optimal_transport, vp
from common.evaluation.yardstick import Yardstick
from common.learning.data.densities import checkerboard
from common.learning.data.scale import to_unit
from common.learning.data.split import ImageSplit
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.flow_matching import image_likelihood as likelihood
from replications.flow_matching.experiments import solver_error, toy_2d
from replications.flow_matching.path_geometry import noise_left, noise_left_rows, straightness
from replications.flow_matching.sampling import sample_adaptively

F64 = torch.float64
PACKAGE = "replications.flow_matching"
STD = 0.4
NO_IMAGES = ImageSplit(torch.empty(0, 1, 1, 1), None, 17)


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


def rows_at(rows, metric, column="value"):
    return {row["at"]: row[column] for row in rows if row["metric"] == metric}


def log_density(mean, test_split, draws, context):
    """The draws' exact log-densities [draws, images] of images whose pixels are N(mean, STD^2)."""
    x = to_unit(test_split.images.repeat(draws, 1, 1, 1), 17, generator=context.generator("dequantise")).double()
    density = torch.distributions.Normal(mean, STD).log_prob(x.flatten(1)).sum(1)
    return density.reshape(draws, len(test_split.images))


@pytest.mark.parametrize("divergence", ["exact", "auto"])
def test_bits_per_dim_at_each_number_of_draws(test_split, context, divergence):
    more = ["bound_images=5", "dequantisations=[1, 2, 4]", "batch=100", "tolerance=1e-8", f"divergence={divergence}"]
    settings = resolve(PACKAGE, "table1", "smoke", more)
    mean = torch.tensor([0.1, -0.2, 0.3, 0.0], dtype=F64)
    found = likelihood.log_densities(image_model(mean), test_split, settings, context)
    bits = likelihood.bits_at(found, test_split, settings.dequantisations)
    rows = likelihood.likelihood_rows(found, bits, settings.dequantisations, {"dataset": "d", "method": "m"})
    density = log_density(mean, test_split, 4, context)
    for k in (1, 2, 4):
        groups = density.reshape(4 // k, k, 5)  # all four draws, in groups of k
        exact = (-(groups.logsumexp(1) - math.log(k)) / (4 * math.log(2)) + math.log2(17 / 2)).mean(0)
        # the oracle's density and the flow's differ by the prior's at t = 1 only, which is the marginal's on this path
        assert rows_at(rows, "nll_bound")[k] == pytest.approx(float(exact.mean()), abs=2e-4)
        assert rows_at(rows, "nll_bound", "error")[k] == pytest.approx(float(exact.std() / 5**0.5), abs=2e-4)
    assert (bits.bound[1] >= bits.bound[2]).all() and (bits.bound[2] >= bits.bound[4]).all(), "for every image"
    once = -density[0] / (4 * math.log(2)) + math.log2(17 / 2)
    assert rows[0]["metric"] == "nll" and rows[0]["value"] == pytest.approx(float(once.mean()), abs=2e-4)
    assert rows[0]["error"] == pytest.approx(float(once.std() / 5**0.5), abs=2e-4) and "at" not in rows[0]
    assert all(row["n"] == 5 and row["nfe"] > 10 for row in rows)


def test_one_draw_is_of_all_images_and_more_of_the_first(test_split, context):
    more = ["bound_images=2", "dequantisations=[1, 3]", "batch=4", "tolerance=1e-8"]
    settings = resolve(PACKAGE, "table1", "smoke", more)
    model = image_model(torch.zeros(4, dtype=F64))
    found = likelihood.log_densities(model, test_split, settings, context)
    assert found.once.shape == (5,) and found.draws.shape == (3, 2)
    assert (found.draws[0] == found.once[:2]).all() and (found.draws[1] != found.draws[0]).all()
    again = likelihood.log_densities(model, test_split, settings, context)
    assert (again.once == found.once).all(), "every model of a run sees the same noise"


def test_objectives_are_compared_image_by_image():
    bits = {name: likelihood.Bits(np.zeros(3), {2: np.array(values)}) for name, values in NAMED_BITS.items()}
    (row,) = likelihood.difference_rows(bits, "d")
    assert (row["method"], row["variant"], row["axis"], row["at"], row["n"]) == ("a", "less b", "K", 2, 3)
    assert row["value"] == pytest.approx(-2.0) and row["error"] == pytest.approx(1 / 3**0.5)


NAMED_BITS = {"a": [1.0, 2.0, 3.0], "b": [2.0, 4.0, 6.0]}


def test_with_estimated_divergences_more_than_one_draw_is_refused(test_split, context):
    more = ["dequantisations=[1, 5, 20]", "divergence=hutchinson", "bound_images=5"]
    settings = resolve(PACKAGE, "table1", "smoke", more)
    found = likelihood.log_densities(image_model(torch.zeros(4, dtype=F64)), test_split, settings, context)
    bits = likelihood.bits_at(found, test_split, settings.dequantisations)
    rows = likelihood.likelihood_rows(found, bits, settings.dequantisations, {"method": "m"})
    refused = {row["at"]: row["message"] for row in rows if row.get("status") == "refused"}
    assert set(refused) == {5, 20} and all("Hutchinson's noise must not enter a log-mean-exp" in why for why in refused.values())
    assert {row["metric"] for row in rows if "status" not in row} == {"nll", "nll_bound"}


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
    nll = toy_2d.likelihood_row(oracle, test, settings, {"method": "m"})
    exact = -torch.distributions.Normal(mean, STD).log_prob(test).sum(1)
    assert nll["value"] == pytest.approx(float(exact.mean()), abs=0.02) and nll["unit"] == "nats" and nll["n"] == 50
    assert nll["error"] == pytest.approx(float(exact.std() / 50**0.5), rel=0.05)


def test_samples_are_held_against_data_and_board():
    settings = resolve(PACKAGE, "toy_2d", "smoke", ["compared=100"])
    data = checkerboard(100, generator=torch.Generator().manual_seed(0)).numpy()
    points = torch.from_numpy(data) + torch.tensor([0.0, 2.0])  # every point to the cell above, a light one or beyond the board
    points = torch.cat([points, torch.from_numpy(data)])
    distance, off, histogram = toy_2d.sample_rows(points, data, 0.3, settings, {"method": "m", "variant": "v"})
    assert distance["value"] == pytest.approx(2.0, rel=0.3) and distance["n"] == 100 and distance["floor"] == 0.3
    assert off["value"] == 0.5 and off["error"] == pytest.approx(0.5 / 200**0.5) and off["floor"] == 0 and off["n"] == 200
    assert histogram["value"] > 0.5 > histogram["floor"] > 0 and histogram["n"] == 200
    other = resolve(PACKAGE, "toy_2d", "smoke", ["compared=100", "data=eight_gaussians"])
    assert [row["metric"] for row in toy_2d.sample_rows(points, data, 0.3, other, {})] == ["wasserstein2"]


def test_the_cost_is_of_one_joint_batch():
    oracle, settings = gaussian(vp(), torch.zeros(2, dtype=F64), STD), resolve(PACKAGE, "toy_2d", "smoke", ["batch=7"])
    start = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    row = toy_2d.cost_row(oracle, start, settings, {})
    assert row["n"] == 7 and row["value"] > 10 and row["value"] == int(row["value"])


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


def test_solvers_are_judged_at_the_evaluations_that_they_used():
    """For data N(0, s^2) the flow only scales: x_t = sqrt(t^2 + (1 - t)^2 s^2) x_1 on OT's path."""
    more = [
        "nfe={euler: [8, 64], midpoint: [8], rk4: [8]}",
        "starts=30",
        "samples=40",
        "tolerance=1e-7",
        "reference_tolerance=1e-9",
    ]
    settings = resolve(PACKAGE, "solver_error", "smoke", more)
    noise = torch.randn(40, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    exact = (STD * noise).flatten(1).numpy()
    measure = Yardstick(NO_IMAGES, lambda images: images.flatten(1).numpy(), exact, exact + 1.0)
    rows = solver_error.model_rows(image_model(torch.zeros(4, dtype=F64)), noise, measure, settings, {"method": "m"})
    found = {(row["metric"], row["variant"], row["at"]): row for row in rows if "at" in row}
    assert {key[1:] for key in found} == {("euler", 8), ("euler", 64), ("midpoint", 8), ("rk4", 8)}
    errors = [found["solver_mse", *where]["value"] for where in (("euler", 8), ("midpoint", 8), ("euler", 64))]
    assert errors[0] > errors[2] > 0 and errors[0] > errors[1] > 0
    distance = found["feature_frechet", "rk4", 8]
    assert distance["value"] < 0.05 and distance["floor"] == pytest.approx(4.0) and distance["n"] == 40
    halfway = next(row["value"] for row in rows if row["metric"] == "noise_left_halfway")
    assert halfway == pytest.approx((math.sqrt(0.25 + 0.25 * STD**2) - STD) / (1 - STD), abs=1e-3)
