"""Figures of the survey: what is drawn is what was measured, what its dots say, and what is missing leaves a gap."""

import numpy as np
import pytest
from survey_runs import FLOOR, KINDS, NFE, OBJECTIVES, PATHS, drawings, metrics_of, named, run, split, value

from common.dynamics.paths import PATHS as LAWS
from common.measure.figures import Runs
from replications.survey.figures import figures, tables
from replications.survey.names import MARKS, SHADES, mark, name, shade
from replications.survey.samplers import SAMPLERS as ALL

MEAN = 1.05  # of 1.1^seed over two replicates


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [run(folder, experiment, seed) for experiment in KINDS for seed in (0, 1)]


@pytest.fixture(scope="module")
def drawn(runs):
    return drawings(runs)


def test_each_is_there_once_and_says_what_it_shows(runs, drawn):
    kinds = ["pareto", "by-objective"]
    quality = [f"{kind}-{data}" for data in ("digits", "checkerboard") for kind in kinds]
    quality = [*quality[:2], *(f"plane-{each}" for each in quality[2:])]
    grids = ["grid-digits", "plane-grid-checkerboard", "samples-digits", "points-checkerboard"]
    exact = ["ways", "flow-error-mixture_2d", "exact-mixture_2d"]
    assert list(drawn) == [*quality, *grids, *exact, "during-training-digits", "gradients-digits", "likelihood-digits"]
    ids = [*drawn, *(table.id for table in tables(*split(metrics_of(runs))))]
    assert not [(one, other) for one in ids for other in ids if one != other and other.startswith(f"{one}-")]
    for figure in drawn.values():
        assert figure.alt.endswith(".") and figure.caption.endswith(".") and figure.runs
        assert (figure.data is not None and len(figure.data)) or figure.arrays
    assert not list(figures(Runs([], "survey")))


def test_every_sampler_has_a_mark_and_objectives_have_colours_of_their_own():
    assert set(MARKS) == set(ALL) and len(set(map(str, MARKS.values()))) == len(MARKS)
    trained = ["fm_ot", "fm_vp", "score_vp", "ddpm_vp", "scoreflow_vp", "score_sub_vp", "noise_sub_vp", "score_ve", "ladder_ve"]
    trained += ["ncsn", "ncsn_single", "ncsnv2", "ncsnv2_index"]
    assert len({shade(each) for each in trained}) == len(trained) and all(name(each) != each for each in SHADES)
    assert mark("mine (mine.py)") not in MARKS.values() and name("mine (mine.py)") == "mine (mine.py)"


@pytest.mark.parametrize(("which", "objectives"), [("pareto-digits", 3), ("plane-pareto-checkerboard", 2)])
def test_the_front_is_what_no_sampler_beats(drawn, which, objectives):
    left, right = drawn[which].figure.axes
    for objective in list(OBJECTIVES)[:objectives]:
        line = named(left)[name(objective)]
        # DPM-Solver++ is the best at every budget, unless it is a user's own
        nfe = [
            each
            for each in NFE
            if "digits" not in which or value(objective, "dpm_solver_pp_2m", each, 0) * MEAN > 0.9 or each < 20
        ]
        expected = [MEAN * value(objective, "dpm_solver_pp_2m", each, 0) for each in nfe]
        if "digits" in which:
            nfe, expected = [5, 10, 20], [*expected[:2], 0.9]
        np.testing.assert_allclose(line.get_xdata(), nfe)
        np.testing.assert_allclose(line.get_ydata(), expected)
        assert line.get_color() == shade(objective)
    (floor,) = [line for line in left.lines if line.get_linestyle() == "--"]
    np.testing.assert_allclose(floor.get_ydata(), FLOOR)
    line = named(right)[name("ddpm_vp")]
    if which == "checkerboard":
        np.testing.assert_allclose(line.get_xdata(), [0.1 * each for each in NFE])  # milliseconds of a sample


