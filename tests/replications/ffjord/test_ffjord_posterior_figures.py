"""Figures of variational autoencoders: what is drawn is what was saved, whatever posteriors there are."""

import numpy as np
import pytest
from ffjord_runs import made_up, row

from common.measure.figures import Runs, style
from common.measure.image_lines import tiled
from replications.ffjord import figures_posteriors
from replications.ffjord.names import shade

NOISE = np.random.default_rng(0)
ABOVE = {"none": 0.2, "planar": 0.1, "ffjord": None, "hypernetwork": -0.1}
BOUNDS = {"none": [23, 20], "planar": [22, 21], "ffjord": [21, 19], "hypernetwork": [20, 18]}


def posterior_rows(seed, without):
    rows = [row("above_ffjord", 5.5, method="independent_pixels", unit="nats")]
    for name, above in ABOVE.items():
        if name != without:
            if above is not None:
                rows.append(row("above_ffjord", above + seed / 100, method=name, unit="nats"))
            # a replicate's images may be harder than another's
            rows += [
                row("validation_negative_elbo", value + 10 * seed, method=name, axis="step", at=at, unit="nats")
                for value, at in zip(BOUNDS[name], (10, 20))
            ]
    return rows


def pictures(without):
    kept = [name for name in ABOVE if name != without]
    made = {f"{kind}_{name}": NOISE.uniform(size=(4, 1, 8, 8)) for kind in ("reconstructed", "sampled") for name in kept}
    return {"originals": NOISE.integers(0, 2, (4, 1, 8, 8)).astype(float), **made}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    missing = {"bits": "", "letters": "planar"}
    return Runs(
        [
            made_up(
                folder,
                "posteriors",
                data,
                posterior_rows(seed, without),
                pictures(without),
                seed,
                posteriors=dict.fromkeys(ABOVE),
            )
            for data, without in missing.items()
            for seed in (0, 1)
        ],
        "ffjord",
    )


@pytest.fixture(scope="module")
def drawn(runs):
    with style():
        yield {figure.id: figure for figure in (draw() for draw in figures_posteriors.figures(runs))}


def test_each_says_what_it_is(drawn):
    assert set(drawn) == {f"{what}-{data}" for what in ("bounds", "reconstructions") for data in ("bits", "letters")}
    for figure in drawn.values():
        assert figure.runs and (figure.arrays or len(figure.data))
        assert figure.caption.startswith("Cf. ") and figure.alt.endswith(".")
        assert figure.photographic == figure.id.startswith("reconstructions")


def test_dots_lie_above_ffjord_and_pixels_without_a_latent_are_a_number(drawn):
    left = drawn["bounds-bits"].figure.axes[0]
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert labels == ["no flow", "planar", "FFJORD, hypernetwork", "independent pixels"]
    dots = [line for line in left.lines if line.get_marker() == "o" and len(line.get_xdata())]
    for height, (line, name) in enumerate(zip(dots, ("none", "planar", "hypernetwork"), strict=True)):
        np.testing.assert_allclose(line.get_xdata(), [ABOVE[name], ABOVE[name] + 0.01])
        assert line.get_color() == shade(name) and set(line.get_ydata()) == {height}
    (text,) = left.texts
    assert text.get_text() == "mean 5.5 →" and text.get_position() == (1, 3) and left.get_xlim()[1] < 1


def test_bounds_are_above_the_least_of_ffjord_in_their_replicate(drawn):
    right = drawn["bounds-bits"].figure.axes[1]
    lines = {line.get_label(): line for line in right.lines}
    np.testing.assert_allclose(lines["no flow"].get_ydata(), [4, 1])
    np.testing.assert_allclose(lines["FFJORD"].get_ydata(), [2, 0])
    np.testing.assert_allclose(lines["FFJORD"].get_xdata(), [10, 20])


def test_a_posterior_without_rows_leaves_its_line_empty(drawn):
    left, right = drawn["bounds-letters"].figure.axes
    dots = [line.get_ydata()[0] for line in left.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert dots == [0, 2] and "planar" not in {line.get_label() for line in right.lines}


def test_lines_of_images_are_those_saved(drawn):
    for data, names in (("bits", [*ABOVE]), ("letters", ["none", "ffjord", "hypernetwork"])):
        figure = drawn[f"reconstructions-{data}"]
        arrays, axes = figure.runs[0].arrays, figure.figure.axes
        keys = ["originals", *(f"{kind}_{name}" for name in names for kind in ("reconstructed", "sampled"))]
        for axis, key in zip(axes, keys, strict=True):
            np.testing.assert_allclose(axis.images[0].get_array(), tiled(2 * arrays[key] - 1, 4, 1)[..., 0], atol=1e-6)


@pytest.mark.filterwarnings("ignore:No artists")
def test_figures_are_there_even_without_rows(tmp_path):
    arrays = {key: images for key, images in pictures("").items() if key.endswith(("originals", "ffjord"))}
    found = made_up(tmp_path, "posteriors", "bits", [row("parameters", 1)], arrays, posteriors={"ffjord": None, "none": None})
    with style():
        assert len([draw() for draw in figures_posteriors.figures(Runs([found], "ffjord"))]) == 2
