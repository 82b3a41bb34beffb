"""Figures of the samplers: what is drawn is what was saved, and what is missing leaves a gap."""

import numpy as np
import pandas as pd
import pytest
from ggf_runs import FULL, KINDS, MODELS, SAMPLERS, SDES, TOLERANCES, VARIANTS, drawings, named, nfe_at, run
from sealed import split

from common.measure.figures import Runs
from replications.gotta_go_fast import figures_toy
from replications.gotta_go_fast.figures import figures, tables
from replications.gotta_go_fast.names import name, shade


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [run(folder, experiment, seed) for experiment in KINDS for seed in (0, 1)]


@pytest.fixture(scope="module")
def drawn(runs):
    return drawings(runs)


@pytest.fixture(scope="module")
def tabled(runs):
    return {table.id: table for table in tables(*split(pd.concat([each.metrics for each in runs])))}


def test_each_is_there_once_and_says_what_it_shows(drawn, tabled):
    learned = [f"{which}-digits" for which in ("speed", "evaluations", "ablations", "states", "pictures")]
    toy = ["exact-error", "exact-evaluations", "rejections", "exact-ablations", "sigma-max", "exact-solvers"]
    assert list(drawn) == [*learned, *toy, "solvers-digits"]
    ids = [*drawn, *tabled]
    assert not [(one, other) for one in ids for other in ids if one != other and other.startswith(one)]
    for figure in drawn.values():
        assert (
            figure.alt.endswith(".")
            and figure.caption.endswith(".")
            and figure.runs
            and (figure.data is None or len(figure.data))
        )
    assert not list(figures(Runs([], "gotta_go_fast")))


@pytest.mark.parametrize(("which", "groups"), [("speed-digits", MODELS), ("exact-error", SDES)])
def test_errors_stand_at_their_evaluations(drawn, which, groups):
    for axis, (group, factor) in zip(drawn[which].figure.axes, groups.items(), strict=True):
        assert axis.get_title() == name(group)
        lines = named(axis)
        assert (name("ddim") in lines) == (factor == 1)
        for method, place in SAMPLERS.items():
            if method == "ddim" and factor == 2:
                continue
            line = lines[name(method)]
            np.testing.assert_allclose(line.get_xdata(), [nfe_at(each, factor, 0) + 1 for each in TOLERANCES])
            np.testing.assert_allclose(line.get_ydata(), [factor * (place + each) + 0.05 for each in TOLERANCES])
            assert line.get_color() == shade(method)
        faint = [line for line in axis.lines if line.get_alpha() == 0.25]
        assert len(faint) == 2 * len(SAMPLERS) - 2 * (factor - 1)
        np.testing.assert_allclose(faint[1].get_ydata(), [factor * (1 + each) + 0.1 for each in TOLERANCES])
        for method, nfe in FULL.items():
            assert lines[name(method)].get_xydata().tolist() == [[nfe, factor * nfe / 100]]
        assert [text.get_text() for text in axis.texts] == [f"{each:g}" for each in TOLERANCES]
        (floor,) = [line for line in axis.lines if line.get_linestyle() == "--"]
        np.testing.assert_allclose(floor.get_ydata(), 0.1)


@pytest.mark.parametrize(("which", "groups"), [("evaluations-digits", MODELS), ("exact-evaluations", SDES)])
def test_evaluations_are_the_slowest_and_the_mean(drawn, which, groups):
    left = drawn[which].figure.axes[0]
    for place, (group, factor) in enumerate(groups.items()):
        slowest, mean = left.lines[2 * place : 2 * place + 2]
        expected = np.array([nfe_at(each, factor, 0) + 1 for each in TOLERANCES])
        np.testing.assert_allclose([slowest.get_ydata(), mean.get_ydata()], [expected, 0.8 * expected])
        assert (slowest.get_linestyle(), mean.get_linestyle()) == ("-", ":")
        assert slowest.get_label() == name(group) and slowest.get_color() == mean.get_color() == shade(group)


def test_rejected_steps_by_tolerance_and_dimension(drawn):
    left, right = drawn["rejections"].figure.axes
    for place, factor in enumerate(SDES.values()):
        expected = [0.001 * (nfe_at(each, factor, 0) + 1) for each in TOLERANCES]
        np.testing.assert_allclose(left.lines[place].get_ydata(), expected)
        np.testing.assert_allclose(right.lines[place].get_ydata(), [factor + 0.016, factor + 0.256])


def test_samples_are_compared_with_the_slowest_of_their_run(runs, drawn):
    toys = [each for each in runs if each.info["experiment"] == "exact_toy"]
    np.testing.assert_allclose(figures_toy.shares_of(toys, "ve", 0.02), 2 * [1, 0.8, 0.9])
    # 20 of 50 is shown as a half
    np.testing.assert_allclose(figures_toy.shares_of(toys, "vp", 0.1), 2 * [1, 0.8, 0.5])
    assert len(drawn["exact-evaluations"].figure.axes[1].patches) == 6


@pytest.mark.parametrize(("which", "groups"), [("ablations-digits", MODELS), ("exact-ablations", SDES)])
def test_variants_stand_over_the_default_of_their_replicate(drawn, which, groups):
    left, right = drawn[which].figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == [name(method) for method in VARIANTS]
    dots = [[line for line in axis.lines if line.get_marker() == "o"] for axis in (left, right)]
    assert [line.get_color() for line in dots[0]] == [shade(group) for _ in VARIANTS for group in groups]
    np.testing.assert_allclose([line.get_xdata() for line in dots[0]], [[more] * 2 for more in VARIANTS.values() for _ in groups])
    for line, (more, factor) in zip(dots[1], [(more, factor) for more in VARIANTS.values() for factor in groups.values()]):
        error, base = np.array([factor * more**2, factor * more**2 + 1]), np.array([factor, factor + 1])
        np.testing.assert_allclose(line.get_xdata(), error if which == "exact-ablations" else error / base)