def test_lines_of_an_objective_and_what_their_dots_say(drawn):
    figure = drawn["by-objective-digits"]
    for axis, objective in zip(figure.figure.axes, OBJECTIVES, strict=True):
        assert axis.get_title() == name(objective)
        lines = named(axis)
        assert "mine (mine.py)" in lines
        nfe = NFE[:2] if objective == "ncsn" else NFE
        np.testing.assert_allclose(lines[name("ddim")].get_xydata(), [[x, MEAN * value(objective, "ddim", x, 0)] for x in nfe])
        np.testing.assert_allclose(lines[name("rk45")].get_xydata(), [[18, 7], [80, 7]])
    said = [tip.text for tip in figure.tips]
    assert "FM, straight by RK45, tolerance 0.1: feature Fréchet distance 7 at 18 evaluations, 10 ms a sample" in said
    found = [tip for tip in figure.tips if tip.text.startswith("FM, straight by DDIM")]
    np.testing.assert_allclose([tip.y for tip in found], [MEAN * value("fm_ot", "ddim", x, 0) for x in NFE])


def test_cells_of_the_grid_and_why_some_have_no_number(drawn):
    figure = drawn["grid-digits"]
    axis = figure.figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == [name(each) for each in OBJECTIVES]
    samplers = [label.get_text() for label in axis.get_xticklabels()]
    assert samplers == ["Euler-Maruyama", "DDIM", "DPM-Solver++ 2M", "RK45", "mine (mine.py)"]
    texts = np.array([text.get_text() for text in axis.texts]).reshape(3, 5)
    assert texts[0, 0] == f"{MEAN * value('fm_ot', 'euler_maruyama', 20, 0):.3g}" == "6.3"
    # NCSN has a cell of ten evaluations, RK45 one of 14 in one replicate
    assert texts[2, 1] == f"{MEAN * value('ncsn', 'ddim', 10, 0):.3g}" and texts[0, 3] == "7" and texts[0, 4] == "0.9"
    assert len(figure.tips) == 15 and figure.photographic
    models = list(map(name, OBJECTIVES))
    assert all(tip.text.startswith(f"{models[int(tip.y)]} by {samplers[int(tip.x)]}: ") for tip in figure.tips)


def test_a_cell_that_cannot_run_says_why(tmp_path, monkeypatch):
    import survey_runs

    few = [
        each | ({"status": "refused", "message": "no level", "value": np.nan} if each.get("variant") == "ncsn" else {})
        for each in survey_runs.learned_rows(0)
        if each["method"] != "rk45" or each["at"] == 0.001
    ]
    monkeypatch.setitem(survey_runs.KINDS, "learned", (lambda seed: few, *survey_runs.KINDS["learned"][1:]))
    figure = drawings([run(tmp_path, "learned")])["grid-digits"]
    texts = np.array([text.get_text() for text in figure.figure.axes[0].texts]).reshape(3, 4)
    assert list(texts[2]) == ["✕"] * 4 and list(texts[:2, 3]) == ["–", "–"]
    said = [tip.text for tip in figure.tips]
    assert said[8] == "NCSN by Euler-Maruyama: no level" and said[3] == "FM, straight by RK45: more than 20 evaluations"


def test_pictures_stand_side_by_side_from_the_same_noise(drawn):
    axes = np.array(drawn["samples-digits"].figure.axes).reshape(-1, 5)
    labels = [axis.texts[0].get_text() for axis in axes[:, 0]]
    own = ["mine (mine.py), 10"]
    assert labels == ["Euler-Maruyama, 10", "Euler-Maruyama, 50", "DPM-Solver++ 2M, 10", "DPM-Solver++ 2M, 50", *own]
    shown = [[float(axis.images[0].get_array()[0, 0]) for axis in line[:3] if axis.images] for line in axes]
    np.testing.assert_allclose(shown[0], np.array([0, 6, 12]) / 32)
    np.testing.assert_allclose(shown[3], np.array([5, 11, 17]) / 32)
    assert shown[4] == [1.0] and [axis.get_title() for axis in axes[0]] == [*(name(each) for each in OBJECTIVES), "", ""]


