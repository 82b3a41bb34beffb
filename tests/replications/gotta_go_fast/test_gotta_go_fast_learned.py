"""Samplers of trained models, on models whose answers are known: what they are given, what is measured, what ends in a row."""

import math

import pytest
import torch
from gotta_go_fast_stand_ins import MadeUp, small_data

from common.dynamics.answers import Answering
from common.dynamics.oracles import gaussian
from common.dynamics.paths import ve, vp
from common.dynamics.samplers.result import Samples
from common.errors import SolverError
from common.evaluation.yardstick import Yardstick
from common.learning.data.split import ImageSplit
from common.learning.models import load_denoiser
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.gotta_go_fast import model_runs
from replications.gotta_go_fast.experiments import learned
from replications.gotta_go_fast.leftover_noise import Quietest, quietest
from replications.gotta_go_fast.model_runs import Case, Measures, Process, Trained

F64, SHAPE, STD, PACKAGE = torch.float64, (1, 4, 4), 0.3, "replications.gotta_go_fast"
MEAN = torch.linspace(-0.5, 0.5, 16, dtype=F64)
PATHS = {"score_vp": vp(), "score_ve": ve(0.01, 15.0)}


def image_model(path):
    """What is exact for images of independent Gaussian pixels."""
    oracle = gaussian(path, MEAN, STD)
    return Answering(path, "score", lambda x, t: oracle.score(x.flatten(1), t).reshape(x.shape))


def images(n, seed=0):
    return (MEAN.reshape(SHAPE) + STD * torch.randn(n, *SHAPE, generator=torch.Generator().manual_seed(seed))).float()


@pytest.fixture
def context(tmp_path):
    return Context("gotta_go_fast", "learned", "smoke", 0, 99, tmp_path, tmp_path, torch.device("cpu"))


@pytest.fixture(scope="module")
def settings():
    return resolve(PACKAGE, "learned", "smoke", ["samples=12", "ablation_samples=6"])


@pytest.fixture(scope="module")
def measures():
    def features(x):
        return x.flatten(1)[:, :3].double().numpy()

    test = ImageSplit(((images(30).clamp(-0.99, 0.99) + 1) * 8.5).long(), None, 17)
    yardstick = Yardstick(test, features, features(images(30)), features(images(30, 1)))
    return Measures(yardstick, 0.25, quietest(images(200, 2)), 0.3)


def case_of(path, context, measures, samples=12, batch=12, pixel_range=(-1.0, 1.0), **process):
    noise = torch.randn(samples, *SHAPE, generator=context.generator("starts"), dtype=torch.float32)
    return Case(Trained(image_model(path), pixel_range), Process(snr=0.1, **process), noise, batch, measures, context)


def by(rows, metric, *labels):
    found = [row for row in rows if row["metric"] == metric]
    keys = [row.get(labels[0]) if len(labels) == 1 else tuple(row.get(label) for label in labels) for row in found]
    assert len(set(keys)) == len(keys), f"{metric} twice"
    return dict(zip(keys, found))


def test_noise_is_found_where_data_have_none():
    """Four pixels vary by 1, twelve by a tenth: of the quarter that vary least noise of std s shows as sqrt(0.01 + s^2)."""
    scale = torch.tensor([1.0] * 4 + [0.1] * 12, dtype=F64).reshape(SHAPE)
    data, others, white = torch.randn(3, 4000, *SHAPE, generator=torch.Generator().manual_seed(0), dtype=F64)
    quiet = quietest(scale * data + 3)
    assert quiet.directions.shape == (16, 4)
    torch.testing.assert_close(quiet.directions.T @ quiet.directions, torch.eye(4, dtype=F64))
    assert quiet.noise(scale * others + 3) == pytest.approx(0.1, rel=0.03)
    assert quiet.noise(scale * others + 3 + 0.2 * white) == pytest.approx(0.05**0.5, rel=0.03)
    assert quietest(scale * data, 0.001).directions.shape == (16, 1)
    # by hand: one direction, two images
    hand = Quietest(torch.tensor([1.0, 0.0], dtype=F64), torch.tensor([[0.6], [0.8]], dtype=F64))
    assert hand.noise(torch.tensor([[2.0, 0.0], [1.0, 1.0]])) == pytest.approx(((0.6**2 + 0.8**2) / 2) ** 0.5)


