"""The models that all papers share: what is found before a training starts, and what a trained model still knows."""

from math import prod

import numpy as np
import pytest
import torch

from common.dynamics.denoiser import Conditioning
from common.dynamics.paths import level_times, uniform_times, ve
from common.dynamics.samplers.ode import heun
from common.errors import CheckpointError, DataError, SettingsError, UnsupportedModelError
from common.experiments import train
from common.experiments.train import check, description
from common.learning import fit
from common.learning.data import catalogue
from common.learning.data.training import training_batches
from common.learning.models import ConditioningSettings, ModelSettings, ObjectiveSettings, Recipe, load_denoiser, read_description
from common.learning.nets.build import Backbone, MLPSettings, UNetSettings
from common.learning.objective_table import LADDERED, OBJECTIVES, WIDE, recipe_for
from common.learning.objectives import weight_at
from common.learning.training import run
from common.learning.training.loop import Trained
from common.runs.cli import main
from common.runs.experiment import Context
from common.runs.folders import Outcome, write_run
from common.runs.seeds import derive_seed
from common.runs.settings import resolve
from replications.__main__ import check_one

PACKAGE = "replications.flow_matching"


def settings(*overrides, level="smoke"):
    return resolve("common", "train", level, overrides)


def test_a_network_that_does_not_fit_the_images_is_named():
    base = settings("data=digits", level="laptop")
    check(base)
    unet = UNetSettings(channels=16, multipliers=(1, 2), blocks=1, attention=(7,))
    with pytest.raises(SettingsError, match=r"backbone.attention: no resolution has height \[7\]"):
        check(base.model_copy(update={"backbone": unet}))


def test_an_unknown_data_set_is_named():
    with pytest.raises(SettingsError, match=r"train\.smoke\.sets: no settings for data set 'digit'; .*did you mean 'digits'"):
        settings("data=digit")
    with pytest.raises(DataError, match="there is no image data set 'digit'; did you mean 'digits'"):
        check(settings("data=digits").model_copy(update={"data": "digit"}))


def test_all_objectives_of_a_data_set_and_seed_start_from_the_same_weights():
    built = [description(settings("data=digits", f"objective={name}")).build(5).backbone.state_dict() for name in OBJECTIVES]
    for other in built[1:]:
        assert all(torch.equal(built[0][key], value) for key, value in other.items())


CHANGES = {
    "path": {"path": "ve"},
    "path_options": {"path_options": {"beta_max": 10.0}},
    "prediction": {"prediction": "data"},
    "weight": {"weight": "sigma_squared"},
    "noise_levels": {"noise_levels": 7},
}


def built(objective):
    """What a description's objective comes to: numbers that every one of its fields moves."""
    made, t = objective.build(), torch.linspace(0.1, 0.9, 3, dtype=torch.float64)
    known = None if made.known_times is None else made.known_times.tolist()
    return made.path.name, made.path.sigma(t).tolist(), made.prediction, weight_at(made.path, made.weight, t).tolist(), known


@pytest.mark.parametrize("field", ObjectiveSettings.model_fields)
def test_every_field_of_an_objective_is_seen_in_what_is_built(field):
    base = ObjectiveSettings(path="vp", prediction="noise", weight="one")
    assert built(base) != built(base.model_copy(update=CHANGES[field]))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_model_is_built_as_its_recipe_says(name):
    model = description(settings("data=digits", f"objective={name}"))
    made, recipe = model.build(0), recipe_for(name, "digits")
    assert made.path == recipe.objective.build().path or made.path.name == recipe.objective.path
    assert made.prediction == recipe.objective.prediction
    assert made.conditioning == Conditioning(**recipe.conditioning.model_dump())
    assert (made.known_times is None) == (recipe.objective.noise_levels is None)


