"""Every setting of the gpu and paper levels, at a size that a test can take: a step of training and one of sampling."""

import json

import numpy as np
import pytest
import torch

from common.dynamics.paths import ladder
from common.evaluation import yardstick
from common.learning.data import catalogue
from common.learning.data.split import ImageSplit
from common.measure.features import FeatureNet
from common.runs.experiment import Context, default_folder, load, variant
from common.runs.folders import Outcome, write_run
from common.runs.layout import model_folder
from common.runs.settings import load_yaml, package_folder, resolve
from replications.ncsn import networks, sample_measures
from replications.ncsn.experiments import objectives, samples, train_refinenet
from replications.ncsn.states import kept_states

PACKAGE, CPU = "replications.ncsn", torch.device("cpu")
SIZES = {"fashion_mnist": (1, 28, 28), "mnist": (1, 28, 28), "cifar10": (3, 32, 32), "celeba32": (3, 32, 32)}
JOBS = load_yaml(package_folder(PACKAGE) / "jobs.yaml")
# others of a level differ from one of these in their name alone
DIFFERENT = [("gpu", "fashion_mnist"), ("gpu", "cifar10"), ("paper", "mnist"), ("paper", "celeba32")]
LARGE = [(level, data) for level in ("gpu", "paper") for data in JOBS["train_refinenet"]["data"][level]]
# less of everything that only takes time; a setting of another kind is left as it is
SMALL = {
    "manifold": ["train.steps=3", "train.batch=4", "backbone.width=8"],
    "score_regions": ["train.steps=2", "train.batch=4", "width=8", "points=5"],
    "mixture": ["samples=8", "steps=2"],
    "objectives": ["train.steps=1", "train.batch=2", "backbone.channels=4", "samples=2", "steps=1", "timed=2", "states=[1.0]"],
    "samples": ["samples=3", "step.steps=1", "others=[{steps: 1, rho: 0.5}]"],
    "inpainting": ["images=1", "completions=2", "step.steps=1"],
}


@pytest.fixture(autouse=True)
def sizes(monkeypatch):
    """Small splits of noise in the place of data sets that are not on every machine; a test may make their images smaller."""
    sizes = dict(SIZES)

    def load_split(name, split, replicate=0):
        generator = torch.Generator().manual_seed(len(split))
        images = torch.randint(0, 256, (6, *sizes[name]), generator=generator, dtype=torch.uint8)
        return ImageSplit(images, None if name.startswith("celeba") else torch.arange(6), 256)

    monkeypatch.setattr(catalogue, "load", load_split)
    return sizes


@pytest.fixture
def inception(monkeypatch):
    """Mean colours in the place of Inception's features: its Fréchet distances take seconds each."""
    for module in (samples, objectives):
        monkeypatch.setattr(module, "find_weights", lambda what: None)
    monkeypatch.setattr(yardstick, "inception_features", lambda pixels, **_: pixels.astype(float).mean((2, 3)))
    monkeypatch.setattr(samples, "class_probabilities", lambda pixels, **_: np.full((10, 4), 0.25))


def context_of(experiment, level, out):
    return Context("ncsn", experiment, level, 0, 2, out, out / "run", CPU)


def write(folder, outcome, settings):
    info = dict.fromkeys(("paper", "experiment", "variant", "seed", "level", "device", "commit"), "")
    write_run(folder, outcome, {**info, "settings": settings.model_dump(mode="json") if settings else {}})


def trained(level, data, objective, results, *more):
    """Train the paper's network for a step where its readers look for it; return its settings, folder and outcome."""
    shrunk = ["train.steps=1", "train.batch=2", "backbone.filters=4", *more]
    settings = resolve(PACKAGE, "train_refinenet", level, [f"data={data}", f"objective={objective}", *shrunk])
    folder = train_refinenet.folder(settings, results=results, level=level, seed=0)
    outcome = train_refinenet.run(settings, Context("ncsn", "train_refinenet", level, 0, 2, results, folder, CPU))
    write(folder, outcome, settings)
    return settings, folder, outcome


def features(level, data, results):
    net = FeatureNet(SIZES[data][0], 10, generator=torch.Generator().manual_seed(0))
    write(model_folder(results, level, data, "features", "classifier", 0), Outcome([], weights=net.state_dict()), None)


