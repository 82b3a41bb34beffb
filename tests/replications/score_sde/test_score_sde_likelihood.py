"""Likelihoods, samples and their rows, on models whose answers are known."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.oracles import gaussian
from common.dynamics.paths import sub_vp, ve, vp
from common.evaluation.yardstick import Yardstick
from common.learning.data.split import ImageSplit
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.score_sde.experiments import likelihood
from replications.score_sde.images import model_samples
from replications.score_sde.images.image_likelihood import Dequantised, bits_row, dequantised, difference_rows, flow_bits

F64, SHAPE, STD = torch.float64, (1, 4, 4), 0.3
MEAN = torch.linspace(-0.5, 0.5, 16, dtype=F64)
PATHS = {"score_vp": vp(), "score_sub_vp": sub_vp(), "score_ve": ve(0.01, 15.0), "ddpm_vp": vp()}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def image_model(path):
    """What is exact for images of independent Gaussian pixels."""
    oracle = gaussian(path, MEAN, STD)
    return Answering(path, "score", lambda x, t: oracle.score(x.flatten(1), t).reshape(x.shape))


@pytest.fixture
def context(tmp_path):
    return Context("score_sde", "likelihood", "smoke", 0, 99, tmp_path, tmp_path, torch.device("cpu"))


@pytest.fixture
def settings():
    more = ["nodes=40", "tolerance=1.0e-6", "batch=3", "scales=50"]
    return resolve("replications.score_sde", "likelihood", "smoke", more)


def images(n=5):
    return Dequantised(MEAN.reshape(SHAPE) + STD * torch.randn(n, *SHAPE, generator=generator(), dtype=F64), 17)


@pytest.mark.parametrize("path", [vp(), sub_vp(), ve(0.01, 15.0)], ids=lambda path: path.name)
@pytest.mark.parametrize("eps", [1e-5, 1e-2])
def test_bits_of_images_in_closed_form(path, eps, settings, context):
    """As points at eps: the flow is linear, and what it ends in counts as the prior's; log2(17 / 2) is for the grey values."""
    given, at = images(), torch.tensor([eps, 1.0], dtype=F64)
    bits, nfe = flow_bits(image_model(path), given, eps, settings, context)
    alpha, std = path.alpha(at), (path.alpha(at) ** 2 * STD**2 + path.sigma(at) ** 2).sqrt()
    latents = alpha[1] * MEAN + std[1] / std[0] * (given.x.flatten(1) - alpha[0] * MEAN)
    density = path.prior_log_density(latents) + 16 * (std[1] / std[0]).log()
    expected = -density / (16 * math.log(2)) + math.log2(17 / 2)
    assert bits == pytest.approx(expected.numpy(), abs=1e-3) and bits.std() > 0.05 and nfe > 10


def test_an_estimated_divergence_is_exact_where_pixels_are_independent(settings, context):
    """Then the probes' signs cancel, so both routes must agree."""
    model, estimated = image_model(vp()), settings.model_copy(update={"divergence": "hutchinson"})
    one, other = (flow_bits(model, images(), 1e-3, each, context)[0] for each in (settings, estimated))
    assert one == pytest.approx(other, abs=1e-3)


def test_dequantised_images_stay_in_their_cells_and_are_the_same_for_every_model(context):
    split = ImageSplit(torch.arange(17, dtype=torch.uint8).reshape(1, 1, 1, 17), None, 17)
    one, other = dequantised(split, context), dequantised(split, context)
    assert torch.equal(one.x, other.x) and torch.equal(((one.x + 1) * 8.5).floor().long(), split.images.long())
    assert one.x.dtype == F64 and one.x.flatten().diff().std() > 0.01


def test_rows_of_differences_are_of_the_same_images():
    a, b = np.array([1.0, 2.0, 7.0]), np.array([0.5, 1.0, 3.5])
    mean, median = difference_rows({"a": a, "b": b}, "digits")
    assert [mean["metric"], median["metric"]] == ["nll_difference", "nll_difference_median"]
    assert all((row["method"], row["variant"], row["n"]) == ("a", "less b", 3) for row in (mean, median))
    assert mean["value"] == pytest.approx(5 / 3) and mean["error"] == pytest.approx(np.std([0.5, 1, 3.5], ddof=1) / math.sqrt(3))
    assert median["value"] == 1.0 and bits_row("nll", a)["value"] == pytest.approx(10 / 3)


def test_a_later_start_is_compared_on_the_first_images(settings, context, monkeypatch):
    asked = []

    def bits(model, given, eps, settings, context):
        asked.append((eps, len(given.x)))
        return np.arange(len(given.x)) + 100 * eps, 5.0

    monkeypatch.setattr(likelihood, "flow_bits", bits)
    changed = settings.model_copy(update={"eps": [0.5, 0.25, 0.125], "eps_images": 3})
    found, rows = likelihood.likelihood_rows(None, images(), changed, context, {"method": "m"})
    assert asked == [(0.125, 5), (0.5, 3), (0.25, 3)] and len(found) == 5
    values = [(row["metric"], row["at"], row["value"], row["n"]) for row in rows]
    assert values == [
        ("nll", 0.125, 14.5, 5),
        ("nll_median", 0.125, 14.5, 5),
        ("nll_at_eps", 0.125, 13.5, 3),
        ("nll_at_eps", 0.5, 51.0, 3),
        ("nll_over_least_eps", 0.5, 37.5, 3),
        ("nll_at_eps", 0.25, 26.0, 3),
        ("nll_over_least_eps", 0.25, 12.5, 3),
    ]


