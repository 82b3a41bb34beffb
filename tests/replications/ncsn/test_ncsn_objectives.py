"""What is measured at each noise level, on models whose answers are known by hand."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ncsn_stand_ins import MEAN, RANGES, SHAPE, STD, draw, generator, level_network

from common.dynamics.paths import broadcast
from common.errors import RetraceError
from common.evaluation.yardstick import Yardstick
from common.learning.data.split import ImageSplit
from common.learning.data.training import training_batches
from common.learning.objectives import Objective, draw_times, regression_loss
from common.measure import step_cost
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.ncsn import level_measures, states
from replications.ncsn.chains import Chains
from replications.ncsn.experiments import objectives
from replications.ncsn.networks import shared_description
from replications.ncsn.score_matching import sliced_score_matching

PACKAGE, D = "replications.ncsn", 16
NO_IMAGES = ImageSplit(torch.empty(0, 1, 1, 1), None, 17)


@pytest.fixture
def context(tmp_path):
    return Context("ncsn", "samples", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu"))


def by_method(rows, metric):
    return {row["method"]: row["value"] for row in rows if row["metric"] == metric}


def test_losses_and_scores_of_every_level_in_closed_form(context):
    """Of Gaussian data: sigma^2 times the loss is (D / 2) s^2 / (s^2 + sigma^2), and |score| is chi / sqrt(s^2 + sigma^2)."""
    images = MEAN.reshape(SHAPE) + STD * draw(4000, *SHAPE)
    half, unit = (level_measures.by_level(level_network(each), images, context) for each in RANGES.values())
    assert list(half) == list(unit) == [1.0, 0.1, 0.01]
    chi = math.sqrt(2) * math.exp(math.lgamma((D + 1) / 2) - math.lgamma(D / 2))
    for level in half:
        # the same noise, so the same numbers
        assert half[level] == pytest.approx(unit[level], rel=1e-5)
        variance = (STD / 2) ** 2  # of pixels in [0, 1]
        loss, norm = unit[level]
        assert loss == pytest.approx(D / 2 * variance / (variance + level**2), rel=0.03)
        assert norm == pytest.approx(chi / (variance + level**2) ** 0.5, rel=0.02)


def test_a_network_that_says_nothing_loses_half_the_dimensions(context):
    found = level_measures.by_level(
        level_network((0.0, 1.0), score=lambda x, t: torch.zeros_like(x)), torch.zeros(1500, *SHAPE), context
    )
    assert [loss for loss, _ in found.values()] == [pytest.approx(D / 2, rel=0.05)] * 3
    assert [norm for _, norm in found.values()] == [0, 0, 0]


def test_rows_of_the_levels():
    rows = level_measures.level_rows({1.0: (4.0, 2.0), 0.1: (8.0, 20.0)}, {"method": "m", "n": 7})
    assert [(row["metric"], row.get("at"), row["value"]) for row in rows] == [
        ("objective", None, 6.0),
        ("weighted_loss", 1.0, 4.0),
        ("score_norm", 1.0, 2.0),
        ("weighted_loss", 0.1, 8.0),
        ("score_norm", 0.1, 20.0),
    ]
    assert all(row["method"] == "m" and row["n"] == 7 for row in rows) and rows[1]["axis"] == "sigma"


@pytest.fixture
def small():
    return resolve(PACKAGE, "objectives", "smoke", ["backbone.width=8", "train.batch=12", "timed=3"])


def randomised(model):
    """Every parameter a value of its own: the last layers start at zero."""
    for parameter in model.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator(1))
    return model


def batch_of(model, small, context):
    """A step's images, times and noise, and the stream they came from."""
    stream = generator(3)
    x0 = training_batches("digits", 12, 5, torch.device("cpu"), replicate=0)(0, stream)
    t = draw_times(model.path, 12, generator=stream, known_times=model.known_times)
    return x0, t, torch.randn(x0.shape, generator=stream), stream


def test_the_denoising_loss_of_a_step_is_half_the_suites_own(small, context):
    model = randomised(shared_description("digits", small.backbone).build(0))
    x0, t, noise, _ = batch_of(model, small, context)
    expected = regression_loss(model, Objective(model.path, "noise", "one"), x0, t=t, noise=noise).mean() / 2
    found = objectives.objective("dsm", model, small, context, 5)(model, 0, generator(3))
    torch.testing.assert_close(found, expected)
    assert len(t.unique()) > 3 and torch.isin(t, model.known_times.float()).all()