def test_a_step_is_fed_from_its_own_stream(tmp_path, monkeypatch):
    """Data, times and noise of step k follow one another in the generator that is seeded with (seed, process, k)."""
    seen, first = [], {}

    def spy(network, objective, x0, *, t, noise):
        if not seen:
            first.update({key: value.clone() for key, value in network.backbone.state_dict().items()})
        seen.append((x0, t, noise))
        return (network(x0, t) - noise).square().flatten(1).mean(1)

    monkeypatch.setattr(fit, "regression_loss", spy)
    base = settings("data=digits", "objective=fm_ot", "train.steps=2", "train.batch=16")
    context = Context("common", "train", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu"))
    train.run(base, context)
    seed = context.seed_for("digits")
    for step, (x0, t, noise) in enumerate(seen):
        stream = torch.Generator().manual_seed(derive_seed(seed, 0, step))
        expected = training_batches("digits", 16, seed, torch.device("cpu"))(step, stream)
        torch.testing.assert_close(x0, expected)
        torch.testing.assert_close(t, torch.rand(16, generator=stream))
        torch.testing.assert_close(noise, torch.randn(x0.shape, generator=stream))
        assert len(t.unique()) == 16 and abs(float((noise * x0).mean())) < 0.2
    assert not torch.equal(seen[0][0], seen[1][0])
    weights = description(base).build(seed).backbone.state_dict()
    assert all(torch.equal(first[key], value) for key, value in weights.items()), "the same for every objective"


def test_a_ladder_is_trained_at_its_levels_alone(tmp_path, monkeypatch):
    times = []

    def spy(network, objective, x0, *, t, noise):
        times.append(t)
        return (network(x0, t) - noise).square().flatten(1).mean(1)

    monkeypatch.setattr(fit, "regression_loss", spy)
    base = settings("data=digits", "objective=ladder_ve", "train.steps=3")
    train.run(base, Context("common", "train", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu")))
    known = level_times(ve(), OBJECTIVES["ladder_ve"].objective.noise_levels).float()
    assert torch.isin(torch.cat(times), known).all() and len(torch.cat(times).unique()) == len(known)


def test_trained_and_loaded_networks_are_in_evaluation_mode(tmp_path):
    folder = trained(tmp_path, "--set", "data=digits", "--set", "objective=fm_ot")
    assert not any(module.training for module in load_denoiser(folder).modules())
    base = settings("data=digits").train.model_copy(update={"steps": 1})
    context = Context("common", "train", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu"))
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.5)).train()
    done = run.train_run(context, network, lambda net, step, rng: net(torch.ones(2, 2)).sum(), base, seed=0, of=base)
    assert not any(module.training for module in done.model.modules())


def trained(tmp_path, *words):
    assert main("common", ["train", "--level", "smoke", "--results", str(tmp_path), "--set", "train.steps=3", *words]) == 0
    return next(tmp_path.glob("smoke/own/models/*/seed0"))


def test_a_level_network_saved_and_loaded_still_knows_its_levels(tmp_path):
    folder = trained(tmp_path, "--set", "data=digits", "--set", "objective=ladder_ve")
    model, times = load_denoiser(folder), level_times(ve(), 20)
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert model.conditioning == Conditioning("unit_variance", "index", 0.5) and len(model.known_times) == 20
    assert model.score(x, float(times[3])).isfinite().all()
    with pytest.raises(UnsupportedModelError, match=r"20 discrete noise levels only, and t = 0\.5 is none"):
        model.score(x, 0.5)
    with pytest.raises(UnsupportedModelError, match="Heun cannot run on this network"):
        heun(model, x, uniform_times(model.path, 4))
    assert read_description(folder).pixel_range == (-1.0, 1.0)


class TiltedSettings(Backbone):
    """A paper's own network."""

    kind: str = "tilted"
    slope: float

    def build(self, shape):
        return torch.nn.Bilinear(prod(shape), 1, prod(shape))


def test_a_papers_own_backbone_is_loaded_by_whoever_knows_it(tmp_path):
    model = ModelSettings(objective=OBJECTIVES["fm_ot"].objective, backbone=TiltedSettings(slope=2), shape=(2,))
    outcome = Outcome([], weights=model.build(0).backbone.state_dict(), model=model.model_dump(mode="json"))
    write_run(tmp_path, outcome, dict.fromkeys(("paper", "experiment", "variant", "seed", "level", "device", "commit"), ""))
    loaded = load_denoiser(tmp_path, backbones=[TiltedSettings])
    torch.testing.assert_close(loaded.backbone.weight, model.build(0).backbone.weight)
    with pytest.raises(CheckpointError, match="no network 'tilted' is known here"):
        load_denoiser(tmp_path)


def test_a_run_that_is_no_denoiser_says_so(tmp_path):
    (tmp_path / "run.json").write_text('{"model": {"kind": "ode_net"}}')
    with pytest.raises(CheckpointError, match=r"run\.json: describes no denoiser"):
        load_denoiser(tmp_path)


def test_an_index_needs_noise_levels():
    objective = OBJECTIVES["score_ve"].objective
    with pytest.raises(ValueError, match=r"conditioning\.t: index needs objective\.noise_levels"):
        Recipe(objective=objective, conditioning=ConditioningSettings(t="index"))


def test_images_are_trained_in_their_pixel_range():
    seen = training_batches("digits", 64, 0, torch.device("cpu"), (0.0, 1.0))(0, torch.Generator().manual_seed(0))
    unit = training_batches("digits", 64, 0, torch.device("cpu"))(0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(seen, (unit + 1) / 2)


def test_every_setting_of_a_training_is_in_its_mark(tmp_path, monkeypatch):
    """A state of other settings is neither resumed nor overwritten: whatever is changed, its file has another name."""
    marks = []
    done = Trained(torch.nn.Identity(), np.zeros(1), np.zeros(1), 0.0, 0)
    monkeypatch.setattr(run, "train", lambda *_, **options: marks.append(options["fingerprint"]) or done)
    context = Context("common", "train", "smoke", 0, 0, tmp_path, tmp_path, torch.device("cpu"))
    base, model = settings("data=digits"), torch.nn.Identity()

    def loss(network, step, generator):
        return torch.zeros(())

    changes = [{}, {"pixel_range": (0.0, 1.0)}, {"objective": "fm_vp"}, {"backbone": MLPSettings(width=8, blocks=1)}]
    for change in changes:
        run.train_run(context, model, loss, base.train, seed=0, of=base.model_copy(update=change))
    run.train_run(context, model, loss, base.train.model_copy(update={"clip_norm": None}), seed=0, of=base)
    run.train_run(context, model, loss, base.train, seed=1, of=base)
    run.train_run(context, model, loss, base.train, seed=0, of=base, name="other")
    assert len(set(marks)) == len(marks) == len(changes) + 3


def test_the_check_before_a_run_looks_at_every_data_set_of_the_level(monkeypatch):
    asked = []
    digits = catalogue.LOADERS["digits"]

    def loader(name):
        return lambda split: asked.append(name) or digits(split)

    monkeypatch.setattr(catalogue, "LOADERS", {name: loader(name) for name in catalogue.LOADERS})
    check_one(PACKAGE, "table1", "gpu")
    assert asked == ["cifar10", "fashion_mnist"]


def test_ncsns_ladder_is_its_own_on_pixels_twice_as_wide():
    """Published as ten levels from 1 to 0.01 for pixels in [0, 1]; the baseline knows the least alone, and is not told it."""
    ratio = 100 ** (-1 / 9)
    for name, sigmas, t in (("ncsn", [2 * ratio**k for k in range(10)], "index"), ("ncsn_single", [0.02], "none")):
        recipe = OBJECTIVES[name]
        objective = recipe.objective.build()
        assert objective.path.sigma(objective.known_times).tolist() == pytest.approx(sigmas)
        assert (objective.prediction, objective.weight) == ("noise", "one")
        assert (recipe.conditioning.x, recipe.conditioning.t, recipe.conditioning.data_std) == ("unit_variance", t, 0.5)


@pytest.mark.parametrize("data", WIDE)
def test_ncsnv2s_ladder_is_the_datas_own_on_pixels_twice_as_wide(data):
    """From the widest distance to a hundredth in steps of one ratio; the two differ in what the network is told of the level."""
    for name, t in LADDERED.items():
        recipe = recipe_for(name, data)
        objective = recipe.objective.build()
        sigmas = objective.path.sigma(objective.known_times) / 2
        assert (len(sigmas), float(sigmas[0]), float(sigmas[-1])) == pytest.approx((WIDE[data][1], WIDE[data][0], 0.01))
        ratios = sigmas[:-1] / sigmas[1:]
        assert ratios.tolist() == pytest.approx([float(ratios[0])] * (len(sigmas) - 1))
        assert (objective.prediction, objective.weight) == ("noise", "one")
        assert (recipe.conditioning.x, recipe.conditioning.t) == ("own_scale", t)
    assert set(LADDERED.values()) == {"log_own_scale", "index"} and recipe_for("ncsn", data) is OBJECTIVES["ncsn"]


def test_data_whose_ladder_nobody_chose_are_told_how_to():
    with pytest.raises(SettingsError, match=r"none for 'moons'.*`python -m replications\.ncsnv2 recommend --data moons`"):
        recipe_for("ncsnv2", "moons")


def test_a_fit_hands_on_what_it_was_asked_for(tmp_path, monkeypatch):
    """Flips, noise, pixel range, replicate and label; at every level of the ladder the loss is of the description's objective."""
    batches, losses = [], []
    real, loss = fit.training_batches, fit.regression_loss
    monkeypatch.setattr(fit, "training_batches", lambda *given, **more: batches.append((given, more)) or real(*given, **more))
    monkeypatch.setattr(
        fit,
        "regression_loss",
        lambda network, objective, x0, **more: losses.append(objective) or loss(network, objective, x0, **more),
    )
    base = settings("data=digits", "objective=ncsn", "train.steps=2", "train.batch=8", "pixel_range=[0.0, 1.0]")
    context = Context("common", "train", "smoke", 3, 2, tmp_path, tmp_path, torch.device("cpu"))
    for flip in (False, True):
        outcome = fit.fitted(description(base), base.train, context, data="digits", method="mine", seed=7, of=base, flip=flip)
        given, more = batches[-1]
        assert given == ("digits", 8, 7, torch.device("cpu"), (0.0, 1.0)) and more == {
            "replicate": 3,
            "flip": flip,
            "dequantise": True,
        }
        assert {(row["method"], row["dataset"], row["variant"]) for row in outcome.rows} == {("mine", "digits", "mlp")}
        assert outcome.model["pixel_range"] == [0.0, 1.0] and len(outcome.arrays["loss"]) == len(outcome.arrays["loss_step"])
    assert losses[0].prediction == "noise" and len(losses[0].known_times) == 10
    fit.fitted(
        description(base).model_copy(update={"pixel_range": None}), base.train, context, data="digits", method="", seed=7, of=base
    )
    assert batches[-1][0][4] == (-1.0, 1.0)
    fit.fitted(description(base), base.train, context, data="digits", method="", seed=7, of=base, dequantise=False)
    assert batches[-1][1] == {"replicate": 3, "flip": False, "dequantise": False}