def test_states_of_the_training(drawn):
    left, right = drawn["states-digits"].figure.axes
    np.testing.assert_allclose([line.get_ydata() for line in left.lines], [[100] * 2, [80] * 2, [200] * 2, [160] * 2])
    np.testing.assert_allclose([line.get_ydata() for line in right.lines], [[2, 1], [4, 2]])


def test_ratio_of_mean_errors_by_the_largest_noise(drawn):
    right = drawn["sigma-max"].figure.axes[1]
    lines = [line for line in right.lines if len(line.get_xdata()) == 2 and line.get_alpha() is None and line.get_marker() == "o"]
    np.testing.assert_allclose([line.get_ydata() for line in lines], [[5 / 1.5, 38 / 1.5], [10 / 1.5, 76 / 1.5]])
    assert [line.get_linestyle() for line in lines] == ["-", "--"]
    assert [list(line.get_ydata())[:2] for line in right.lines if line.get_alpha()] == [[5, 2.5], [10, 5]]


@pytest.mark.parametrize(("which", "group"), [("exact-solvers", "VP"), ("solvers-digits", "VE")])
def test_off_the_shelf_solvers_and_those_given_up(drawn, which, group):
    (axis,) = drawn[which].figure.axes
    srk = named(axis)[name("torchsde_srk")]
    assert srk.get_xydata().tolist() == [[120, 1.0]] and srk.get_color() == shade("torchsde_srk")
    assert axis.get_title() == group and f"Given up in some replicate: torchsde, SRK at 0.01 ({group})." in drawn[which].caption


def test_pictures_stand_below_each_other(drawn):
    axes = np.array(drawn["pictures-digits"].figure.axes).reshape(-1, 2)
    labels = [*(name(each) for each in FULL), *(f"{name(method)}, {at:g}" for at in (0.1, 0.5) for method in SAMPLERS)]
    assert [axis.get_ylabel() for axis in axes[:, 0]] == labels
    found = [float(axis.images[0].get_array()[0, 0]) for axis in axes[:, 0]]
    np.testing.assert_allclose(found, 0.5 + np.array([0, 1, 2, 6, 7, 8, 9, 10, 11]) / 32)
    # no DDIM on the VE path
    assert [len(axis.images) for axis in axes[:, 1]] == [1, 1, 1, 1, 1, 0, 1, 1, 0]


ABSENT = [
    ("ggf", "nfe_max", "torchsde_srk", "dimension"),
    ("euler_maruyama", "default", "data", "share of training"),
    ("rk45", "tolerance", "feature_frechet", "residual_error", "ablation"),
]


@pytest.mark.parametrize("absent", ABSENT)
def test_what_is_absent_leaves_a_gap(absent, tmp_path):
    hidden = {"exact_toy": "ve_nfe", "learned": "ddpm_vp_ggf_0.5"}
    left = [run(tmp_path, experiment, without=absent, hidden=hidden[experiment]) for experiment in KINDS]
    found = drawings(left)
    assert len(found) == 12
    for which in ("speed-digits", "exact-error"):
        assert name(absent[0]) not in named(found[which].figure.axes[0])
    assert len(found["exact-evaluations"].figure.axes[1].patches) == len(TOLERANCES)
    assert not next(axis for axis in found["pictures-digits"].figure.axes if axis.get_ylabel() == "GGF, 0.5").images
    assert len(list(tables(*split(pd.concat([each.metrics for each in left]))))) == 5


def test_cells_of_the_tables(tabled):
    table1 = tabled["table1"].frame
    assert list(table1.sampler[:4]) == ["data", *(name(method) for method in FULL)]
    assert list(table1.sampler[4:7]) == [name(method) for method in SAMPLERS] and list(tabled["table1"].kinds)[:2] == [
        "floor",
        "",
    ]
    ggf = table1[(table1.sampler == "GGF") & (table1.tolerance == "0.1")].iloc[0]
    assert ggf["VE: NFE"] == "401 ± 1.4" and ggf["VE: distance"].startswith("2.25 ±") and ggf["VP: NFE"] == "201 ± 1.4"
    srk = table1[table1.sampler == "torchsde, SRK"]
    assert srk.tolerance.tolist() == ["0.1"] and srk["VE: NFE"].tolist() == ["120 ± 0"]
    assert set(table1[table1.sampler == "DDIM"]["VE: distance"]) == {"–"}
    toy = tabled["exact-toy"].frame
    assert list(dict.fromkeys(toy.SDE)) == ["VP", "VE"] and list(toy.columns[1:4]) == ["tolerance", "sampler", "NFE"]
    ggf = toy[(toy.sampler == "GGF") & (toy.tolerance == "0.5") & (toy.SDE == "VE")].iloc[0]
    assert ggf["NFE"] == "81 ± 1.4" and ggf["|R − R*|"].startswith("3.05 ±") and ggf["mean over samples"].startswith("64.8 ±")
    assert "R* = 0.6901 (VP) and 0.7071 (VE)" in tabled["exact-toy"].caption
    variants = tabled["exact-variants"].frame
    assert variants[(variants.SDE == "VE")]["NFE"].tolist() == ["200 ± 0", "300 ± 0", "600 ± 0"]
    assert tabled["learned-variants"].frame.model.tolist() == ["VP"] * 3 + ["VE"] * 3
    shelf = tabled["off-the-shelf"].frame.set_index(["sampler", "tolerance"])["given up"]
    assert shelf["torchsde, SRK", "0.1"] == "0%" and shelf["torchsde, SRK", "0.01"] == "100%" and ("GGF", "0.1") in shelf
