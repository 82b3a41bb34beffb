"""Every setting of the gpu and paper levels for what is measured of trained networks, at a size that a test can take."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ncsnv2_stand_ins import by, write_features
from test_ncsnv2_settings import sizes, trained  # noqa: F401 - a fixture

from common.evaluation import yardstick
from common.learning.data import catalogue
from common.learning.objective_table import WIDE
from common.runs.experiment import Context, default_folder, load
from common.runs.folders import write_run
from common.runs.settings import load_yaml, package_folder, resolve
from replications.ncsn import networks, sample_measures
from replications.ncsnv2.experiments import ablation, sampler_settings
from replications.ncsnv2.step_size import steps_per_level

PACKAGE, CPU, EXPERIMENTS = "replications.ncsnv2", torch.device("cpu"), ("ablation", "sampler_settings", "losses")
JOBS = load_yaml(package_folder(PACKAGE) / "jobs.yaml")
RUNS = [(name, level, data) for name in EXPERIMENTS for level, sets in JOBS[name]["data"].items() for data in sets]
# sets that no job asks for have settings of their own too
OTHERS = ["lsun_church96", "lsun_bedroom128", "lsun_tower128", "ffhq256"]
LARGE = sorted({(level, data) for _, level, data in RUNS if level in ("gpu", "paper")} | {("paper", OTHERS[0])})
OBJECTIVES = ("ncsnv2", "ncsnv2_index", "ncsn")
# less of what only takes time; a setting of another kind is left as it is
SMALL = {
    "ablation": ["samples=7", "steps=1", "ncsn.steps=1", "states=[1, 1]"],
    "sampler_settings": ["samples=3", "steps=2", "levels=[2, 4]", "sizes=[1, 4]"],
    "losses": ["images=4", "ladders=[10, 232]"],
}
FEW = ["levels=2", "train.steps=1", "train.snapshots=1"]


def settings_of(experiment, level, data, *more):
    return resolve(PACKAGE, experiment, level, [f"data={data}", *more])


def is_new(*run):
    """Whether a level has this run, and settings for it that the level before does not have."""
    before = [other for other in RUNS[: RUNS.index(run)] if other[::2] == run[::2]] if run in RUNS else [run]
    return settings_of(*run) not in [settings_of(*other) for other in before]


@pytest.fixture
def small(request, monkeypatch):
    """A dozen images of 10 x 12 pixels, two noise levels, mean colours in the place of Inception's features."""
    sides = request.getfixturevalue("sizes")
    sides.update({data: (shape[0], 10, 12) for data, shape in sides.items()})
    load_split = catalogue.load

    def twice(*names):
        split = load_split(*names)
        return replace(split, images=torch.cat([split.images, 255 - split.images]))

    monkeypatch.setattr(catalogue, "load", twice)
    ten = networks.PAPER["ncsn"]
    two = ten.model_copy(update={"objective": ten.objective.model_copy(update={"noise_levels": 2})})
    monkeypatch.setitem(networks.PAPER, "ncsn", two)
    for module in (ablation, sampler_settings):
        monkeypatch.setattr(module, "find_weights", lambda what: None)
    monkeypatch.setattr(yardstick, "inception_features", lambda pixels, **_: pixels.astype(float).mean((2, 3)))
    monkeypatch.setattr(ablation, "class_probabilities", lambda pixels, **_: np.full((10, 4), 0.25))
    # scikit-learn's search takes long to begin
    monkeypatch.setattr(sample_measures, "distance_to_data", lambda x, data: 1.0)


def ran(experiment, level, data, results):
    """Run an experiment of a level with less of everything."""
    module, settings = load(PACKAGE, experiment), settings_of(experiment, level, data, *SMALL[experiment])
    if getattr(settings, "scored", None):
        settings = settings.model_copy(update={"scored": 4})
    module.check(settings)
    place = {"results": results, "level": level, "seed": 0, "paper": "ncsnv2", "experiment": experiment}
    context = Context("ncsnv2", experiment, level, 0, 2, results, default_folder(module, settings, place), CPU)
    outcome = module.run(settings, context)
    write_run(context.out, outcome, dict.fromkeys(("paper", "experiment", "variant", "seed", "level", "device", "commit"), ""))
    assert settings.network == "refinenet_v2" and data in {row["dataset"] for row in outcome.rows}
    assert all(np.isfinite(row["value"]) for row in outcome.rows)
    assert all(np.isfinite(values).all() for values in outcome.arrays.values())
    return settings, outcome.rows


