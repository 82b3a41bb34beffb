"""Every setting of the gpu and paper levels, at a size that a test can take: a step of training, samples, all that is measured.

Numbers that only cost time come down to the smoke level's; kinds of networks, lists of models and what else is chosen stay.
"""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from common.evaluation import yardstick
from common.learning.data import catalogue
from common.learning.data.split import ImageSplit
from common.learning.data.training import sample_shape
from common.learning.models import ModelSettings, load_denoiser
from common.learning.nets.build import MLPSettings
from common.learning.objective_table import OBJECTIVES
from common.learning.training.run import snapshot_file
from common.measure.features import FeatureNet
from common.runs.experiment import Context, default_folder, load
from common.runs.folders import Outcome, write_run, write_weights
from common.runs.settings import load_yaml, package_folder, resolve
from replications.score_sde.experiments import train_ncsnpp
from replications.score_sde.images.model_samples import samples, ways
from replications.score_sde.networks.named_models import CONFIGS, MODELS, Size, description
from replications.score_sde.networks.ncsnpp import NCSNppSettings

PACKAGE, CPU, LARGE = "replications.score_sde", torch.device("cpu"), ("gpu", "paper")
BLOCKS = load_yaml(package_folder(PACKAGE) / "settings.yaml")
SIZES = {"fashion_mnist": (1, 28, 28), "mnist": (1, 28, 28), "cifar10": (3, 32, 32), "celeba64": (3, 64, 64)}
# large images: the network that is trained on them, the authors' configuration, the largest noise
LARGE_IMAGES = {
    "lsun_church256": ("ncsnpp_256_ve", "ve/church_ncsnpp_continuous", 380.0),
    "lsun_bedroom256": ("ncsnpp_256_ve", "ve/bedroom_ncsnpp_continuous", 378.0),
    "celeba_hq256": ("ncsnpp_256_ve", "ve/celebahq_256_ncsnpp_continuous", 348.0),
    "celeba_hq1024": ("ncsnpp_1024_ve", "ve/celebahq_ncsnpp_continuous", 1348.0),
}
# where there is still a resolution of 16 pixels
SMALLER = {name: (shape[0], 16, 16) for name, shape in SIZES.items()} | dict.fromkeys(LARGE_IMAGES, (3, 16, 16))
INFO = dict.fromkeys(("paper", "experiment", "variant", "seed", "level", "device", "commit"), "")
TINY = Size(channels=4, multipliers=(1, 2), attention=(), dropout=0.0)
# less still than at smoke level, for larger images: and of networks, which are of another kind there
MOST = {
    **dict.fromkeys(("timed_batch", "eps_images", "blocks", "width", "steps", "deep_steps"), 1),
    **dict.fromkeys(("test_images", "images", "draws"), 2),
    **dict.fromkeys(("samples", "scales"), 3),
    **dict.fromkeys(("pairs", "encoded", "batch", "channels", "head_channels"), 4),
    **{"depth": 10, "levels": 25},
}
STRUCTURE = {"multipliers", "attention", "betas"}
FEWEST_SCALES = {"scales": 21, "steps": 21}  # ancestral sampling on VP has no fewer
TOYS = {"sde_facts", "exact_samplers"}  # without networks: at smoke level's numbers throughout


def data_sets(experiment, level):
    """The data sets that a level has settings for."""
    block = {**(BLOCKS[experiment].get("all") or {}), **BLOCKS[experiment][level]}
    named = [name.strip() for names in block.get("sets", {}) for name in names.split(",")]
    return named or [block.get("data", "")]


RUNS = [(name, level, data) for name in BLOCKS for level in LARGE for data in data_sets(name, level)]
TRAINED = [(level, data) for name, level, data in RUNS if name == "train_ncsnpp" and data not in LARGE_IMAGES]
# each model at one level and data set, in turns, but those for large images on all of them
OF_LARGE_IMAGES = [(name, "paper", data) for data, (name, *_) in LARGE_IMAGES.items()]
OTHERS = [name for name in MODELS if name not in {name for name, *_ in OF_LARGE_IMAGES}]
EVERY_MODEL = [(name, *TRAINED[k % len(TRAINED)]) for k, name in enumerate(OTHERS)] + OF_LARGE_IMAGES


def is_new(run):
    """Whether a run differs from those before it by more than its level's name: both levels may have the same settings."""
    before = [other for other in RUNS[: RUNS.index(run)] if other[::2] == run[::2]]
    return settings_of(*run) not in [settings_of(*other) for other in before]


def settings_of(experiment, level, data, *more):
    return resolve(PACKAGE, experiment, level, [*([f"data={data}"] if data else []), *more])


def smaller(values, smoke, key="", most=MOST):
    """Values with no number that is larger than a test can take, and lists of numbers as at smoke level."""
    if isinstance(values, dict):
        known = isinstance(smoke, dict) and values.get("kind") == smoke.get("kind")
        return {name: smaller(value, smoke.get(name) if known else None, name, most) for name, value in values.items()}
    if isinstance(values, (list, tuple)):
        numbers = values and all(isinstance(value, (int, float)) for value in values)
        return smoke if numbers and smoke and key not in STRUCTURE else values
    if isinstance(values, bool) or not isinstance(values, (int, float)):
        return values
    if key == "tolerance":
        return max(values, smoke)
    if isinstance(values, int):
        return min(values, smoke if isinstance(smoke, int) else values, most.get(key, values))
    return values


