"""What is said of the posteriors, on bounds and images made so that the answers are known, and a smoke run."""

import math
from functools import partial

import pytest
import torch

from common.errors import SettingsError
from common.learning.data.split import ImageSplit
from common.learning.training.run import snapshot_file
from common.runs.experiment import Context
from common.runs.folders import COLUMNS, write_weights
from common.runs.settings import resolve
from replications.ffjord.experiments import posteriors
from replications.ffjord.posteriors.vae import Bound, held_out, held_out_bound

PACKAGE = "replications.ffjord"
SPLIT = ImageSplit(torch.tensor([[0, 0], [0, 1], [1, 1], [0, 1]]).reshape(4, 1, 1, 2), None, 2)


@pytest.fixture
def context(tmp_path):
    return Context("ffjord", "posteriors", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu"))


@pytest.fixture
def settings():
    return resolve(PACKAGE, "posteriors", "smoke")


def found(rows, metric, method, column="value"):
    (one,) = (each[column] for each in rows if (each["metric"], each["method"]) == (metric, method))
    return one


def bound(reconstruction, divergence, nfe=0):
    return Bound(torch.tensor(reconstruction), torch.tensor(divergence), nfe)


def test_pixels_that_are_independent_count_values_and_one_more_of_each():
    # ink in 1 of 4 first pixels and 3 of 4 second ones: shares 2/6 and 4/6
    black = ImageSplit(torch.tensor([0, 1]).reshape(1, 1, 1, 2), None, 2)
    expected = torch.tensor([-2 * math.log(4 / 6)], dtype=torch.float64)
    torch.testing.assert_close(posteriors.independent_pixels(SPLIT, black, "binary"), expected)
    # a grey value of 51 in 255 stands for a fifth of an image with ink
    grey = ImageSplit(torch.full((10, 1, 1, 2), 51), None, 256)
    expected = torch.tensor([-math.log(9 / 12) - math.log(3 / 12)], dtype=torch.float64)
    torch.testing.assert_close(posteriors.independent_pixels(grey, black, "binary"), expected)
    seen = ImageSplit(torch.full((1, 1, 1, 2), 51), None, 256)
    expected = torch.full((10,), -2 * math.log(11 / 266), dtype=torch.float64)
    torch.testing.assert_close(posteriors.independent_pixels(grey, seen, "categorical"), expected[:1])


def test_others_are_compared_with_ffjord_image_by_image(settings):
    bounds = {"none": bound([3.0, 9.0], [1.0, 1.0]), "ffjord": bound([2.0, 8.0], [0.5, 1.5], 20.0)}
    rows = posteriors.test_rows(bounds, torch.tensor([10.0, 20.0]), partial(posteriors.unit, settings, SPLIT))
    assert found(rows, "negative_elbo", "none") == 7 and found(rows, "negative_elbo", "ffjord") == 6
    assert found(rows, "negative_elbo", "none", "error") == pytest.approx(3)  # of 4 and 10
    # the differences are 1.5 and 0.5: paired, their error is a sixth of the bound's own
    assert found(rows, "above_ffjord", "none") == 1 and found(rows, "above_ffjord", "none", "error") == pytest.approx(0.5)
    assert found(rows, "above_ffjord", "independent_pixels") == 9
    assert found(rows, "divergence", "ffjord") == 1 and found(rows, "reconstruction", "none") == 6
    assert found(rows, "nfe", "ffjord") == 20 and not [
        each for each in rows if (each["metric"], each["method"]) == ("nfe", "none")
    ]


def test_grey_images_are_reported_in_bits_per_pixel(settings):
    grey = settings.model_copy(update={"pixels": "categorical"})
    value, name = posteriors.unit(grey, SPLIT, torch.tensor(2 * 8 * math.log(2)))
    assert name == "bits/dim" and float(value) == pytest.approx(8), "256 values, all alike, of two pixels"
    assert posteriors.unit(settings, SPLIT, torch.tensor(3.0)) == (3.0, "nats")


def test_the_best_of_the_kept_weights_is_tested(settings, context, monkeypatch):
    model = torch.nn.Linear(1, 1).requires_grad_(False)
    model.flow = torch.nn.Identity()
    values = {4: 7.0, 8: 5.0, 12: 6.0}
    for step in values:
        write_weights(
            context.out / snapshot_file(step, "none"), {"weight": torch.full((1, 1), float(step)), "bias": torch.zeros(1)}
        )
    monkeypatch.setattr(
        posteriors, "bound_on", lambda model, *_: bound([values[int(model.weight)], values[int(model.weight)]], [0.0, 0.0])
    )
    best, rows = posteriors.chosen(model, SPLIT, "none", settings, context)
    assert float(best.weight) == 8 and found(rows, "chosen_step", "none") == 8
    assert found(rows, "gained_in_last_third", "none") == -1, "from 5 at two thirds to 6"
    assert [each["value"] for each in rows if each["metric"] == "validation_negative_elbo"] == [7, 5, 6]


def test_a_bound_held_out_is_the_mean_of_its_draws():
    model = resolve_model()
    images = SPLIT.images.repeat(1, 1, 2, 1)
    both = held_out_bound(model, images, samples=3, batch=3, generator=torch.Generator().manual_seed(0))
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        drawn = [[model(part, draw) for _ in range(3)] for part in images.split(3)]
    expected = torch.cat([sum(each.divergence for each in bounds) / 3 for bounds in drawn])
    torch.testing.assert_close(both.divergence, expected)
    again = held_out(model, images, samples=3, batch=3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(again[0], both.reconstruction + both.divergence)
    assert both.nfe == again[1] == 0


def resolve_model():
    settings = resolve(PACKAGE, "posteriors", "smoke")
    built = posteriors.VAESettings(coders=settings.coders, latent=settings.latent, flow=settings.posteriors["planar"])
    return built.build((1, 2, 2), seed=0)


def test_settings_without_a_reference_or_a_value_at_two_thirds_are_refused(settings):
    others = {name: flow for name, flow in settings.posteriors.items() if name != "ffjord"}
    with pytest.raises(SettingsError, match="ffjord"):
        posteriors.check(settings.model_copy(update={"posteriors": others}))
    for snapshots in (0, 4):
        with pytest.raises(SettingsError, match="snapshots"):
            posteriors.check(settings.model_copy(update={"train": settings.train.model_copy(update={"snapshots": snapshots})}))


@pytest.mark.parametrize("level", ["smoke", "laptop", "gpu", "paper"])
def test_every_level_compares_the_same_posteriors(level):
    names = {"none", "planar", "iaf", "sylvester", "ffjord", "hypernetwork"}
    assert set(resolve(PACKAGE, "posteriors", level).posteriors) == names


@pytest.mark.parametrize("data", ["mnist_static", "omniglot", "frey_faces", "caltech_silhouettes"])
def test_the_papers_fields_are_those_of_its_table_5(data):
    chosen = resolve(PACKAGE, "posteriors", "paper", [f"data={data}"])
    table = {
        "mnist_static": ("softplus", (1024, 1024), 2, 64),
        "omniglot": ("softplus", (512, 512), 5, 20),
        "frey_faces": ("softplus", (512, 512), 2, 20),
        "caltech_silhouettes": ("tanh", (2048,), 1, 20),
    }
    flow = chosen.posteriors["ffjord"]
    assert (flow.activation, flow.hidden, flow.flows, flow.rank) == table[data]
    assert chosen.pixels == ("categorical" if data == "frey_faces" else "binary")


def test_a_smoke_run_measures_every_posterior(settings, context):
    posteriors.check(settings)
    outcome = posteriors.run(settings, context)
    methods = {each["method"] for each in outcome.rows if each["metric"] == "negative_elbo"}
    assert methods == {*settings.posteriors, "independent_pixels"}
    assert all(math.isfinite(each["value"]) and set(each) <= set(COLUMNS) for each in outcome.rows)
    assert found(outcome.rows, "nfe", "ffjord") >= 14
    for name in settings.posteriors:
        assert outcome.arrays[f"reconstructed_{name}"].shape == outcome.arrays[f"sampled_{name}"].shape == (2, 1, 8, 8)
        assert 0 <= outcome.arrays[f"sampled_{name}"].min() <= outcome.arrays[f"sampled_{name}"].max() <= 1


def test_a_grey_mean_image_weighs_all_values():
    model = torch.nn.Module()
    model.pixels, model.decoder = "categorical", lambda z: z[:, :, None, None, None]
    logits = torch.tensor([[0.0, 0.0, math.log(2)]])  # shares 1/4, 1/4, 1/2 of 0, 1/2 and 1
    torch.testing.assert_close(posteriors.mean_images(model, logits).flatten(), torch.tensor([0.625]))