@pytest.mark.parametrize(("level", "data"), LARGE)
def test_what_is_measured_of_the_papers_network_goes_through(level, data, tmp_path, small):
    for objective in OBJECTIVES:
        trained(level, data, objective, tmp_path, *FEW)
    if data in JOBS["ablation"]["features"]:
        write_features(tmp_path, level, data, 1 if data == "fashion_mnist" else 3)
    settings, rows = ran("ablation", level, data, tmp_path)
    scored = data in ("cifar10", "celeba64") and level == "paper"
    assert (settings.space == "classifier") == (data in JOBS["ablation"]["features"]) and bool(settings.scored) == scored
    assert set(by(rows, "frechet_of_state", "method")) == set(ablation.ARMS)
    assert {row["nfe"] for row in rows if row["metric"] == "frechet_of_state"} == {3}, "two levels, a step at each, the last one"
    ends = {(name, end) for name in ablation.ARMS for end in ("denoised", "not denoised")}
    for metric in ("fid", "inception_score"):
        assert set(by(rows, metric, "method", "variant")) == (ends if scored else set())
    if is_new("sampler_settings", level, data):
        _, rows = ran("sampler_settings", level, data, tmp_path)
        assert list(by(rows, "frechet_of_levels", "at")) == [2, 4]
        assert list(by(rows, "frechet_of_sizes", "at"))[:2] == [1, 4] and len(by(rows, "relative_step", "at")) == 3
    if is_new("losses", level, data):
        _, rows = ran("losses", level, data, tmp_path)
        splits = {(name, split) for name in OBJECTIVES[:2] for split in ("train", "test")}
        assert set(by(rows, "objective", "method", "variant")) == splits
        parameters = [row["value"] for row in rows if row["metric"] == "parameters"]
        assert len(parameters) == 3 and min(parameters) == parameters[0] == 29_694_083


def test_large_images_are_measured_alike():
    named = load_yaml(package_folder(PACKAGE) / "settings.yaml")["ablation"]["paper"]["sets"]
    assert {name.strip() for names in named for name in names.split(",")} == {"cifar10", "celeba64", *OTHERS}
    first, *more = (settings_of("ablation", "paper", data).model_dump() for data in OTHERS)
    assert [{**each, "data": OTHERS[0]} for each in more] == [first] * 3


@pytest.mark.parametrize(("level", "data"), [run[1:] for run in RUNS if run[0] == "sampler_settings"])
def test_every_ladder_takes_about_as_many_evaluations_as_the_networks_own(level, data):
    settings = settings_of("sampler_settings", level, data)
    shared = settings.network == "shared"
    own = WIDE[data][1] if shared else resolve(PACKAGE, "train_refinenet", level, [f"data={data}"]).levels
    evaluations = settings.steps * own
    assert level == "smoke" or settings.steps == settings_of("ablation", level, data).steps == steps_per_level(own)
    assert own in settings.levels, "the network's own ladder is one of them"
    for levels in settings.levels:
        assert max(1, round(evaluations / levels)) * levels == pytest.approx(evaluations, rel=0.05)


@pytest.mark.parametrize(("level", "data"), [run[1:] for run in RUNS if run[0] == "ablation"])
def test_the_ablation_samples_states_that_the_trainings_keep(level, data):
    settings = settings_of("ablation", level, data)
    package, job = ("common", "train") if settings.network == "shared" else (PACKAGE, "train_refinenet")
    more = ["objective=ncsnv2"] if settings.network == "shared" else []
    train = resolve(package, job, level, [f"data={data}", *more]).train
    shares = sorted({*settings.states, 1.0})
    found = [train.snapshot_near(share) / train.steps for share in shares]
    assert found == pytest.approx(shares, abs=1e-9 if level != "smoke" else 0.2)
