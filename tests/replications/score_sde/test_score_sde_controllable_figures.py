"""Figures of classes, holes and colours draw what runs saved."""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from common.measure.figures import RunFolder, Runs, style
from common.runs.folders import COLUMNS
from replications.score_sde import figures_controllable as module

METRICS = {"half": "digits", "colours": "patches"}


def rows_of_run(seed):
    rows = [
        {"metric": "classifier_accuracy", "method": "classifier", "axis": "sigma", "at": sigma, "value": share, "floor": 0.5}
        for sigma, share in ((0.1, 0.9), (1.0, 0.7), (10.0, 0.5))
    ]
    agreement = {"metric": "agreement", "axis": "weight", "floor": 0.5}
    rows += [agreement | {"method": "class_conditional", "at": at, "value": 0.5 + at / 10 + seed / 50} for at in (0, 1)]
    rows.append(agreement | {"method": "data", "axis": "", "value": 0.97})
    for variant, dataset in METRICS.items():
        method = "inpainting" if variant == "half" else "colourisation"
        for metric, value in (("hidden_error", 0.4), ("error_of_mean", 0.2)):
            labels = {"metric": metric, "variant": variant, "dataset": dataset}
            rows += [labels | {"method": method, "axis": "correctors", "at": at, "value": value - at / 20} for at in (0, 1)]
            rows.append(labels | {"method": "unconditional", "value": 2 * value})
    colours = {"metric": "colour_distance", "variant": "colours", "dataset": "patches", "floor": 0.1}
    rows += [colours | {"method": "colourisation", "axis": "correctors", "at": at, "value": 0.1 + at / 100} for at in (0, 1)]
    return [*rows, colours | {"method": "grey", "value": 0.3}]


@pytest.fixture
def runs(tmp_path):
    def draw(*shape):
        return np.linspace(-1, 1, int(np.prod(shape))).reshape(shape).astype(np.float16)

    folders = []
    empty = dict.fromkeys(COLUMNS, "") | dict.fromkeys(("at", "value", "floor", "nfe", "error"), np.nan)
    for seed, (experiment, dataset) in product((0, 1), (("controllable", "digits"), ("colourisation", "patches"))):
        info = {"paper": "score_sde", "experiment": experiment, "dataset": dataset, "seed": seed, "settings": {}}
        run = RunFolder(tmp_path / experiment / f"seed{seed}", info)
        table = [empty | {"dataset": "digits", "seed": seed, "status": "ok"} | row for row in rows_of_run(seed)]
        run.__dict__["metrics"] = pd.DataFrame([row for row in table if row["dataset"] == dataset], columns=list(COLUMNS))
        run.__dict__["arrays"] = {
            "class_samples_0": draw(16, 1, 8, 8),
            "class_samples_1": draw(16, 1, 8, 8),
            "inpainting_truth": draw(6, 1, 8, 8),
            "inpainting_mask_half": np.arange(8).reshape(1, 1, 8).repeat(8, 1) < 4,
            "inpainting_half_0": draw(6, 2, 1, 8, 8),
            "inpainting_half_1": draw(6, 2, 1, 8, 8),
        }
        if experiment == "colourisation":
            run.__dict__["arrays"] = {
                "colours_truth": draw(6, 3, 8, 8),
                "colours_0": draw(6, 2, 3, 8, 8),
                "colours_1": draw(6, 2, 3, 8, 8),
            }
        folders.append(run)
    return Runs(folders, "score_sde")


@pytest.fixture(autouse=True)
def drawn_in_style():
    with style():
        yield
    plt.close("all")


def made(runs):
    return {figure.id: figure for figure in (part() for part in module.figures(runs))}


def test_ids_are_unique_and_none_begins_another(runs):
    ids = list(made(runs))
    assert len(ids) == len(set(ids)) == 7
    assert not [(a, b) for a in ids for b in ids if a != b and b.startswith(a)]
    of_digits = {"guidance-digits", "class-samples-digits", "inpainted-digits", "hidden-digits"}
    assert set(ids) == of_digits | {"coloured-patches", "hidden-patches", "colour-distance-patches"}


def test_curves_are_means_of_replicates(runs):
    found = made(runs)
    left, right = found["guidance-digits"].figure.axes
    np.testing.assert_allclose(left.lines[0].get_xydata(), [[0.1, 0.9], [1, 0.7], [10, 0.5]])
    np.testing.assert_allclose(right.lines[0].get_xydata(), [[0, 0.51], [1, 0.61]])
    heights = {line.get_label(): line.get_ydata()[0] for line in right.lines[1:]}
    assert heights == pytest.approx({"test images": 0.97, "chance": 0.5})
    draw, mean = found["hidden-patches"].figure.axes
    np.testing.assert_allclose(draw.lines[0].get_xydata(), [[0, 0.4], [1, 0.35]])
    np.testing.assert_allclose(mean.lines[0].get_xydata(), [[0, 0.2], [1, 0.15]])
    assert draw.lines[1].get_ydata()[0] == pytest.approx(0.8) and len(draw.lines) == 2  # no row, no line
    axis = found["colour-distance-patches"].figure.axes[0]
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels == ["coloured, predictor alone", "coloured, 1 corrector step", "unconditional", "training images", "grey"]
    marks = [line for line in axis.lines if line.get_marker() == "o" and len(line.get_xdata())]
    dots = {int(line.get_ydata()[0]): line.get_xdata().tolist() for line in marks}
    assert dots == {0: [0.1, 0.1], 1: pytest.approx([0.11, 0.11]), 4: [0.3, 0.3]}


def test_pictures_are_those_of_the_run(runs):
    found, arrays = made(runs), runs.find("controllable", seed=0)[0].arrays | runs.find("colourisation", seed=0)[0].arrays
    first = found["class-samples-digits"].figure.axes
    assert [axis.get_title() for axis in first] == ["unconditional", "weight 1"]
    picture = first[1].images[0].get_array()  # two classes, a column each
    np.testing.assert_allclose(picture[:8, 9:17], arrays["class_samples_1"][1, 0].astype(float) / 2 + 0.5, atol=1e-3)
    line = found["inpainted-digits"].figure.axes[1].images[0].get_array()
    np.testing.assert_allclose(line[0, 4:8], np.broadcast_to(module.HOLE.ravel() / 2 + 0.5, (4, 3)), atol=1e-3)
    np.testing.assert_allclose(line[:8, 9:17, 0], arrays["inpainting_half_1"][0, 0, 0].astype(float) / 2 + 0.5, atol=1e-3)
    np.testing.assert_allclose(line[:8, -8:, 0], arrays["inpainting_truth"][0, 0].astype(float) / 2 + 0.5, atol=1e-3)
    coloured = found["coloured-patches"].figure.axes[0].images[0].get_array()
    grey = arrays["colours_truth"][0].astype(float).mean(0) / 2 + 0.5
    np.testing.assert_allclose(coloured[:8, :8], grey[..., None].repeat(3, -1), atol=1e-3)
    original = arrays["colours_truth"][0].transpose(1, 2, 0).astype(float)
    np.testing.assert_allclose(coloured[:8, -8:], original / 2 + 0.5, atol=1e-3)


def test_no_runs_no_figures():
    assert list(module.figures(Runs([], "score_sde"))) == []
