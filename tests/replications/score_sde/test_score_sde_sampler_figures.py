"""Figures of samplers on trained models: what is drawn is what was saved, and what is missing leaves a gap."""

import numpy as np
import pandas as pd
import pytest
from sealed import seal

from common.measure.figures import RunFolder, Runs, style
from common.runs.folders import COLUMNS
from replications.score_sde import figures_samplers
from replications.score_sde.names import name, shade

MODELS = ("score_ve", "ddpm_vp")
VALUES = {"frechet_p": 4.0, "frechet_p2": 3.0, "frechet_p2_rounded": 3.5, "frechet_pc": 2.0}
PREDICTORS = ("ancestral", "probability_flow")
TIMES, STARTS, MOMENTS = np.linspace(1, 0, 5), 2, 3


def rows_of(seed):
    rows = []
    for factor, model in enumerate(MODELS, 1):
        for offset, predictor in enumerate(PREDICTORS):
            values = {metric: factor * value + offset + seed / 100 for metric, value in VALUES.items()}
            rows += [{"metric": metric, "method": model, "variant": predictor, "value": v} for metric, v in values.items()]
        rows.append({"metric": "frechet_c2", "method": model, "variant": "corrector_only", "value": 9.0 * factor})
        rows.append({"metric": "frechet_flow", "method": model, "variant": "rk45", "value": 5.0 * factor})
        rows += [
            {"metric": "frechet_share", "method": model, "axis": "share", "at": at, "value": factor + at + seed}
            for at in (0.0, 0.5, 1.0)
        ]
    return [{"status": "ok", "floor": 0.5, "dataset": "digits", **row} for row in rows]


def arrays_of():
    arrays = {}
    for model in MODELS:
        arrays[f"{model}_way_times"] = TIMES
        for place, how in enumerate(("SDE", "ODE")):
            arrays[f"{model}_pixel_{how}"] = np.arange(STARTS * 5).reshape(STARTS, 5) / 10 + place * np.arange(5)
            levels = np.arange(STARTS).reshape(-1, 1, 1, 1, 1) / 4 + place / 8
            arrays[f"{model}_pictures_{how}"] = np.broadcast_to(levels, (STARTS, MOMENTS, 1, 4, 4)).copy()
        for place, key in enumerate(figures_samplers.SHOWN):
            arrays[f"{model}_samples_{key}"] = np.full((4, 1, 4, 4), place / 4)
    return arrays


def run(folder, seed=0, without="", hidden=""):
    path = folder / f"seed{seed}"
    path.mkdir(parents=True)
    np.savez(path / "arrays.npz", **{key: array for key, array in arrays_of().items() if not hidden or hidden not in key})
    rows = [row for row in rows_of(seed) if without not in (row["metric"], row["method"], row.get("variant"))]
    table = pd.DataFrame(rows, columns=COLUMNS).assign(
        paper="score_sde", experiment="learned_samplers", level="laptop", seed=seed
    )
    table.to_csv(path / "metrics.csv", index=False)
    settings = {"models": {key: {} for key in MODELS}, "samples": 500, "scales": 25, "evaluations": 100}
    seal(path, paper="score_sde", experiment="learned_samplers", seed=seed, dataset="digits", settings=settings)
    return RunFolder.open(path)


def drawings(runs):
    with style():
        return {figure.id: figure for figure in (draw() for draw in figures_samplers.figures(Runs(runs, "score_sde")))}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return drawings([run(folder, seed) for seed in (0, 1)])


def test_each_is_there_once_and_says_what_it_shows(drawn):
    assert list(drawn) == [f"learned-{which}-digits" for which in ("table", "share", "ways", "pictures")]
    for figure in drawn.values():
        assert figure.alt.endswith(".") and figure.caption.endswith(".") and figure.runs
    assert not list(figures_samplers.figures(Runs([], "score_sde")))


def test_dots_of_the_table(drawn):
    for axis, model, factor in zip(drawn["learned-table-digits"].figure.axes, MODELS, (1, 2)):
        assert axis.get_title() == name(model)
        labels = [label.get_text() for label in axis.get_yticklabels()]
        assert labels == [name(key) for key in (*PREDICTORS, "corrector_only", "rk45")]
        dots = [line for line in axis.lines if line.get_marker() == "o"]
        found = [tuple(line.get_xdata()) for line in dots]
        expected = [
            tuple(factor * value + offset + seed / 100 for seed in (0, 1)) for offset in (0, 1) for value in VALUES.values()
        ]
        np.testing.assert_allclose(found, [*expected, (9 * factor,) * 2, (5 * factor,) * 2])
        kinds = [*("P", "P2", "P2", "PC") * 2, "C2", "ODE"]
        assert [line.get_color() for line in dots] == [shade(kind) for kind in kinds]
        assert [line.get_markerfacecolor() == "white" for line in dots[:4]] == [False, False, True, False]
        heights = [line.get_ydata()[0] for line in dots]
        assert heights == sorted(heights) and all(abs(h - place // 4) < 0.3 for place, h in enumerate(heights[:8]))


def test_means_by_share(drawn):
    (axis,) = drawn["learned-share-digits"].figure.axes
    found = {line.get_label(): line.get_ydata() for line in axis.lines}
    np.testing.assert_allclose(found[name("score_ve")], [1.5, 2, 2.5])
    np.testing.assert_allclose(found[name("ddpm_vp")], [2.5, 3, 3.5])


def test_ways_are_those_of_their_model_and_start(drawn):
    axes = drawn["learned-ways-digits"].figure.axes
    flow = axes[0].lines[0]
    np.testing.assert_allclose(flow.get_xdata(), TIMES)
    np.testing.assert_allclose(flow.get_ydata(), np.arange(5) / 10 + np.arange(5), atol=1e-3)
    assert len(axes[0].lines) == 2 * STARTS + 1 and flow.get_color() == shade("ODE")
    strips = [axis.images[0].get_array() for axis in axes[2:]]
    assert len(strips) == 2 * 2 * STARTS
    # by lines from the top: flow and SDE of the first start, then of the second; both models alike
    levels = [float(picture[0, 0]) for picture in strips]
    grey = [0.5 + level / 2 for level in (1 / 8, 0, 3 / 8, 1 / 4)]
    np.testing.assert_allclose(levels, np.repeat(grey, 2), atol=1e-3)


def test_samples_stand_below_each_other_by_kind(drawn):
    axes = drawn["learned-pictures-digits"].figure.axes
    found = [float(axis.images[0].get_array()[0, 0]) for axis in axes]
    np.testing.assert_allclose(found, np.repeat([0.5, 0.625, 0.75, 0.875], 2), atol=1e-3)
    assert [axis.get_ylabel() for axis in axes[::2]] == [name(kind) for kind in ("P", "PC", "C2", "ODE")]


@pytest.mark.parametrize("absent", ["frechet_p2_rounded", "frechet_share", "ancestral", "ddpm_vp", "rk45"])
def test_absent_rows_leave_a_gap(absent, tmp_path):
    found = drawings([run(tmp_path, without=absent)])
    assert len(found) == 4
    for axis in found["learned-table-digits"].figure.axes:
        assert name(absent) not in [label.get_text() for label in axis.get_yticklabels()]


def test_absent_samples_leave_a_gap(tmp_path):
    found = drawings([run(tmp_path, hidden="corrector_only")])
    assert len(found["learned-pictures-digits"].figure.axes) == 6