def test_points_in_the_plane(drawn):
    axes = np.array(drawn["points-checkerboard"].figure.axes).reshape(4, 2)
    assert axes[0, 0].get_ylabel() == "Euler-Maruyama\n10 evaluations" and axes[0, 1].get_title() == name("ddpm_vp")
    data, cloud = axes[3, 1].lines
    np.testing.assert_allclose(cloud.get_xydata() - data.get_xydata(), 11)


def test_ways_are_scaled_and_end_as_they_were_saved(drawn):
    figure = drawn["ways"]
    for axis, path in zip(figure.figure.axes, PATHS, strict=True):
        starts = [line for line in axis.lines if line.get_marker() == "o"]
        assert len(starts) == 4 * 2 and axis.get_xlim()[0] > axis.get_xlim()[1]
        sde, ode = axis.lines[1], axis.lines[9]
        assert len(ode.get_xdata()) == 7 and ode.get_linewidth() > sde.get_linewidth()
        np.testing.assert_allclose(ode.get_ydata(), -sde.get_ydata())
        if path == "vp":
            np.testing.assert_allclose(ode.get_ydata(), np.arange(7))
        if path == "ot":
            t = np.linspace(1, 0.01, 7)
            np.testing.assert_allclose(ode.get_ydata(), np.arange(7) / np.sqrt((1 - t) ** 2 + t**2), rtol=1e-4)
    assert len(figure.frames) == 3 and figure.frames[0].shape == figure.frames[-1].shape and "vp" in LAWS


def test_errors_of_the_flow_and_their_orders(drawn):
    for axis, path in zip(drawn["flow-error-mixture_2d"].figure.axes, PATHS, strict=True):
        np.testing.assert_allclose(named(axis)[name("heun")].get_ydata(), [1.5 * nfe**-2.0 for nfe in NFE])
        assert axis.get_title() == name(path) and [text.get_text() for text in axis.texts] == ["order 1", "order 2"]
        dotted = [line for line in axis.lines if line.get_linestyle() == ":"]
        slopes = [np.diff(np.log(line.get_ydata())) / np.diff(np.log(line.get_xdata())) for line in dotted]
        np.testing.assert_allclose(slopes, [[-1], [-2]])
    panels = drawn["exact-mixture_2d"].figure.axes
    assert [axis.get_title() for axis in panels] == [name(each) for each in [*PATHS, "velocity_only"]]


def test_training_by_step_and_by_second(drawn):
    steps, seconds = drawn["during-training-digits"].figure.axes
    for objective, factor in OBJECTIVES.items():
        np.testing.assert_allclose(named(steps)[name(objective)].get_xydata(), [[100, factor], [1000, factor / 10]])
        np.testing.assert_allclose(named(seconds)[name(objective)].get_xdata(), [factor, 10 * factor])


def test_gradients_over_their_even_share(drawn):
    early, trained, scale = drawn["gradients-digits"].figure.axes
    for objective, factor in OBJECTIVES.items():
        np.testing.assert_allclose(named(trained)[name(objective)].get_xydata(), [[0.25, 0.8 * factor], [0.75, 1.2 * factor]])
    assert named(early).keys() == named(trained).keys()
    assert [label.get_text() for label in scale.get_yticklabels()] == [name(each) for each in OBJECTIVES]
    np.testing.assert_allclose(scale.lines[2].get_xdata(), [2000, 2000])


def test_likelihood_against_the_last_distance(drawn):
    (axis,) = drawn["likelihood-digits"].figure.axes
    np.testing.assert_allclose(named(axis)[name("ddpm_vp")].get_xydata(), [[0.2, 3.0], [0.2, 3.1]])
    np.testing.assert_allclose(axis.lines[1].get_xydata(), [[0.2, 3.05]])


@pytest.mark.parametrize("absent", [("ddim", "noise_scale", "flow_error", "data"), ("ncsn", "nll", "rk45", "heun")])
def test_what_is_absent_leaves_a_gap(absent, tmp_path):
    left = [run(tmp_path, experiment, without=absent) for experiment in KINDS]
    found = drawings(left)
    assert len(found) == 14
    lines = named(found["by-objective-digits"].figure.axes[0])
    assert name("ddim") in lines and name("rk45") not in lines if "rk45" in absent else name("ddim") not in lines
