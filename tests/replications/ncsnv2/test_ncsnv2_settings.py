"""Training the paper's networks: every setting of the gpu and paper levels at a size that a test can take, and their samples."""

import math

import pytest
import torch
from scipy.stats import norm

from common.dynamics.paths import ladder
from common.learning import fit
from common.learning.data import catalogue
from common.learning.data.split import ImageSplit
from common.learning.models import load_denoiser
from common.learning.objectives import regression_loss
from common.learning.training.run import snapshot_file
from common.runs.experiment import Context, default_folder, variant
from common.runs.folders import write_run
from common.runs.settings import load_yaml, package_folder, resolve
from replications.ncsn.annealed_langevin import relative_step
from replications.ncsn.chains import run_chains
from replications.ncsn.networks import Trained
from replications.ncsnv2.experiments import train_refinenet
from replications.ncsnv2.refinenets import RefineNetV2Settings

PACKAGE, CPU = "replications.ncsnv2", torch.device("cpu")
BLOCK = load_yaml(package_folder(PACKAGE) / "settings.yaml")["train_refinenet"]
# Table 4: the image's size, the largest noise, levels, steps at each, their size epsilon, depth, batch, iterations
PUBLISHED = {
    "cifar10": (32, 50, 232, 5, 6.2e-6, "standard", 128, 300_000),
    "celeba64": (64, 90, 500, 5, 3.3e-6, "standard", 128, 210_000),
    "lsun_church96": (96, 140, 788, 4, 4.9e-6, "deeper", 128, 200_000),
    "lsun_bedroom128": (128, 190, 1086, 3, 1.8e-6, "deeper", 128, 150_000),
    "lsun_tower128": (128, 190, 1086, 3, 1.8e-6, "deeper", 128, 150_000),
    "ffhq256": (256, 348, 2311, 3, 9e-7, "deepest", 32, 80_000),
}
OBJECTIVES = ("ncsnv2", "ncsnv2_index", "ncsn")
LARGE = [(level, name.strip()) for level in ("gpu", "paper") for names in BLOCK[level]["sets"] for name in names.split(",")]
# the ablation's rivals differ in no setting but their objective's
RUNS = [*((level, data, "ncsnv2") for level, data in LARGE), *(("paper", "cifar10", name) for name in OBJECTIVES[1:])]


@pytest.fixture(autouse=True)
def sizes(monkeypatch):
    """Small splits of noise in the place of the data sets; a test may make their images smaller."""
    sizes = {"fashion_mnist": (1, 28, 28), **{data: (3, size, size) for data, (size, *_) in PUBLISHED.items()}}

    def load_split(name, split, replicate=0):
        generator = torch.Generator().manual_seed(len(split))
        return ImageSplit(torch.randint(0, 256, (6, *sizes[name]), generator=generator, dtype=torch.uint8), None, 256)

    monkeypatch.setattr(catalogue, "load", load_split)
    return sizes


def settings_of(level, data, objective="ncsnv2", *more):
    return resolve(PACKAGE, "train_refinenet", level, [f"data={data}", f"objective={objective}", *more])


def trained(level, data, objective, results, *more):
    """Train a small network for some steps where its readers look for it; return its settings, context and outcome."""
    shrunk = ["train.steps=6", "train.batch=2", "train.snapshots=2", "backbone.filters=4", *more]
    settings = settings_of(level, data, objective, *shrunk)
    place = {"results": results, "level": level, "seed": 0, "paper": "ncsnv2", "experiment": "train_refinenet"}
    folder = default_folder(train_refinenet, settings, place)
    context = Context("ncsnv2", "train_refinenet", level, 0, 2, results, folder, CPU)
    outcome = train_refinenet.run(settings, context)
    info = dict.fromkeys(("paper", "experiment", "variant", "seed", "level", "device", "commit"), "")
    write_run(folder, outcome, {**info, "settings": settings.model_dump(mode="json")})
    return settings, context, outcome


