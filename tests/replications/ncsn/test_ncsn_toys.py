"""The arithmetic of the toy experiments, and what they find with exact scores."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from common.dynamics.paths import ve
from common.learning.data import catalogue
from common.learning.data.scale import from_unit, to_unit
from common.learning.training.loop import Trained
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.ncsn import two_modes as modes
from replications.ncsn.experiments import manifold, mixture, score_regions
from replications.ncsn.score_matching import sliced_score_matching

F64, PACKAGE = torch.float64, "replications.ncsn"


@pytest.fixture
def context(tmp_path):
    return Context("ncsn", "toy", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu"))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def trained(losses):
    return Trained(nn.Identity(), np.array(losses, dtype=np.float32), np.arange(len(losses)), 0.0, 0)


def test_the_end_of_a_loss_curve():
    assert manifold.last_third(np.arange(9, dtype=np.float32)).tolist() == [6, 7, 8]
    assert manifold.last_third(np.arange(11)).tolist() == [8, 9, 10]
    # of mean -3 and standard deviation 1, whatever came before
    assert manifold.tail_spread(np.array([1e9, 5, 7, 8, -2, -4])) == pytest.approx(1 / 3)
    assert manifold.last_third(np.ones(3, np.float32)).dtype == np.float64


def test_the_circle_is_a_circle_in_a_plane(context):
    settings = resolve(PACKAGE, "manifold", "smoke", ["dimensions=5", "train.batch=400"])
    draw, shape = manifold.circle(settings, context)
    x = draw(generator())
    assert shape == (5,) and x.shape == (400, 5)
    torch.testing.assert_close(x.norm(dim=1), torch.ones(400))
    assert torch.linalg.matrix_rank(x, tol=1e-3) == 2
    # uniform on it: mean 0, and 1/2 of the variance along either axis; five standard errors
    assert float(x.mean(0).norm()) < 5 / 400**0.5
    spread = torch.linalg.eigvalsh(x.T @ x / 400)[-2:]
    assert float((spread - 0.5).abs().max()) < 5 * 8**-0.5 / 400**0.5


def test_images_are_taken_as_they_are(context):
    """Each grey value in the middle of its cell: dequantised images would have a density."""
    settings = resolve(PACKAGE, "manifold", "smoke", ["train.batch=50"])
    draw, shape = manifold.images(settings, context)
    split = catalogue.load("digits", "train", 0)
    x = draw(generator())
    grey = from_unit(x, split.grey_values)
    assert shape == (1, 8, 8) and x.shape == (50, *shape) and torch.equal(to_unit(grey, split.grey_values), x)
    assert all((split.images == each).flatten(1).all(1).any() for each in grey) and len(x.unique(dim=0)) > 40


def test_noise_is_all_that_tells_two_trainings_of_a_data_set_apart(context, monkeypatch):
    seen = []
    monkeypatch.setattr(manifold, "train_run", lambda context, network, loss, train, **more: seen.append((network, loss, more)))
    settings = resolve(PACKAGE, "manifold", "smoke", ["train.batch=6"])
    draw, shape = manifold.circle(settings, context)
    for name, noise in (("circle-clean", 0.0), ("circle-noised", 0.3), ("digits-clean", 0.0)):
        manifold.fitted(draw, shape, noise, settings, context, name)
    (clean, of_clean, more), (noised, of_noised, others), (_, _, digits) = seen
    assert all(torch.equal(one, other) for one, other in zip(clean.parameters(), noised.parameters()))
    assert more["seed"] == others["seed"] != digits["seed"] and more["name"] == "circle-clean" and others["of"] == settings
    for parameter in clean.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator(1))
    stream = generator()
    x, probe, z = draw(stream), torch.randn(6, 16, generator=stream), torch.randn(6, 16, generator=stream)
    for loss, noise in ((of_clean, 0.0), (of_noised, 0.3)):
        expected = sliced_score_matching(lambda x: clean(x, torch.zeros(1)), x + noise * z, probe).mean()
        torch.testing.assert_close(loss(clean, 0, generator()), expected)


def test_rows_of_the_manifold(context, monkeypatch):
    losses = {
        "circle-clean": [0, 0, 0, 0, -1, -3],
        "circle-noised": [0, 0, 0, 0, -600, -900],
        "digits-clean": [1] * 6,
        "digits-noised": [4] * 6,
    }
    monkeypatch.setattr(manifold, "fitted", lambda draw, shape, noise, settings, context, name: trained(losses[name]))
    settings = resolve(PACKAGE, "manifold", "smoke", ["noise=0.1"])
    outcome = manifold.run(settings, context)
    found = {(row["dataset"], row["method"], row["metric"]): row["value"] for row in outcome.rows}
    assert found["circle", "clean", "tail_spread"] == pytest.approx(0.5) and found["digits", "noised", "tail_spread"] == 0
    assert found["circle", "clean", "settled_loss"] == -2 and found["circle", "noised", "settled_loss"] == -750
    # -(16 - 1) / (2 * 0.1^2) = -750
    assert found["circle", "noised", "settled_over_limit"] == pytest.approx(1)
    assert [key for key in found if key[2] == "settled_over_limit"] == [("circle", "noised", "settled_over_limit")]
    assert outcome.arrays["loss_digits_noised"].tolist() == [4] * 6 and len(outcome.arrays) == 8


def test_the_limit_is_what_the_best_score_loses():
    """A circle with narrow noise: the score of a Gaussian ridge across D - 1 directions, -(x - its nearest point) / v."""
    v, d = 1e-4, 16
    angle = torch.linspace(0, 2 * math.pi, 2001, dtype=F64)[:-1]
    on = torch.zeros(2000, d, dtype=F64)
    on[:, 0], on[:, 1] = angle.cos(), angle.sin()
    x = on + v**0.5 * torch.randn(2000, d, generator=generator(), dtype=F64)

    def score(x):
        plane = x[:, :2]
        nearest = torch.cat([plane / plane.norm(dim=1, keepdim=True), torch.zeros_like(x[:, 2:])], 1)
        return (nearest - x) / v

    probes = torch.randn(x.shape, generator=generator(1), dtype=F64)
    assert sliced_score_matching(score, x, probes).mean().item() == pytest.approx(-(d - 1) / (2 * v), rel=0.03)


# two modes


def test_the_score_of_the_mixture():
    oracle, x = modes.undisturbed(), torch.tensor([[4.5, 5.5], [-5.5, -4.0], [0.3, -0.2]], dtype=F64)
    expected = torch.stack([torch.tensor([0.5, -0.5]), torch.tensor([0.5, -1.0])]).double()
    torch.testing.assert_close(oracle.score(x, modes.DATA)[:2], expected, rtol=1e-9, atol=1e-9)
    # between the modes: log-odds log 4 + 10 (x + y)
    odds = torch.sigmoid(math.log(4) + 10 * x[2].sum())
    torch.testing.assert_close(oracle.score(x, modes.DATA)[2], 5 * (2 * odds - 1) - x[2], rtol=1e-9, atol=1e-9)
    swapped = modes.undisturbed(0.1)
    odds = torch.sigmoid(-math.log(9) + 10 * x[2].sum())
    torch.testing.assert_close(swapped.score(x, modes.DATA)[2], 5 * (2 * odds - 1) - x[2], rtol=1e-9, atol=1e-9)


def test_two_points_under_noise_of_width_one_are_the_data():
    x = 6 * torch.randn(20, 2, generator=generator(), dtype=F64)
    points = modes.two_modes(ve(1.0, 20.0), std=0.0)
    torch.testing.assert_close(points.score(x, 0.0), modes.undisturbed().score(x, modes.DATA), rtol=1e-9, atol=1e-9)


def test_shares_and_widths():
    x = torch.tensor([[5.0, 7.0], [5.0, 5.0], [4.0, 5.0], [-5.0, -5.0]], dtype=F64)
    assert modes.nearest_mode(x).tolist() == [1, 1, 1, 0] and modes.heavy_share(x) == 0.75
    assert modes.variance_in_modes(x) == pytest.approx((4 + 1) / 8)
    row = mixture.share_row(x, {"method": "m", "n": 4})
    assert row["value"] == 0.75 and row["error"] == pytest.approx((0.75 * 0.25 / 4) ** 0.5) and row["method"] == "m"


def test_plain_dynamics_is_the_printed_chain(context):
    settings = resolve(PACKAGE, "mixture", "smoke", ["samples=5", "levels=2", "steps=1", "eps=0.3"])
    found = mixture.plain(0.2, settings, context)
    x = 16 * torch.rand(5, 2, generator=context.generator("starts")).double() - 8
    noise, oracle = context.generator("noise"), modes.undisturbed(0.2)
    for _ in range(2):
        x = x + 0.15 * oracle.score(x, 0.0) + 0.3**0.5 * torch.randn(5, 2, generator=noise, dtype=F64)
    torch.testing.assert_close(found, x, rtol=1e-9, atol=1e-9)


def test_annealing_is_the_printed_chain(context):
    settings = resolve(PACKAGE, "mixture", "smoke", ["samples=5", "levels=3", "steps=1"])
    ladder = mixture.Ladder(sigma_max=9.0, sigma_min=1.0, eps=0.1, std=0.5)
    found = mixture.annealed(ladder, settings, context)
    x = 16 * torch.rand(5, 2, generator=context.generator("starts")).double() - 8
    noise = context.generator("noise")
    for sigma in (9.0, 3.0, 1.0):
        wide = modes.two_modes(ve(1e-6, 1.0), std=(0.25 + sigma**2) ** 0.5)
        alpha = 0.1 * sigma**2
        x = x + alpha / 2 * wide.score(x, 0.0) + alpha**0.5 * torch.randn(5, 2, generator=noise, dtype=F64)
    torch.testing.assert_close(found, x, rtol=1e-6, atol=1e-6)


def test_annealing_finds_the_weights_and_plain_dynamics_does_not(context):
    settings = resolve(PACKAGE, "mixture", "laptop", ["samples=500", "weights=[0.1, 0.9]"])
    outcome = mixture.run(settings, context)
    rows = [row for row in outcome.rows if row["metric"] == "heavy_share"]
    share = {row["method"]: row["value"] for row in rows if "axis" not in row}
    assert share["langevin"] == pytest.approx(0.5, abs=0.07) and share["short"] < 0.65
    assert share["data"] == pytest.approx(0.8, abs=0.07) and math.isnan(share["main_text"])
    # annealed at this speed, chains end at 0.78 on average; four standard errors
    for ladder in ("appendix", "main_text_stable"):
        assert share[ladder] == pytest.approx(0.78, abs=0.074)
    # the start decides, and not the weights
    moved = {row["at"]: row["value"] for row in rows if row.get("axis") == "weight"}
    assert list(moved) == [0.1, 0.9] and moved[0.9] - moved[0.1] == pytest.approx(0, abs=0.05)
    width = {row["method"]: row["value"] for row in outcome.rows if row["metric"] == "variance_in_modes"}
    for method in ("data", "langevin", "appendix", "main_text_stable"):
        assert width[method] == pytest.approx(1, abs=0.15)
    refused = [row for row in outcome.rows if row.get("status") == "refused"]
    assert [(row["method"], row["metric"]) for row in refused] == [
        ("main_text", "heavy_share"),
        ("main_text", "variance_in_modes"),
    ]
    assert all("not finite" in row["message"] for row in refused)
    assert {row["method"]: row["nfe"] for row in rows if "nfe" in row} == dict.fromkeys(outcome.arrays, 1000) | {"data": 0}
    assert "main_text" not in outcome.arrays and outcome.arrays["appendix"].shape == (500, 2)


def test_relative_errors_by_region(context, monkeypatch):
    """A network that is a tenth too strong near the modes and says nothing elsewhere."""
    truth = modes.undisturbed()

    def network(x):
        x = x.double()
        near = torch.cdist(x, modes.MEANS).amin(1, keepdim=True) <= 2
        return torch.where(near, 1.1, 0.0) * truth.score(x, modes.DATA)

    monkeypatch.setattr(score_regions, "fitted", lambda *_: network)
    outcome = score_regions.run(resolve(PACKAGE, "score_regions", "smoke", ["points=41"]), context)
    found = {row["variant"]: row for row in outcome.rows}
    assert found["dense"]["value"] == pytest.approx(0.1, abs=1e-4) and found["sparse"]["value"] == pytest.approx(1)
    grid = outcome.arrays["grid"].astype(float)
    assert len(grid) == 41**2 and np.abs(grid).max() == 8
    distance = np.minimum(*(np.square(grid - m).sum(1) for m in (5.0, -5.0)))
    assert found["dense"]["n"] == int((distance <= 4).sum())
    density = 0.8 * np.exp(-np.square(grid - 5).sum(1) / 2) + 0.2 * np.exp(-np.square(grid + 5).sum(1) / 2)
    assert found["sparse"]["n"] == int((density < 1e-4 * density.max()).sum())


def test_the_regions_network_is_trained_on_fresh_samples_by_sliced_score_matching(context, monkeypatch):
    seen = []

    def train_run(context, network, loss, train, **more):
        seen.append(loss)
        return Trained(network, np.zeros(1), np.zeros(1), 0.0, 0)

    monkeypatch.setattr(score_regions, "train_run", train_run)
    state = torch.get_rng_state()
    network = score_regions.fitted(resolve(PACKAGE, "score_regions", "smoke", ["width=7", "train.batch=9"]), context)
    assert [tuple(p.shape) for p in network.parameters()] == [(7, 2), (7,), (7, 7), (7,), (2, 7), (2,)]
    assert torch.equal(torch.get_rng_state(), state) and not any(p.requires_grad for p in network.parameters())
    network.requires_grad_(True)
    stream = generator()
    x = modes.undisturbed().sample(9, generator=stream).float()
    expected = sliced_score_matching(network, x, torch.randn(9, 2, generator=stream)).mean()
    torch.testing.assert_close(seen[0](network, 5, generator()), expected)