def test_the_bound_of_gaussian_pixels_is_a_little_above_their_density(settings, context):
    given, calls = images(60), []
    exact = image_model(vp())
    model = Answering(exact.path, "score", lambda x, t: calls.append(t) or exact.score(x, t))
    density = torch.distributions.Normal(MEAN, STD).log_prob(given.x.flatten(1)).sum(1)
    bits = given.bits(density)
    found, rows = likelihood.bound_rows(model, given, bits, settings.model_copy(update={"levels": 50, "batch": 60}), context, {})
    forward, posterior, over = rows
    assert [forward["variant"], posterior["variant"]] == ["forward variance", "posterior variance"]
    assert [row["metric"] for row in rows] == ["variational_bound", "variational_bound", "bound_over_nll"]
    assert min(forward["value"], posterior["value"]) == pytest.approx(bits.mean() + over["value"]) and len(found) == 60
    assert 0 < over["value"] < 0.3 and over["nfe"] == len(calls) == 50


@pytest.mark.parametrize("path", [PATHS[name] for name in ("score_vp", "score_sub_vp", "score_ve")], ids=lambda path: path.name)
def test_every_sampler_gives_the_data_from_the_same_starts(path, settings, context):
    """The VE path's steps are wide at this number of scales, and a corrector's noise is more than its own time's."""
    noise, model = torch.randn(400, *SHAPE, generator=generator(), dtype=F64), image_model(path)
    found = {
        how: model_samples.samples(model, noise, sampler, times, 200, context)
        for how, (sampler, times) in model_samples.methods(path, settings).items()
    }
    assert {how: drawn.nfe for how, drawn in found.items() if how != "ODE"} == (
        {"SDE": 50, "PC": 100} if path.name == "ve" else {"SDE": 50}
    )
    for drawn in found.values():
        assert not torch.equal(drawn.x[0], drawn.x[200])
        assert float((drawn.x.mean(0).flatten() - MEAN).abs().max()) < 0.12
        assert float(drawn.x.var(0).mean()) == pytest.approx(STD**2, rel=0.25 if path.name == "ve" else 0.1)


def test_least_times_and_predictors_of_sampling(settings, monkeypatch):
    """Sampling ends at 1e-5 on the VE path and at 1e-3 on the others."""
    for path in (vp(), sub_vp(), ve()):
        times = {how: times for how, (_, times) in model_samples.methods(path, settings).items()}
        least = 1e-5 if path.name == "ve" else 1e-3
        assert all(float(each[0]) == 1 and float(each[-1]) == pytest.approx(least) for each in times.values())
        assert len(times["ODE"]) == 2 and len(times["SDE"]) == 51 and times["SDE"][-1] == times["SDE"][-2]


def test_models_share_noise_on_the_way_and_batches_do_not(context):
    seen = []

    def sampler(model, x, times, *, generator):
        seen.append((x, torch.randn(3, generator=generator)))
        return SimpleNamespace(x=x, nfe=torch.full((len(x),), len(seen)))

    noise = torch.ones(4, 2, dtype=F64)
    one = model_samples.samples(SimpleNamespace(path=ve(0.01, 15.0)), noise, sampler, torch.ones(2), 2, context)
    model_samples.samples(SimpleNamespace(path=vp()), noise, sampler, torch.ones(2), 2, context)
    assert one.nfe == 1.5 and float(seen[0][0][0, 0]) == 15 and float(seen[2][0][0, 0]) == 1
    assert torch.equal(seen[0][1], seen[2][1]) and not torch.equal(seen[0][1], seen[1][1])


def test_a_run_of_all_models(settings, context, monkeypatch):
    """From models to rows: all are given the same images and starts, and every claim finds its rows."""
    pixels = (MEAN.reshape(SHAPE) + STD * torch.randn(20, *SHAPE, generator=generator())).clamp(-0.99, 0.99)
    test = ImageSplit(((pixels + 1) * 8.5).long(), None, 17)

    def features(images):
        return images.flatten(1)[:, :3].double().numpy()

    measure = Yardstick(test, features, features(pixels), features(pixels.flip(0)))
    monkeypatch.setattr(likelihood, "yardstick", lambda *_, **__: measure)
    monkeypatch.setattr(Context, "model", lambda self, data, name: name)
    monkeypatch.setattr(likelihood, "load_denoiser", lambda name, device: image_model(PATHS[name]))
    cheap = {"samples": 12, "scales": 4, "nodes": 6, "tolerance": 1e-2, "test_images": 5, "batch": 20, "levels": 5}
    names = ["score_vp", "score_ve", "ddpm_vp"]
    small = settings.model_copy(update={**cheap, "objectives": names, "eps_images": 2})
    outcome = likelihood.run(small, context)

    def rows(metric):
        return {(row["method"], row.get("variant"), row.get("at")): row for row in outcome.rows if row["metric"] == metric}

    assert {name for name, how, _ in rows("feature_frechet") if how == "ODE"} == set(names)
    assert ("score_ve", "PC", None) in rows("feature_frechet") and len(rows("nll_difference")) == 3
    assert rows("nll")["uniform", "uniform density", None]["value"] == pytest.approx(math.log2(17))
    # the same data and starts: two models of one path say the same
    assert rows("nll")["score_vp", "ODE", 1e-5]["value"] == rows("nll")["ddpm_vp", "ODE", 1e-5]["value"]
    assert rows("nll_difference")["score_vp", "less ddpm_vp", None]["value"] == 0
    assert len({row["value"] for (name, *_), row in rows("feature_frechet").items() if name.endswith("vp")}) == 2
    assert rows("bound_over_nll")["ddpm_vp", None, None]["n"] == 5
    assert len(rows("nll_over_least_eps")) == 3 and outcome.arrays["bits_score_ve"].shape == (5,)
    assert outcome.arrays["samples_score_ve_PC"].dtype == np.float16