@pytest.mark.parametrize(("level", "data", "objective"), RUNS)
def test_a_network_is_trained_found_again_and_sampled_from(level, data, objective, tmp_path, sizes):
    sizes[data] = (sizes[data][0], 10, 12)
    settings, context, outcome = trained(level, data, objective, tmp_path)
    assert variant(train_refinenet, settings) == f"{data}-{objective}"
    assert context.model(data, objective, backbone="refinenet_v2") == context.out
    model = load_denoiser(context.out, backbones=[RefineNetV2Settings])
    sigma_max, levels = (1.0, 10) if objective == "ncsn" else (settings.sigma_max, settings.levels)
    torch.testing.assert_close(model.path.sigma(model.known_times), ladder(sigma_max, 0.01, levels))
    averaged, raw = (
        load_denoiser(context.out, CPU, snapshot_file(6, raw=raw), backbones=[RefineNetV2Settings]).backbone.leave.conv.weight
        for raw in (False, True)
    )
    assert torch.equal(averaged, model.backbone.leave.conv.weight) and not torch.equal(averaged, raw)
    assert all(value.isfinite().all() for value in outcome.weights.values())
    # the published sampler: some steps at the largest, a middle and the least level
    _, _, _, steps, eps, *_ = PUBLISHED.get(data, PUBLISHED["cifar10"])
    rho, few = relative_step(eps, 0.01, "coded"), model.known_times[[0, levels // 2, -1]]
    start = torch.rand(2, *sizes[data], generator=torch.Generator().manual_seed(0))
    network = Trained(model, (0.0, 1.0))
    chains = run_chains(
        network, start, rho=rho, steps=steps, levels=few, generator=torch.Generator().manual_seed(1), keep_every=steps
    )
    assert chains.nfe == 3 * steps and chains.images.isfinite().all() and chains.diverged == 0
    # noise of the largest level is not clipped: a chain comes as far as its steps go, further where the untrained score is large
    spread = float(chains.kept[0].std()) / 2 / (sigma_max * math.sqrt(2 * rho * steps))
    assert spread > 0.5 and (spread < 2 or objective == "ncsnv2_index")


@pytest.mark.parametrize(("level", "data"), LARGE)
def test_every_network_fits_its_images(level, data):
    for objective in OBJECTIVES:
        train_refinenet.check(settings_of(level, data, objective))


def test_the_settings_of_the_paper_are_the_published_ones():
    assert {data for level, data in LARGE if level == "paper"} == set(PUBLISHED)
    for data, (_, sigma_max, levels, _, _, depth, batch, steps) in PUBLISHED.items():
        for objective in OBJECTIVES:
            settings = settings_of("paper", data, objective)
            train = train_refinenet.schedule(settings)
            assert (settings.sigma_max, settings.levels, settings.flip) == (sigma_max, levels, True)
            assert settings.backbone == RefineNetV2Settings(depth=depth, filters=128)
            assert (train.batch, train.steps, train.precision) == (batch, steps, "fp32")
            assert train.learning_rate == (1e-4 if objective == "ncsnv2" else 1e-3)
            assert (train.betas, train.ema_decay) == ((0.9, 0.999), 0.999)
            assert (train.weight_decay, train.warmup_steps, train.schedule, train.clip_norm) == (0, 0, "constant", None)
            assert train.epsilon == (1e-3 if data == "ffhq256" else 1e-8)
        if data in ("cifar10", "celeba64"):
            assert settings_of("paper", data).backbone.depth == "standard"


def test_the_settings_of_the_gpu_level_are_these():
    seen = {}
    for level, data in LARGE:
        if level == "gpu":
            settings = settings_of(level, data)
            seen[data] = (settings.sigma_max, settings.levels, settings.backbone.filters, settings.flip, settings.train.steps)
            assert (settings.train.batch, settings.train.learning_rate, settings.train.ema_decay) == (128, 1e-4, 0.999)
    assert seen == {"fashion_mnist": (22, 104, 64, False, 50_000), "cifar10": (50, 232, 128, True, 50_000)}


@pytest.mark.parametrize(("level", "data"), [*LARGE, ("smoke", "digits"), ("laptop", "digits")])
def test_neighbouring_levels_overlap_as_in_the_published_ladders(level, data, sizes):
    """Technique 2: of a level's mass 0.567 is within three standard deviations of the radii before, or less: L rounds down."""
    sizes.setdefault("digits", (1, 8, 8))
    settings, dim = settings_of(level, data), math.prod(sizes[data])

    def mass(levels):
        ratio = (settings.sigma_max / 0.01) ** (1 / (levels - 1))
        middle, reach = math.sqrt(2 * dim) * (ratio - 1), 3 * ratio
        return norm.cdf(middle + reach) - norm.cdf(middle - reach)

    assert mass(settings.levels) < 0.5675 and mass(settings.levels + 1) > 0.5665


def test_what_a_training_is_given(tmp_path, monkeypatch):
    """One seed for all; the published loss is half the sum over pixels; NCSN alone learns from dequantised images."""
    seen = {}
    monkeypatch.setattr(
        train_refinenet, "fitted", lambda model, train, context, **more: seen.update({more["method"]: (model, train, more)})
    )
    for objective in OBJECTIVES:
        context = Context("ncsnv2", "train_refinenet", "paper", 0, 2, tmp_path, tmp_path / "run", CPU)
        train_refinenet.run(settings_of("paper", "cifar10", objective), context)
    assert len({more["seed"] for _, _, more in seen.values()}) == 1
    assert {more["scale"] for _, _, more in seen.values()} == {1536.0}
    assert {more["flip"] for _, _, more in seen.values()} == {True}
    assert {name: more["dequantise"] for name, (_, _, more) in seen.items()} == {
        "ncsnv2": False,
        "ncsnv2_index": False,
        "ncsn": True,
    }
    assert {name: model.backbone.levels for name, (model, *_) in seen.items()} == {
        "ncsnv2": None,
        "ncsnv2_index": 232,
        "ncsn": 10,
    }
    assert {name: train.learning_rate for name, (_, train, _) in seen.items()} == {
        "ncsnv2": 1e-4,
        "ncsnv2_index": 1e-3,
        "ncsn": 1e-3,
    }


def test_an_answer_of_nothing_costs_half_a_unit_for_each_pixel(tmp_path, sizes, monkeypatch):
    """E |z|^2 / 2 is half the number of pixels, whatever the level and whichever quantity is predicted."""
    sizes["cifar10"] = (3, 8, 8)

    def of_nothing(network, objective, x0, **more):
        return regression_loss(lambda x, t: 0 * network(x, t), objective, x0, **more)

    monkeypatch.setattr(fit, "regression_loss", of_nothing)
    for objective in OBJECTIVES:
        settings = settings_of("gpu", "cifar10", objective, "train.steps=1", "backbone.filters=4", "train.precision=fp32")
        context = Context("ncsnv2", "train_refinenet", "gpu", 0, 2, tmp_path, tmp_path / objective, CPU)
        outcome = train_refinenet.run(settings, context)
        loss = next(row["value"] for row in outcome.rows if row["metric"] == "final_training_loss")
        assert loss == pytest.approx(96, rel=0.05)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_smoke_level_goes_through(objective, tmp_path, monkeypatch):
    monkeypatch.undo()
    settings = resolve(PACKAGE, "train_refinenet", "smoke", [f"objective={objective}"])
    train_refinenet.check(settings)
    context = Context("ncsnv2", "train_refinenet", "smoke", 0, 2, tmp_path, tmp_path / "run", CPU)
    outcome = train_refinenet.run(settings, context)
    rows = {row["metric"]: row for row in outcome.rows}
    assert set(rows) == {"final_training_loss", "parameters"} and 5 < rows["final_training_loss"]["value"] < 100
    assert {row["method"] for row in outcome.rows} == {objective} and {row["dataset"] for row in outcome.rows} == {"digits"}