def small(experiment, level, data, *more):
    settings, smoke = settings_of(experiment, level, data, *more), resolve(PACKAGE, experiment, "smoke")
    most = {} if experiment in TOYS else MOST | (FEWEST_SCALES if experiment == "learned_samplers" else {})
    values = smaller(settings.model_dump(), smoke.model_dump(), most=most)
    return type(settings).model_validate(values)


class MadeUp(Context):
    """A context whose models are there, small and untrained, as soon as a run asks for them."""

    def model(self, data, objective, seed=None, *, backbone=None):
        """Return the folder of a model that is made when it is asked for first."""
        folder = self.results / f"{data}-{backbone}-{objective}"
        if not folder.exists():
            write_model(folder, data, objective, backbone)
        return folder


def write_model(folder: Path, data, objective, backbone):
    """Write the run folder of a model, with snapshots of its training."""
    shape = sample_shape(data)
    if backbone == "features":
        net = FeatureNet(shape[0], 10, generator=torch.Generator().manual_seed(0))
        write_run(folder, Outcome([], weights=net.state_dict()), INFO)
        return
    if backbone == "ncsnpp":
        model = description(MODELS[objective], shape, size=TINY, levels=25)
    else:
        more = {"backbone": MLPSettings(width=8, blocks=1), "shape": shape, "pixel_range": (-1.0, 1.0)}
        model = ModelSettings(**dict(OBJECTIVES[objective]), **more)
    weights = model.build(0).backbone.state_dict()
    for weight in weights.values():
        # an untrained network's score is nearly zero, by which a corrector would divide
        if weight.ndim > 1 and weight.abs().max() < 1e-6:
            weight.normal_(std=0.1, generator=torch.Generator().manual_seed(0))
    for step in range(1, 5):
        write_weights(folder / snapshot_file(step), weights)
    train = {"steps": 4, "batch": 1, "learning_rate": 1e-3, "snapshots": 4}
    outcome = Outcome([], weights=weights, model=model.model_dump(mode="json"))
    write_run(folder, outcome, {**INFO, "settings": {"train": train}})


def made_up(size, name, split):
    generator = torch.Generator().manual_seed(len(split))
    images = torch.randint(0, 256, (12, *size), generator=generator, dtype=torch.uint8)
    return ImageSplit(images, None if name.startswith(("celeba", "lsun")) else torch.arange(12) % 10, 256)


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    """Small splits of noise in the place of image sets, and mean colours in that of Inception's features."""
    for name, size in SMALLER.items():
        monkeypatch.setitem(catalogue.LOADERS, name, partial(made_up, size, name))
    monkeypatch.setattr(yardstick, "inception_features", lambda pixels, **_: pixels.astype(float).mean((2, 3)))
    for module in (load(PACKAGE, name) for name in BLOCKS):
        for name, value in (("find_weights", None), ("class_probabilities", np.full((10, 4), 0.25))):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lambda *_, value=value, **more: value)


def context_of(experiment, level, out):
    return MadeUp("score_sde", experiment, level, 0, 2, out, out / "run", CPU)


@pytest.mark.parametrize(("experiment", "level", "data"), [run for run in RUNS if run[0] != "train_ncsnpp" and is_new(run)])
def test_every_large_run_goes_through(experiment, level, data, tmp_path):
    settings, module = small(experiment, level, data), load(PACKAGE, experiment)
    if experiment == "architectures":
        # of the many models some at each level and data set
        share = [run for run in RUNS if run[0] == experiment].index((experiment, level, data))
        settings = settings.model_copy(update={"models": settings.models[share::5][:2] or settings.models})
    if hasattr(module, "check"):
        module.check(settings)
    context = context_of(experiment, level, tmp_path)
    outcome = module.run(settings, context)
    assert len(outcome.rows) > 1
    assert all(math.isfinite(row["value"]) or row.get("status") == "refused" for row in outcome.rows)
    assert all(np.isfinite(values).all() for values in outcome.arrays.values())
    if data:
        assert data in {row["dataset"] for row in outcome.rows}
    write_run(context.out, outcome, INFO)
    assert (context.out / "metrics.csv").is_file()
    if experiment == "architectures":
        measured = {row["metric"] for row in outcome.rows}
        assert ({"fid", "inception_score"} <= measured) == (level == "paper")
        assert {row["method"] for row in outcome.rows} == {"data", *settings.models}
        with_bits = {row["method"] for row in outcome.rows if row["metric"] == "nll"}
        assert with_bits == {name for name in settings.models if MODELS[name].sde != "ve"}