@pytest.mark.parametrize(("level", "data"), DIFFERENT)
@pytest.mark.parametrize("objective", ["ncsn", "ncsn_single"])
def test_the_papers_network_is_trained_and_found_again(objective, level, data, tmp_path):
    settings, folder, outcome = trained(level, data, objective, tmp_path)
    train_refinenet.check(settings)
    context = context_of("samples", level, tmp_path)
    assert context.model(data, objective, backbone="refinenet") == folder
    place = {"results": tmp_path, "level": level, "seed": 0, "paper": "ncsn", "experiment": "train_refinenet"}
    assert default_folder(train_refinenet, settings, place) == folder
    assert JOBS["train_refinenet"]["folder"].format(data=data, objective=objective) in str(folder)
    assert variant(train_refinenet, settings) == f"{data}-{objective}"
    found = networks.trained(context, data, objective, "refinenet")
    levels = ladder(1.0, 0.01, 10) if objective == "ncsn" else ladder(0.01, 0.01, 1)
    torch.testing.assert_close(networks.levels_of(found), levels.round(decimals=6))
    assert found.pixel_range == (0.0, 1.0) and found.model.prediction == "score"
    x = torch.rand(2, *SIZES[data])
    for index, time in list(enumerate(found.model.known_times.tolist()))[::4]:
        # the output is the score itself, and the network is told the level's index
        direct = found.model.backbone(x, torch.tensor([float(index)]))
        torch.testing.assert_close(found.model.score(x, time), direct, rtol=0, atol=0)
    table = found.model.backbone.state_dict()["enter.weight"]
    assert all(value.isfinite().all() for value in outcome.weights.values()) and table.shape[0] == 4
    norms = [value for name, value in outcome.weights.items() if name.endswith("table.weight")]
    assert {len(value) for value in norms} == {10 if objective == "ncsn" else 1}


def test_the_settings_of_the_large_levels_are_these():
    """Section 5, appendices A and B: 64 filters for grey images, 128 for colour; flips but not of digits; Adam at 0.001."""
    seen = {}
    for level, data in LARGE:
        settings = resolve(PACKAGE, "train_refinenet", level, [f"data={data}"])
        train = settings.train
        seen[level, data] = (settings.backbone.filters, settings.flip, train.steps, train.precision)
        assert (train.batch, train.learning_rate, train.betas, train.ema_decay) == (128, 1e-3, (0.9, 0.999), 0)
        assert (train.weight_decay, train.warmup_steps, train.schedule, train.clip_norm) == (0, 0, "constant", None)
    assert seen == {
        ("gpu", "fashion_mnist"): (64, False, 50000, "bf16"),
        ("gpu", "mnist"): (64, False, 50000, "bf16"),
        ("gpu", "cifar10"): (128, True, 50000, "bf16"),
        ("paper", "mnist"): (64, False, 200000, "fp32"),
        ("paper", "celeba32"): (128, True, 200000, "fp32"),
        ("paper", "cifar10"): (128, True, 200000, "fp32"),
    }


