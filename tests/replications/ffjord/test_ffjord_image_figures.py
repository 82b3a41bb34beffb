"""Figures of flows on images: what is drawn is what was saved, whatever models there are."""

import numpy as np
import pytest
from ffjord_runs import made_up, row

from common.measure.figures import Runs, style
from common.measure.image_lines import tiled
from replications.ffjord import figures_images
from replications.ffjord.names import shade

NOISE = np.random.default_rng(0)
# by model: evaluations and bits/dim of an earlier and of the last state
STATES = {"multiscale": [(170, 3.3), (130, 2.7)], "single_scale": [(70, 4.8), (80, 3.4)], "rademacher_probes": [(9, 9), (9, 9)]}


def images(n, channels=1, size=8):
    return NOISE.uniform(0, 1, (n, channels, size, size)).astype(np.float16)


def image_rows(seed, models):
    rows = [row("bits_per_dim", 2.3 + seed / 10, method="gaussian", variant="test")]
    for model in models:
        for step, (nfe, bits) in zip((12, 24), STATES[model]):
            where = {"method": model, "axis": "step", "at": step}
            rows.append(row("validation_bits_per_dim", bits + seed / 10, nfe=nfe, variant="test", **where))
            rows.append(row("validation_bits_per_dim", 99, nfe=27, variant="training's solver", **where))
        for variant, each in (("direct", 4e5), ("adjoint", 0)):
            for steps in (1, 2, 4):
                where = {"variant": variant, "axis": "solver steps", "at": steps}
                rows.append(row("kept_bytes", 1e5 + each * steps, method=model, **where))
    return rows


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    made = {"digits": (images(20), [*STATES]), "cifar10": (images(40, 3, 32), ["multiscale"])}
    return Runs(
        [
            made_up(
                folder,
                "images",
                data,
                image_rows(seed, models),
                {"data": shown, **{f"samples_{model}": images(*shown.shape[:2], shown.shape[-1]) for model in models}},
                seed,
            )
            for data, (shown, models) in made.items()
            for seed in (0, 1)
        ],
        "ffjord",
    )


@pytest.fixture(scope="module")
def drawn(runs):
    with style():
        yield {figure.id: figure for figure in (draw() for draw in figures_images.figures(runs))}


def test_each_says_what_it_is_and_no_id_begins_another(drawn):
    assert set(drawn) == {f"{what}-{data}" for what in ("image-samples", "bits", "memory") for data in ("digits", "cifar10")}
    assert not [(one, other) for one in drawn for other in drawn if one != other and other.startswith(one)]
    for figure in drawn.values():
        assert figure.runs and (figure.arrays or len(figure.data))
        assert figure.caption.startswith("Cf. ") and figure.alt.endswith(".")
        assert figure.photographic == figure.id.startswith("image-samples")


def test_lines_of_samples_are_those_saved_for_every_model(drawn):
    figure = drawn["image-samples-digits"]
    labels = ["data", "several scales", "one scale", "Rademacher probes"]
    assert [axis.get_ylabel() for axis in figure.figure.axes] == labels
    for axis, key in zip(figure.figure.axes, ("data", *(f"samples_{model}" for model in STATES))):
        saved = figure.runs[0].arrays[key].astype(np.float32)
        np.testing.assert_allclose(axis.images[0].get_array(), tiled(2 * saved - 1, 16, 1)[..., 0], atol=1e-3)
    colour = drawn["image-samples-cifar10"].figure.axes[0].images[0].get_array()
    assert colour.shape == (2 * 32 + 2, 16 * 34 - 2, 3), "two lines of many samples, with gaps"


def test_states_lie_at_their_evaluations_and_bits_by_the_tight_solver(drawn):
    (axis,) = drawn["bits-digits"].figure.axes
    found = [
        (collection.get_facecolor()[0][:3], collection.get_offsets(), collection.get_sizes()) for collection in axis.collections
    ]
    assert len(found) == 2 * 2, "of two models and two replicates; other models are of other figures"
    np.testing.assert_allclose(found[1][1], [(170, 3.4), (130, 2.8)])
    np.testing.assert_allclose(found[2][1], STATES["single_scale"])
    assert all(sizes[0] < sizes[1] for *_, sizes in found)
    assert axis.lines[-1].get_label() == "Gaussian on logits" and axis.lines[-1].get_ydata()[0] == pytest.approx(2.35)
    names = [text.get_text() for text in axis.get_legend().texts]
    assert names == ["several scales", "one scale", "Gaussian on logits"]
    assert [text.get_text() for text in drawn["bits-cifar10"].figure.axes[0].get_legend().texts] == [names[0], names[2]]


def test_memory_is_dashed_by_the_adjoint_and_in_megabytes(drawn):
    (axis,) = drawn["memory-digits"].figure.axes
    lines = {line.get_label(): line for line in axis.lines}
    assert [*lines] == [f"{model}, {way}" for model in ("several scales", "one scale") for way in ("direct", "adjoint")]
    direct, adjoint = lines["one scale, direct"], lines["one scale, adjoint"]
    np.testing.assert_allclose(direct.get_ydata(), [0.5, 0.9, 1.7])
    np.testing.assert_allclose(adjoint.get_ydata(), [0.1] * 3)
    assert (direct.get_linestyle(), adjoint.get_linestyle()) == ("-", "--")
    assert direct.get_color() == adjoint.get_color() == shade("single_scale")


@pytest.mark.filterwarnings("ignore:No artists")
def test_rows_that_are_not_there_leave_empty_axes(tmp_path):
    empty = Runs([made_up(tmp_path, "images", "digits", [row("parameters", 1)], {"data": images(3)})], "ffjord")
    with style():
        assert len([draw() for draw in figures_images.figures(empty)]) == 3
