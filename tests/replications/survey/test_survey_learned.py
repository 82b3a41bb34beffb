"""Trained objectives under every sampler, on models whose answers are known: what is measured, kept and refused."""

import math

import numpy as np
import pytest
import torch
from gotta_go_fast_stand_ins import MadeUp, small_data

from common.dynamics.answers import Answering
from common.dynamics.oracles import gaussian
from common.dynamics.paths import vp
from common.evaluation.yardstick import Yardstick
from common.learning.data import catalogue
from common.learning.data.split import ImageSplit
from common.measure.metrics.coverage import coverage
from common.measure.metrics.frechet import frechet_distance
from common.runs.entries import entries
from common.runs.experiment import Context
from common.runs.levels import LEVELS
from common.runs.settings import resolve
from replications.gotta_go_fast.model_runs import Trained
from replications.survey.experiments import learned, learned_2d
from replications.survey.image_measures import measures

F64, PACKAGE, SHAPE = torch.float64, "replications.survey", (1, 4, 4)
MEAN = torch.linspace(-0.5, 0.5, 16, dtype=F64)
CHOSEN = ["ancestral", "ddim", "rk45"]
FEW = {"samplers": CHOSEN, "nfe": [5, 20], "more": {}, "tolerances": {"rk45": [1.0]}}


def shrunk(experiment, level, *overrides, **budgets):
    """Settings of a level with few samplers and budgets."""
    settings = resolve(PACKAGE, experiment, level, ["samples=8", "shown=[20]", *overrides])
    return settings.model_copy(update={"budgets": settings.budgets.model_copy(update={**FEW, **budgets})})


def images(n, seed=0):
    return (MEAN.reshape(SHAPE) + 0.3 * torch.randn(n, *SHAPE, generator=torch.Generator().manual_seed(seed))).float()


def features(x):
    return x.flatten(1)[:, :3].double().numpy()


@pytest.fixture(scope="module")
def yardstick():
    test = ImageSplit(((images(40).clamp(-0.99, 0.99) + 1) * 8.5).long(), None, 17)
    return Yardstick(test, features, features(images(40)), features(images(40, 1)))


def by(rows, metric, *labels):
    found = [row for row in rows if row["metric"] == metric]
    keys = [tuple(row.get(label) for label in labels) for row in found]
    assert len(set(keys)) == len(keys), f"{metric} twice"
    return dict(zip(keys, found))


def context_of(kind, tmp_path, level="smoke", experiment="learned"):
    return kind("survey", experiment, level, 0, 99, tmp_path, tmp_path / "run", torch.device("cpu"))


def test_measures_are_clipped_and_have_their_floors(yardstick):
    measured, x = measures(yardstick, 20, 3), images(20, 2) * 3
    rows = {row["metric"]: row for row in measured.rows(x, method="m", n=20)}
    seen, shares = features(x.clamp(-1, 1)), coverage(yardstick.reference, features(x.clamp(-1, 1)), neighbours=3)
    assert rows["feature_frechet"]["value"] == pytest.approx(frechet_distance(seen, yardstick.reference))
    assert (rows["precision"]["value"], rows["recall"]["value"]) == (shares.precision, shares.recall)
    floors = {row["metric"]: row for row in measured.floor_rows(20, dataset="d")}
    for metric, row in rows.items():
        assert row["floor"] == floors[metric]["value"] == floors[metric]["floor"] and floors[metric]["method"] == "data"
    assert rows["feature_frechet"]["floor"] == yardstick.floor(20) != yardstick.floor(10)