def test_both_objectives_start_from_one_seed_and_see_the_same_batches(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(train_refinenet, "fitted", lambda model, train, context, **more: seen.append((model, more)))
    for objective in ("ncsn", "ncsn_single"):
        settings = resolve(PACKAGE, "train_refinenet", "gpu", ["data=cifar10", f"objective={objective}"])
        train_refinenet.run(settings, context_of("train_refinenet", "gpu", tmp_path))
    (ladder_model, of_ladder), (single_model, of_single) = seen
    assert of_ladder["seed"] == of_single["seed"] and of_ladder["flip"] is of_single["flip"] is True
    assert (of_ladder["method"], of_single["method"]) == ("ncsn", "ncsn_single") and of_ladder["data"] == "cifar10"
    assert of_ladder["of"].objective == "ncsn" and ladder_model.backbone.levels == 10 and single_model.backbone.levels is None
    for model, levels, sigma_max, t in ((ladder_model, 10, 1.0, "index"), (single_model, 1, 0.01, "none")):
        objective = model.objective
        assert (objective.path, objective.prediction, objective.weight) == ("ve", "score", "sigma_squared")
        assert objective.path_options == {"sigma_min": 0.01, "sigma_max": sigma_max} and objective.noise_levels == levels
        assert (model.conditioning.t, model.conditioning.x, model.pixel_range) == (t, "raw", (0.0, 1.0))


def ran(experiment, level, data, results):
    """Run an experiment of a level with less of everything."""
    chosen = [f"data={data}"] if data else []
    settings = resolve(PACKAGE, experiment, level, [*chosen, *SMALL[experiment]])
    module = load(PACKAGE, experiment)
    if hasattr(module, "check"):
        module.check(settings)
    context = context_of(experiment, level, results)
    outcome = module.run(settings, context)
    write(context.out, outcome, settings)
    assert len(outcome.rows) > 1 and (context.out / "metrics.csv").is_file()
    assert all(row.get("status") == "refused" or row["value"] == row["value"] for row in outcome.rows)
    return settings, outcome


@pytest.mark.parametrize("experiment", ["manifold", "score_regions", "mixture"])
@pytest.mark.parametrize("level", ["gpu", "paper"])
def test_the_toy_experiments_run(experiment, level, tmp_path):
    for data in JOBS[experiment].get("data", {}).get(level, [""]):
        ran(experiment, level, data, tmp_path)


@pytest.mark.parametrize(("level", "data"), [("gpu", "cifar10"), ("paper", "mnist"), ("paper", "celeba32")])
def test_the_image_experiments_run_on_the_papers_network(level, data, tmp_path, sizes, inception, monkeypatch):
    monkeypatch.setattr(sample_measures, "distance_to_data", lambda x, data: 1.0)  # scikit-learn's search takes long to begin
    sizes[data] = (SIZES[data][0], 12, 12)
    # two noise levels of the paper's ten: an evaluation of its network costs as much for an image as for many
    monkeypatch.setattr(networks, "LEVELS", 2)
    paper = networks.PAPER["ncsn"]
    two = paper.model_copy(update={"objective": paper.objective.model_copy(update={"noise_levels": 2})})
    monkeypatch.setitem(networks.PAPER, "ncsn", two)
    trained(level, data, "ncsn", tmp_path)
    trained(level, data, "ncsn_single", tmp_path)
    if data in JOBS["samples"]["features"]:
        features(level, data, tmp_path)
    for experiment in ("objectives", "samples", "inpainting"):
        assert data in JOBS[experiment]["data"][level]
        settings, outcome = ran(experiment, level, data, tmp_path)
        assert settings.network == "refinenet"
        if experiment == "objectives":
            # the U-Net has attention, which torch's forward mode does not know
            refused = {row["method"] for row in outcome.rows if row.get("status") == "refused"}
            assert refused == {"ssm_forward"} and {"ncsn", "ncsn at 100%", "dsm", "ssm"} <= {
                row["method"] for row in outcome.rows
            }
        if experiment == "samples":
            nfe = {row["nfe"] for row in outcome.rows if row["metric"] == "feature_frechet" and row["method"] == "ncsn"}
            assert nfe == {2, 3} and settings.inception == (level == "paper")
            measured = {row["metric"] for row in outcome.rows}
            assert {"fid", "inception_score"} <= measured or level == "gpu"
            assert {"class_entropy", "confidence"} <= measured or data == "celeba32"
            assert outcome.arrays["moments"].shape == (2, 3, *sizes[data])


def test_states_are_those_of_the_papers_network(tmp_path, sizes):
    sizes["fashion_mnist"] = (1, 8, 8)
    settings, folder, _ = trained("gpu", "fashion_mnist", "ncsn", tmp_path, "train.steps=4", "train.snapshots=4")
    assert json.loads((folder / "run.json").read_text())["settings"]["train"]["snapshots"] == settings.train.snapshots
    found = kept_states(context_of("objectives", "gpu", tmp_path), "fashion_mnist", "refinenet", [0.25, 1.0])
    first, last = (each.model.backbone.state_dict()["enter.weight"] for each in found.values())
    end = networks.trained(context_of("objectives", "gpu", tmp_path), "fashion_mnist", "ncsn", "refinenet")
    assert torch.equal(last, end.model.backbone.state_dict()["enter.weight"]) and not torch.equal(first, last)