@pytest.mark.parametrize(("name", "level", "data"), EVERY_MODEL)
def test_every_architecture_is_trained_and_sampled_from(name, level, data, tmp_path):
    settings = small("train_ncsnpp", level, data, f"model={name}")
    shrunk = settings.size.model_copy(update={"multipliers": settings.size.multipliers[:2], "attention": ()})
    settings = settings.model_copy(update={"size": shrunk})
    place = {"results": tmp_path, "level": level, "seed": 0, "paper": "score_sde", "experiment": "train_ncsnpp"}
    folder = default_folder(train_ncsnpp, settings, place)
    assert folder == tmp_path / level / "models" / f"{data}-ncsnpp-{name}" / "seed0"
    context = Context("score_sde", "train_ncsnpp", level, 0, 2, tmp_path, folder, CPU)
    outcome = train_ncsnpp.run(settings, context)
    write_run(folder, outcome, INFO)
    assert context.model(data, name, backbone="ncsnpp") == folder
    model = load_denoiser(folder, backbones=[NCSNppSettings])
    named = MODELS[name]
    assert (model.known_times is None) != named.discrete
    assert model.path.name == ("ddpm" if named.discrete and named.sde == "vp" else named.sde)
    noise = torch.randn(1, *SMALLER[data], generator=torch.Generator().manual_seed(0))
    for way in ways(model, small("architectures", level, data)).values():
        few = way.times if len(way.times) < 4 else way.times[[0, -1]] if model.known_times is None else way.times[:2]
        assert samples(way.model, noise, way.sampler, few, 1, context).x.isfinite().all()


@pytest.mark.parametrize(("level", "data"), TRAINED)
def test_the_largest_network_fits_and_is_trained_as_published(level, data, monkeypatch):
    monkeypatch.setitem(catalogue.LOADERS, data, partial(made_up, SIZES[data], data))
    for name in ("ncsnpp_deep_ve", "ddpm_vp_discrete", "ddpmpp_deep_sub_vp"):
        settings, named = settings_of("train_ncsnpp", level, data, f"model={name}"), MODELS[name]
        train_ncsnpp.check(settings)
        train = train_ncsnpp.schedule(settings)
        assert (train.learning_rate, train.betas, train.warmup_steps, train.clip_norm) == (2e-4, (0.9, 0.999), 5000, 1.0)
        assert (train.batch, train.weight_decay, train.schedule) == (128, 0, "constant")
        assert train.ema_decay == (0.999 if named.sde == "ve" else 0.9999)
        assert train_ncsnpp.loss_scale(settings) == (math.prod(SIZES[data]) / 2 if named.sde == "ve" else 1)
        assert settings.flip == (data != "fashion_mnist") and settings.levels == 1000 and settings.size.dropout == 0.1
        if level == "paper":
            network = train_ncsnpp.described(settings)
            published = description(named, SIZES[data], sigma_max={"cifar10": 50.0, "celeba64": 90.0}[data])
            assert network == published and train.steps == (950_000 if named.deep else 1_300_000)


@pytest.mark.parametrize("data", LARGE_IMAGES)
def test_large_images_have_a_network_of_their_own_trained_as_published(data, monkeypatch):
    model, config, sigma_max = LARGE_IMAGES[data]
    side = 1024 if data == "celeba_hq1024" else 256
    image = ImageSplit(torch.zeros(1, 3, side, side, dtype=torch.uint8), None, 256)
    monkeypatch.setitem(catalogue.LOADERS, data, lambda split: image)
    settings = settings_of("train_ncsnpp", "paper", data)
    assert settings.model == model, "without being asked for"
    train_ncsnpp.check(settings)
    assert train_ncsnpp.described(settings) == CONFIGS[config] and settings.sigma_max == sigma_max
    train = train_ncsnpp.schedule(settings)
    batch, ema = (8, 0.9999) if side == 1024 else (64, 0.999)
    assert (train.batch, train.steps, train.ema_decay, settings.flip) == (batch, 2_400_000, ema, True)
    assert (train.learning_rate, train.betas, train.warmup_steps, train.clip_norm) == (2e-4, (0.9, 0.999), 5000, 1.0)
    assert train_ncsnpp.loss_scale(settings) == 1.5 * side**2
    compared = settings_of("architectures", "paper", data)
    assert (compared.models, compared.scales, compared.snr) == ([model], 2000, 0.15 if side == 1024 else 0.075)
    assert compared.space == "inception" and compared.inception, "there are no labels to learn other features from"


def test_the_loss_is_scaled_before_gradients_are_clipped(tmp_path, monkeypatch):
    """Half the sum over pixels on the VE path: the noise alone makes it half their number at first."""
    losses = {}
    for name in ("ncsnpp_ve", "ddpm_vp"):
        settings = small("train_ncsnpp", "gpu", "fashion_mnist", f"model={name}")
        size = settings.size.model_copy(update={"multipliers": (1, 2), "attention": ()})
        outcome = train_ncsnpp.run(settings.model_copy(update={"size": size}), context_of("train_ncsnpp", "gpu", tmp_path / name))
        losses[name] = next(row["value"] for row in outcome.rows if row["metric"] == "final_training_loss")
    assert losses["ncsnpp_ve"] == pytest.approx(128 * losses["ddpm_vp"], rel=1e-3)
    assert losses["ddpm_vp"] == pytest.approx(1, abs=0.2)