@pytest.mark.parametrize("pixel_range", [(-1.0, 1.0), (0.0, 1.0)])
def test_rows_and_pictures_of_a_model(pixel_range, yardstick, tmp_path, monkeypatch):
    """What a network that sees pixels in [0, 1] gives is compared in [-1, 1]."""
    noise = torch.randn(8, *SHAPE, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(learned, "starts", lambda *_: noise)
    low, high = pixel_range
    scaled = gaussian(vp(), low + (MEAN + 1) / 2 * (high - low), 0.3 * (high - low) / 2)
    model = Answering(vp(), "score", lambda x, t: scaled.score(x.flatten(1), t).reshape(x.shape))
    settings = shrunk("learned", "smoke", "pictures=3", "shown=[60]", samplers=["ddim", "euler_maruyama", "rk45"], nfe=[5, 60])
    arguments = (measures(yardstick, 8, 3), settings, context_of(Context, tmp_path), {"variant": "v"})
    rows, pictures = learned.model_rows(Trained(model, pixel_range), settings.budgets, *arguments)
    assert set(by(rows, "recall", "method", "at")) == {
        *((name, at) for name in ("ddim", "euler_maruyama") for at in (5, 60)),
        ("rk45", 1),
    }
    assert set(pictures) == {"ddim_60", "euler_maruyama_60", "rk45_1"} and pictures["ddim_60"].shape == (3, *SHAPE)
    error = (pictures["ddim_60"].double() - MEAN.reshape(SHAPE)) / 0.3
    assert float(error.square().mean()) == pytest.approx(1, abs=0.5)


def test_the_training_sets_own_score_gives_training_images(tmp_path, monkeypatch):
    """With all its evaluations each sample is one of the images."""
    context = context_of(MadeUp, tmp_path)
    settings = resolve(PACKAGE, "learned", "smoke", ["objectives=[]", "samples=20", "empirical_images=30"])
    ((name, model, budgets),) = learned.models(settings, context)
    assert name == "empirical_vp" and budgets is settings.empirical["vp"] and len(model.model.data) == 30
    assert float(model.model.data.min()) >= -1 and float(model.model.data.max()) <= 1
    kept = {}
    monkeypatch.setattr(learned, "halved", lambda x: kept.setdefault(len(kept), x).numpy())
    learned.run(settings.model_copy(update={"pictures": 20}), context)
    (pictures,) = kept.values()
    gaps = torch.cdist(pictures.flatten(1), model.model.data.flatten(1)).amin(1)
    assert float(gaps.median()) < 0.05


@pytest.mark.parametrize(
    ("level", "data"),
    [("smoke", "digits"), ("laptop", "digits"), ("gpu", "fashion_mnist"), ("gpu", "cifar10"), ("paper", "cifar10")],
)
def test_a_run_of_every_level(level, data, tmp_path, monkeypatch):
    small_data(monkeypatch)
    settings = shrunk("learned", level, f"data={data}", "neighbours=2", "pictures=2")
    settings = settings.model_copy(update={"empirical": dict.fromkeys(settings.empirical, settings.budgets)})
    monkeypatch.setattr(learned, "find_weights", lambda what: None)
    learned.check(settings)
    outcome = learned.run(settings, context_of(MadeUp, tmp_path, level))
    rows = by(outcome.rows, "feature_frechet", "variant", "method", "at")
    models = {*settings.objectives, *(f"empirical_{path}" for path in settings.empirical)}
    assert {key[0] for key in rows} == {"train split", *models}
    assert len(rows) == 1 + len(models) * 5
    for key, row in rows.items():
        assert row["dataset"] == data and (math.isfinite(row["value"]) or (row["status"] == "refused" and row["message"])), key
    ladders = {name for name in models if name.startswith(("ncsn", "ladder"))}
    for name in models:
        assert (rows[name, "rk45", 1].get("status") == "refused") == (name in ladders)
        assert (f"{name}_ddim_20" in outcome.arrays) == (rows[name, "ddim", 20].get("status") != "refused")
    picture = outcome.arrays["fm_ot_ddim_20"]
    assert picture.dtype == np.float16 and picture.shape == (2, *catalogue.load(data, "test", 0).images.shape[1:])


@pytest.mark.parametrize("level", LEVELS)
def test_every_objective_that_is_measured_is_trained(level):
    for name, entry in entries(PACKAGE).items():
        for data in entry.sets(level):
            settings = resolve(PACKAGE, name, level, [f"data={data}"])
            assert set(settings.objectives) <= set(entry.objectives(data)), (name, data)


BOARDS = [("smoke", "eight_gaussians"), ("laptop", "checkerboard"), ("gpu", "eight_gaussians"), ("paper", "checkerboard")]


@pytest.mark.parametrize(("level", "data"), BOARDS)
def test_a_run_in_the_plane(level, data, tmp_path):
    more = {"samplers": ["ddim", "ancestral", "rk45"], "nfe": [5], "tolerances": {"rk45": [1.0]}}
    settings = shrunk("learned_2d", level, f"data={data}", "samples=30", "frequencies=16", "points=10", "shown=[5]", **more)
    outcome = learned_2d.run(settings, context_of(MadeUp, tmp_path, level, "learned_2d"))
    cells = {(name, method) for name in settings.objectives for method in more["samplers"]}
    rows, off = (by(outcome.rows, metric, "variant", "method") for metric in ("mmd", "off_board"))
    assert set(rows) == {(None, "data"), *cells}
    assert rows[None, "data"]["value"] < 2 * rows[None, "data"]["floor"]
    assert set(off) == (set(rows) if data == "checkerboard" else set())
    assert off.get((None, "data"), {"value": 0})["value"] == 0
    kept = {"data", *(f"{name}_{method}_{1 if method == 'rk45' else 5}" for name, method in cells)}
    assert set(outcome.arrays) == kept and outcome.arrays["fm_ot_ddim_5"].shape == (10, 2)