@pytest.mark.parametrize("name", [name for name in objectives.LOSSES if name != "dsm"])
def test_the_sliced_loss_of_a_step_is_of_the_same_noised_images(name, small, context):
    model = randomised(shared_description("digits", small.backbone).build(0))
    x0, t, noise, stream = batch_of(model, small, context)
    sigma, probe = model.path.sigma(t), torch.randn(x0.shape, generator=stream)
    loss = sliced_score_matching(lambda x: model.score(x, t), x0 + broadcast(sigma, x0) * noise, probe)
    found = objectives.objective(name, model, small, context, 5)(model, 0, generator(3))
    torch.testing.assert_close(found, (sigma**2 * loss).mean() / 64, rtol=1e-4, atol=1e-5)
    slopes = [torch.autograd.grad(each, list(model.parameters())) for each in (found, (sigma**2 * loss).mean() / 64)]
    for one, other in zip(*slopes):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_both_small_networks_start_alike_and_are_told_apart_by_name(small, context, monkeypatch):
    seen = []

    def train_run(context, model, loss, train, **more):
        seen.append(({key: value.clone() for key, value in model.state_dict().items()}, more))
        return SimpleNamespace(model=model)

    monkeypatch.setattr(objectives, "train_run", train_run)
    for name in ("dsm", "ssm"):
        assert not any(parameter.requires_grad for parameter in objectives.fitted(name, small, context).parameters())
    (first, of_first), (second, of_second) = seen
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert of_first["seed"] == of_second["seed"] and (of_first["name"], of_second["name"]) == ("dsm", "ssm")
    assert of_first["of"] == small


def test_costs_are_ratios_to_the_denoising_step(small, context, monkeypatch):
    took = {"dsm": [1.0, 2.0, 4.0], "ssm": [2.0, 6.0, 16.0], "ssm_forward": [1.0, 4.0, 12.0]}
    monkeypatch.setattr(step_cost, "interleaved_seconds", lambda work, repeats: {name: took[name] for name in work})
    monkeypatch.setattr(step_cost, "operations", lambda step: next(counts))
    counts = iter([100, 350, 250])
    rows = objectives.cost_rows(small, context)
    counted, seconds = by_method(rows, "operations_over_dsm"), by_method(rows, "seconds_over_dsm")
    assert counted["ssm"] == 3.5 and seconds["ssm"] == 3
    spread = next(row["error"] for row in rows if row["metric"] == "seconds_over_dsm" and row["method"] == "ssm")
    assert spread == pytest.approx(1 / 3**0.5) and rows[0]["variant"] == "mlp"
    assert counted.get("ssm_forward", 2.5) == 2.5 and seconds.get("ssm_forward", 2) == 2


def test_sliced_steps_cost_more(small, context):
    """Counted: a sliced step differentiates what a denoising step evaluates."""
    wide = resolve(PACKAGE, "objectives", "smoke", ["backbone.width=128", "backbone.embedding=2", "train.batch=12", "timed=2"])
    counted = by_method(objectives.cost_rows(wide, context), "operations_over_dsm")
    # f: products of all layers of x with a batch. Denoising: forward, to the weights, to all inputs but x. Sliced: forward,
    # down to x, from there to weights and to all factors but the probe, and from the value to weights and inputs
    enter, f = 64 * 128, 2 * 128**2 + 2 * 64 * 128
    assert counted["ssm"] == pytest.approx((6 * f - enter) / (3 * f - enter), rel=0.01) and 1.9 < counted["ssm_forward"] < 3


def test_all_models_are_sampled_from_the_same_starts_with_the_same_noise(small, context, monkeypatch):
    seen = []

    def run(network, start, *, rho, steps, generator):
        seen.append((network, start, rho, steps, torch.randn(3, generator=generator)))
        return Chains(torch.full((4, *SHAPE), 3.0), start[:0], 20, 0.0)

    measure = Yardstick(NO_IMAGES, lambda images: images.flatten(1).numpy().astype(float), np.zeros((4, D)), np.zeros((4, D)))
    monkeypatch.setattr(objectives, "run_chains", run)
    monkeypatch.setattr(objectives, "yardstick", lambda *_, **__: measure)
    models = {"a": level_network(RANGES["half"]), "b": level_network(RANGES["unit"])}
    rows = objectives.sample_rows(models, small, context)
    assert [entry[0] for entry in seen] == list(models.values())
    assert (
        torch.equal(seen[0][1], seen[1][1]) and torch.equal(seen[0][4], seen[1][4]) and seen[0][2:4] == (small.rho, small.steps)
    )
    # clipped to 1: a squared distance of D
    assert by_method(rows, "feature_frechet") == {"a": pytest.approx(D), "b": pytest.approx(D)} and rows[0]["nfe"] == 20


def test_states_nearest_to_shares_of_the_training(context, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(states, "folder_of", lambda context, data, objective, network: tmp_path)
    monkeypatch.setattr(
        states, "trained", lambda context, data, objective, network, file: asked.append((objective, network, file)) or file
    )

    def keep(**train):
        record = {"settings": {"train": {"batch": 1, "learning_rate": 1, **train}}}
        (tmp_path / "run.json").write_text(json.dumps(record))
        return states.kept_states(context, "digits", "shared", [0.3, 0.6])

    assert keep(steps=1000, snapshots=10) == {
        "ncsn at 30%": "snapshots/300.safetensors",
        "ncsn at 60%": "snapshots/600.safetensors",
    }
    assert asked[0][:2] == ("ncsn", "shared")
    assert list(keep(steps=1000, snapshots=4).values()) == ["snapshots/250.safetensors", "snapshots/500.safetensors"]
    assert list(keep(steps=60, snapshots=2).values()) == ["snapshots/30.safetensors", "snapshots/30.safetensors"]
    with pytest.raises(RetraceError, match=r"kept no states; .* --set train\.snapshots=10"):
        keep(steps=60)
