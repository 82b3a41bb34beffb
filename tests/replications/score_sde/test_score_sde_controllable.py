"""Classes, holes and colours: what is measured of completions whose answers are known, and a small run."""

import numpy as np
import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.oracles import gaussian
from common.dynamics.paths import ve
from common.learning.data import catalogue
from common.learning.data.scale import to_unit
from common.measure.features import FeatureNet
from common.measure.metrics.wasserstein import sliced_wasserstein
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.score_sde.conditional import Known, colour_basis, grey_known
from replications.score_sde.control import class_samples as of_classes
from replications.score_sde.control import completion_cases
from replications.score_sde.control.class_samples import accuracy_rows, class_samples
from replications.score_sde.control.completions import completed, completion_rows, hidden, rival_rows
from replications.score_sde.experiments import colourisation, controllable
from replications.score_sde.predictor_corrector import scales

F64, PATH, STD = torch.float64, ve(0.01, 5.0), 0.3


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def values(rows, **where):
    return {row["metric"]: row["value"] for row in rows if all(row.get(key) == value for key, value in where.items())}


def half(*shape):
    mask = torch.zeros(shape, dtype=torch.bool)
    mask[..., : shape[-1] // 2] = True
    return mask


# completions


def test_what_is_hidden_is_told_in_the_basis():
    x = draw(4, 3, 2, 2)
    plain = Known(x, half(3, 2, 2))
    torch.testing.assert_close(hidden(x, plain), x[..., 1].flatten(1))
    colours = grey_known(x.mean(1, keepdim=True))
    basis = colour_basis(x)
    expected = torch.stack([(x * basis[:, k, None, None]).sum(1) for k in (1, 2)], 1).flatten(1)
    torch.testing.assert_close(hidden(x, colours), expected)


@pytest.mark.parametrize("in_colour", [False, True])
def test_draws_from_the_posterior_spread_as_they_err(in_colour):
    """Truth m + s e and draws m + s e': squared error 2 s^2, spread s^2, error of the mean of n draws s^2 (1 + 1/n)."""
    n, draws, s = 2000, 4, 0.7
    mean = draw(n, 3, 2, 2)
    truth, found = mean + s * draw(n, 3, 2, 2, seed=1), mean[:, None] + s * draw(n, draws, 3, 2, 2, seed=2)
    known = grey_known(truth.mean(1, keepdim=True)) if in_colour else Known(truth, half(3, 2, 2))
    kept = known.put(known.values.repeat_interleave(draws, 0), found.flatten(0, 1)).reshape(found.shape)
    rows = values(completion_rows(kept, truth, known, {}))
    assert rows["known_error"] < 1e-12
    assert rows["hidden_error"] == pytest.approx(2 * s**2, rel=0.03)
    assert rows["hidden_spread"] == pytest.approx(s**2, rel=0.03)
    assert rows["error_of_mean"] == pytest.approx(s**2 * (1 + 1 / draws), rel=0.03)
    assert rows["spread_over_posterior"] == pytest.approx(1, rel=0.03)
    off = values(completion_rows(kept + 0.5, truth, known, {}))
    assert off["known_error"] == pytest.approx(0.5 * 3**0.5 if in_colour else 0.5)  # grey is sqrt(3) means in the basis


def test_rivals_ignore_what_is_known():
    truth, others = draw(30, 1, 4, 4), 2 * draw(50, 1, 4, 4, seed=1) + 1
    known = Known(truth, half(1, 4, 4))
    rows = values(rival_rows(others, truth, known, {}))
    a, b = truth[..., 2:].flatten(1), others[..., 2:].flatten(1)
    assert rows["hidden_error"] == pytest.approx(float((a[:, None] - b).square().mean()))
    assert rows["error_of_mean"] == pytest.approx(float((a - b.mean(0)).square().mean()))
    assert rows["hidden_spread"] == pytest.approx(float(b.var(0).mean()))


def image_model(mean):
    oracle = gaussian(PATH, mean.flatten(), STD)
    return Answering(PATH, "score", lambda x, t: oracle.score(x.flatten(1), t).reshape(x.shape))


def test_completions_stand_beside_their_own_image():
    """Independent pixels: what is hidden has the prior's mean and spread, what is known is each image's own, in any batch."""
    mean, truth, draws = draw(1, 4, 4, seed=3), draw(30, 1, 4, 4), 20
    known, starts = Known(truth, half(1, 4, 4)), PATH.prior_std * draw(30, draws, 1, 4, 4, seed=1)
    times = scales(PATH, 100, t_min=1e-3)
    how = {"correctors": 1, "snr": 0.16, "batch": 130}
    found = completed(image_model(mean), known, starts, times, **how, generator=generator())
    assert (found[..., :2] == truth[:, None, ..., :2]).all()
    free = found[..., 2:].flatten(0, 1)
    torch.testing.assert_close(free.mean(0), mean[..., 2:], rtol=0, atol=0.06)
    assert free.std(0).mean().item() == pytest.approx(STD, rel=0.1)


def test_corrector_steps_are_counted(monkeypatch):
    calls = []
    model = image_model(draw(1, 4, 4))
    counting = Answering(PATH, "score", lambda x, t: calls.append(len(x)) or model.score(x, t))
    known, starts = Known(draw(2, 1, 4, 4), half(1, 4, 4)), draw(2, 3, 1, 4, 4)
    times = scales(PATH, 7, t_min=1e-3)
    for count in (0, 2):
        calls.clear()
        completed(counting, known, starts, times, correctors=count, snr=0.1, batch=4, generator=generator())
        assert calls == [4] * 7 * (1 + count) + [2] * 7 * (1 + count)


# classes


def test_samples_of_a_class_in_batches():
    """Two Gaussian classes: each sample lies with the class that was asked for, and weight 0 asks for none."""
    means, n = torch.tensor([[1.0, 1.0], [-1.0, -1.0]], dtype=F64), 300
    parts = [gaussian(PATH, mean, STD) for mean in means]

    def classifier(x, t):
        return torch.stack([part.log_density(x, t) for part in parts], 1)

    def score(x, t):
        shares = classifier(x, t).softmax(1)
        return sum(shares[:, k, None] * part.score(x, t) for k, part in enumerate(parts))

    model, classes = Answering(PATH, "score", score), torch.arange(n) % 2
    starts, times = PATH.prior_std * draw(n, 2, seed=1), scales(PATH, 40, t_min=1e-3)
    how = {"snr": 0.16, "batch": 130}
    asked = class_samples(model, classifier, classes, starts, times, weight=1.0, generator=generator(), **how)
    free = class_samples(model, classifier, classes, starts, times, weight=0.0, generator=generator(), **how)
    assert ((asked[:, 0] < 0).long() == classes).double().mean() > 0.99
    assert ((free[:, 0] < 0).long() == classes).double().mean().item() == pytest.approx(0.5, abs=0.1)
    torch.testing.assert_close(asked[classes == 0].mean(0), means[0], rtol=0, atol=0.1)


# the experiment


@pytest.fixture
def context(tmp_path):
    return Context("score_sde", "controllable", "smoke", 0, 99, tmp_path, tmp_path, torch.device("cpu"))


@pytest.fixture
def settings():
    return resolve("replications.score_sde", "controllable", "smoke", ["inpainting.images=6"])


def test_colour_points_begin_with_grey():
    images = draw(5, 3, 2, 2)
    points = completion_cases.colour_points(images).reshape(5, 2, 2, 3)
    np.testing.assert_allclose(points[..., 0], 3**0.5 * images.mean(1), atol=1e-12)
    np.testing.assert_allclose((points**2).sum(-1), images.square().sum(1), atol=1e-12)


def test_colour_distance_is_of_pixels(context, monkeypatch):
    monkeypatch.setattr(completion_cases, "PIXELS", 100)
    a, b = draw(250, 3, 1, 1), draw(10, 3, 1, 1, seed=1)
    more = {"projections": completion_cases.DIRECTIONS, "seed": context.seed_for("directions") % 2**31}
    pixels = [(each[..., 0, 0] @ colour_basis(each)).numpy() for each in (a[::3], b)]
    assert completion_cases.colour_distance(a, b, context) == pytest.approx(sliced_wasserstein(*pixels, **more))


def test_accuracy_runs_from_the_least_noise_to_the_largest(context):
    class Classifier:
        path = ve(0.01, 15.0)

        def __call__(self, x, t):
            return torch.eye(10)[x.flatten(1).mean(1).mul(0).long()]  # always the first class

    labels = torch.arange(30) % 10
    rows = accuracy_rows(Classifier(), torch.zeros(30, 1, 8, 8), labels, 3, {}, context)
    assert [row["at"] for row in rows] == pytest.approx([0.01, 0.01 * 1500**0.5, 15.0], rel=1e-3)
    assert [row["value"] for row in rows] == [0.1] * 3 and {row["floor"] for row in rows} == {0.1}


def test_a_run_measures_classes_holes_and_colours(settings, context, monkeypatch):
    """Models that know one image: every sample is that image, but for what is known."""
    mean = {name: to_unit(catalogue.load(name, "train").images[:1], 17).double()[0] for name in ("digits", "patches_colour8")}
    mean["patches_colour8"] = mean["patches_colour8"] / 30

    def one_image(data, count, context):
        point = mean[data].float()
        model = Answering(PATH, "score", lambda x, t: (point - x) / PATH.sigma(torch.tensor(t, dtype=torch.float32)) ** 2)
        return model, scales(PATH, 5, t_min=1e-5)

    label = int(catalogue.load("digits", "train").labels[0])

    class Judge(FeatureNet):
        def forward(self, images):
            return torch.eye(10)[torch.full((len(images),), label)]

    class Measure:
        def row(self, metric, images, **labels):
            return {"metric": metric, "value": 0.0, **labels}

    monkeypatch.setattr(controllable, "ve_model", one_image)
    monkeypatch.setattr(colourisation, "ve_model", one_image)
    monkeypatch.setattr(of_classes, "read_feature_net", lambda folder: Judge(1, 10, generator=generator()))
    monkeypatch.setattr(of_classes, "yardstick", lambda *_: Measure())
    monkeypatch.setattr(Context, "features", lambda self, data: None)
    of_colours = colourisation.run(resolve("replications.score_sde", "colourisation", "smoke", ["colours.images=6"]), context)
    outcome = controllable.run(settings, context)
    rows, image = [*outcome.rows, *of_colours.rows], mean["digits"]
    test = catalogue.load("digits", "test")
    share = float((test.labels == label).double().mean())
    assert values(rows, metric="agreement", method="data")["agreement"] == pytest.approx(share)
    assert values(rows, metric="agreement", at=0)["agreement"] == pytest.approx(0.1)
    assert {row["at"] for row in rows if row["metric"] == "agreement" and row["method"] != "data"} == {0, 1}
    truth, _ = completion_cases.pixels("digits", 6, context)
    away = float((truth - image)[..., 4:].square().mean())
    for count in (0, 1):
        found = values(rows, method="inpainting", axis="correctors", at=count, variant="half")
        assert found["known_error"] == 0 and found["hidden_error"] == pytest.approx(away, rel=0.05)
        assert values(rows, method="colourisation", at=count)["known_error"] < 1e-6
    assert values(rows, method="unconditional", variant="half")["hidden_error"] == pytest.approx(away, rel=0.05)
    assert {row["method"] for row in rows if row["metric"] == "colour_distance"} == {
        "colourisation",
        "unconditional",
        "data",
        "grey",
    }
    arrays = outcome.arrays | of_colours.arrays
    shapes = {key: each.shape for key, each in arrays.items()}
    assert shapes["class_samples_1"] == (20, 1, 8, 8) and shapes["inpainting_half_1"] == (6, 2, 1, 8, 8)
    assert shapes["colours_truth"] == (6, 3, 8, 8) and shapes["colours_0"] == (6, 2, 3, 8, 8)
    assert arrays["inpainting_mask_half"].dtype == bool
    assert all(each.dtype == np.float16 for key, each in arrays.items() if "mask" not in key)