def test_rows_of_images(measures):
    shown = images(20, 3) * 3
    distance, noise = measures.rows(shown, method="m", nfe=7)
    clipped = measures.yardstick.row("feature_frechet", shown.clamp(-1, 1))
    assert distance["value"] == clipped["value"] != measures.yardstick.row("feature_frechet", shown)["value"]
    assert noise["value"] == measures.quiet.noise(shown), "as they are: at the ends of the range there would be half of it"
    assert (distance["floor"], noise["floor"]) == (0.25, 0.3) and (distance["n"], noise["n"]) == (20, 20)
    assert {(row["method"], row["nfe"]) for row in (distance, noise)} == {("m", 7)}


@pytest.mark.parametrize("pixel_range", [(-1.0, 1.0), (0.0, 1.0)])
@pytest.mark.parametrize(("name", "eps"), [("score_vp", 1e-3), ("score_ve", 1e-5)])
def test_what_the_solver_is_given(name, eps, pixel_range, context, measures, monkeypatch):
    """Batches of 12 and 8 whose slowest samples take 20 and 6 evaluations, and then the denoising one."""
    given, path = [], PATHS[name]

    def recorded(*arguments, **options):
        given.append((*arguments, options))

        def sample(model, x, times, *, generator):
            given.append((len(x), times.tolist(), float(x.std()), torch.randn(1, generator=generator)))
            nfe = torch.tensor([20 if len(x) == 12 else 6] + [4] * (len(x) - 1))
            return Samples(x, nfe, nfe // 4)

        return sample

    monkeypatch.setattr(model_runs, "adaptive_sde", recorded)
    case = case_of(path, context, measures, 20, pixel_range=pixel_range, first_step=0.2)
    found = case.solved(0.05, norm="max")
    (*settings, options), first, second = given
    assert settings == [0.05, (pixel_range[1] - pixel_range[0]) / 256] and options == {"first_step": 0.2, "norm": "max"}
    assert (first[:2], second[:2]) == ((12, [1.0, eps]), (8, [1.0, eps])) and first[3] != second[3]
    assert first[2] == pytest.approx(path.prior_std, rel=0.2)
    assert found.nfe == 13 and found.samples.nfe.tolist() == [21, *[5] * 11, 7, *[5] * 7]
    starts = path.prior_std * case.noise
    clean = case.trained.model.denoised(starts, eps).float()
    expected = clean if pixel_range == (-1.0, 1.0) else 2 * clean - 1
    torch.testing.assert_close(found.images, expected)
    rows = {row["metric"]: row for row in case.adaptive_rows(found, method="ggf")}
    assert {row["nfe"] for row in rows.values()} == {13} and rows["nfe_max"]["value"] == 13
    assert rows["nfe_mean"]["value"] == pytest.approx((20 + 6 + 18 * 4) / 20)
    assert rows["rejected_share"]["value"] == pytest.approx(2 * (5 + 1 + 18) / 98)


def test_equal_evaluations(context, measures, settings):
    for path in PATHS.values():
        case = case_of(path, context, measures)
        rows, pictures = learned.tolerance_rows(case, settings, {"variant": "v"})
        cells, nfe = by(rows, "feature_frechet", "method", "at"), by(rows, "nfe_max", "at")
        methods = ("ggf", "euler_maruyama", "ddim") if path.name == "vp" else ("ggf", "euler_maruyama")
        assert set(cells) == {(method, at) for method in methods for at in (0.1, 0.5)}
        assert all(cells[method, at]["nfe"] == nfe[at]["value"] for method, at in cells) and nfe[0.1]["value"] > nfe[0.5]["value"]
        assert len(pictures) == len(cells) and all(picture.shape == (12, *SHAPE) for picture in pictures.values())
        assert {row["variant"] for row in rows} == {"v"} and {row["axis"] for row in rows} == {"tolerance"}


def test_all_their_evaluations(context, measures, settings, monkeypatch):
    monkeypatch.setattr(learned, "shown", lambda images: images)
    case = case_of(vp(), context, measures, 400, 400)
    rows, pictures = learned.full_rows(case, settings.model_copy(update={"full": 200, "corrected": 300}), {"variant": "v"})
    nfe = {method: row["nfe"] for method, row in by(rows, "feature_frechet", "method").items()}
    assert (nfe.pop("euler_maruyama_full"), nfe.pop("reverse_diffusion_langevin")) == (200, 300) and 10 < nfe["rk45"] < 200
    for found in pictures.values():
        assert float((found.mean(0).flatten() - MEAN).abs().max()) < 0.08
        assert float(found.var(0).mean()) == pytest.approx(STD**2, rel=0.15)


def test_variants_of_the_first_samples(context, measures, settings):
    case = case_of(vp(), context, measures)
    rows = learned.ablation_rows(case, settings, {})
    cells = by(rows, "feature_frechet", "method")
    assert (
        list(cells) == settings.ablations and {row["n"] for row in rows} == {6} and {row["axis"] for row in rows} == {"ablation"}
    )
    assert {row["floor"] for row in cells.values()} == {measures.yardstick.floor(6)} != {measures.floor}
    assert by(rows, "nfe_max", "method")["lamba"]["value"] < by(rows, "nfe_max", "method")["default"]["value"]


def test_models_and_their_states(tmp_path, monkeypatch):
    small_data(monkeypatch)
    context = MadeUp("gotta_go_fast", "learned", "smoke", 0, 2, tmp_path, tmp_path / "run", torch.device("cpu"))
    shared = model_runs.trained("digits", "score_ve", "shared", context)
    assert shared.pixel_range == (-1.0, 1.0) and shared.model.path.name == "ve"
    published = model_runs.trained("cifar10", "ncsnpp_ve", "ncsnpp", context)
    assert published.pixel_range == (0.0, 1.0) and published.model.path.prior_std == 50
    folder, x = context.model("digits", "score_ve"), torch.randn(2, 1, 8, 8)
    whole, half = load_denoiser(folder), load_denoiser(folder, file="snapshots/2.safetensors")
    for share, expected in ((1.0, whole), (0.9, whole), (0.5, half)):
        state = model_runs.trained("digits", "score_ve", "shared", context, share)
        torch.testing.assert_close(state.model(x, 0.5), expected(x, 0.5))
    assert not torch.allclose(whole(x, 0.5), half(x, 0.5))


@pytest.mark.parametrize(("level", "data"), [("smoke", "digits"), ("gpu", "fashion_mnist"), ("gpu", "cifar10")])
def test_a_run_of_every_level(level, data, tmp_path, monkeypatch):
    small_data(monkeypatch)
    small = ["samples=4", "batch=3", "ablation_samples=2", "tolerances=[5]", "full=4", "corrected=42", "flow_tolerance=1"]
    more = ["ablation_tolerance=5", "state_tolerance=5", "ablations=[default]", "shelf={srk: [5]}"]
    settings = resolve(PACKAGE, "learned", level, [f"data={data}", *small, *more])
    learned.check(settings)
    context = MadeUp("gotta_go_fast", "learned", level, 0, 2, tmp_path, tmp_path / "run", torch.device("cpu"))
    outcome = learned.run(settings, context)
    assert all(math.isfinite(row["value"]) for row in outcome.rows) and {row["dataset"] for row in outcome.rows} == {data}
    assert {row.get("variant") for row in outcome.rows if row["method"] == "ggf"} == set(settings.models)
    assert all(row["floor"] > 0 for row in outcome.rows if row["metric"] in ("feature_frechet", "leftover_noise"))
    states = by([row for row in outcome.rows if row.get("axis") == "share of training"], "nfe_max", "variant", "at")
    assert set(states) == {(name, at) for name in settings.models for at in ((*settings.states, 1.0) if settings.states else ())}
    assert (settings.network, settings.space) == ("shared", "classifier")
    shelf = by([row for row in outcome.rows if row["method"] == "torchsde_srk"], "feature_frechet", "variant")
    assert set(shelf) == set(settings.models) and all(row["nfe"] > 5 for row in shelf.values())
    for name in settings.models:
        assert outcome.arrays[f"{name}_ggf_5"].shape[0] == 4 and outcome.arrays[f"{name}_rk45"].dtype == "float16"
        assert f"{name}_ddim_5" in outcome.arrays or name.endswith("ve")


def test_a_solver_that_is_given_up_is_refused_by_both_measures(context, measures, settings, monkeypatch):
    def given_up(*_, **__):
        def sample(*_, **__):
            raise SolverError("too many")

        return sample

    monkeypatch.setattr(learned, "torchsde_adaptive", given_up)
    rows = learned.shelf_rows(case_of(vp(), context, measures), settings, {"variant": "v"})
    assert {row["metric"] for row in rows} == {"feature_frechet", "leftover_noise"} and len(rows) == 2
    for row in rows:
        assert (row["status"], row["message"], row["at"]) == ("refused", "too many", 0.5) and math.isnan(row["value"])
        assert (row["method"], row["variant"], row["axis"]) == ("torchsde_srk", "v", "tolerance")
