"""Figures and tables of what needs no network: what is drawn is what was saved, and absent rows leave gaps."""

from functools import partial

import ffjord_runs
import numpy as np
import pandas as pd
import pytest
from ffjord_runs import row

from common.measure.figures import Runs, style
from replications.score_sde import figures
from replications.score_sde.names import KINDS, NAMES, SHADES, name, shade

made_up = partial(ffjord_runs.made_up, paper="score_sde")
CURVES = ("t", "smld_variance", "ve_variance", "ddpm_mean", "vp_mean", "ddpm_variance", "vp_variance")
COLUMNS = {"P": 0.4, "P2": 0.3, "C2": 0.9, "PC": 0.2}


def along(metric, axis, values, **more):
    """Rows of a metric at the keys of a table of values."""
    return [row(metric, value, axis=axis, at=at, **more) for at, value in values.items()]


def fact_rows(seed):
    rows = along("simulated_mean_gap", "t", {0.25: 0.02, 1.0: 0.01}, dataset="ve", error=0.01)
    rows += along("simulated_variance_gap", "t", {0.25: 0.03, 1.0: 0.01}, dataset="vp", error=0.01)
    rows += along("kernel_gap", "scales", {1000: 0.02, 2000: 0.01}, dataset="ve", method="smld", variant="variance")
    rows += along("kernel_gap", "scales", {1000: 0.04, 2000: 0.02}, dataset="vp", method="ddpm", variant="mean")
    for place, pair in enumerate(("sde to ode", "sde to exact", "ode to exact")):
        times = {0.5: 0.1 + place, 1e-3: 0.2 + place}
        rows += along("marginal_distance", "t", times, dataset="vp", variant=pair, floor=0.05)
    rows += along("end_point_gap", "scales", {50: 0.1 + seed, 100: 0.05}, dataset="vp")
    rows += along("end_variance", "scales", {30: 1.2, 100: 1.1}, dataset="vp", method="euler_maruyama")
    rows += along("end_variance", "scales", {30: 0.7, 100: 0.6}, dataset="sub_vp", method="ancestral")
    rows += along("divergence_error", "probes", {1: 4, 16: 1}, dataset="vp", method="rademacher")
    rows += along("likelihood_error", "probes", {1: 2, 16: 0.5}, dataset="vp", method="rademacher")
    return [*rows, row("likelihood_gap", 1e-4, dataset="ve", variant="prior")]


def sampler_rows(seed):
    rows = [row("sampler_distance", 0.02, method="data", floor=0.02)]
    for predictor in ("ancestral", "probability_flow", "corrector_only"):
        for kind in ("C2",) if predictor == "corrector_only" else ("P", "P2", "PC"):
            value = {25: COLUMNS[kind] + seed / 100, 200: 0.05}
            rows += along("sampler_distance", "scales", value, dataset="ve", method=predictor, variant=kind, floor=0.02)
    for metric, value in {"denoising_change": 1.01, "undenoised_distance": 0.5}.items():
        rows += along(metric, "scales", {25: value}, dataset="ve", method="reverse_diffusion")
    rows += along("sampler_distance", "scales", {25: 0.3}, dataset="ve", method="reverse_diffusion", variant="P", floor=0.02)
    rows.append(row("denoising_change", 9, dataset="ve", method="rk45"))
    for kind, method in {"PC": "reverse_diffusion", "C2": "corrector_only"}.items():
        snrs = {0.2: 0.3, 0.5: 0.1} if kind == "C2" else {0: 0.05, 0.2: 0.04, 0.5: 0.06}
        rows += along("snr_distance", "snr", snrs, dataset="ve", method=method, variant=kind, floor=0.02)
    rows += along("share_distance", "share", {0: 0.1, 0.5: 0.2}, dataset="ve", method="reverse_diffusion", floor=0.02)
    rows += along("share_distance", "share", {1: 0.8}, dataset="ve", method="corrector_only", floor=0.02)
    rows += along("ode_nfe", "tolerance", {0.1: 9, 1e-5: 99}, dataset="vp", method="rk45")
    return rows + along("ode_distance", "tolerance", {0.1: 1, 1e-5: 0.03}, dataset="vp", method="rk45", floor=0.02)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    arrays = {key: np.linspace(0.01, 1, 20) + place for place, key in enumerate(CURVES)}
    settings = {"snr_scales": 25, "shared_on": "ve", "evaluations": 48}
    facts = [made_up(folder, "sde_facts", "", fact_rows(seed), arrays, seed) for seed in (0, 1)]
    return Runs(
        [*facts, *(made_up(folder, "exact_samplers", "", sampler_rows(s), {}, s, **settings) for s in (0, 1))], "score_sde"
    )


@pytest.fixture(scope="module")
def drawn(runs):
    with style():
        yield {figure.id: figure for figure in (draw() for draw in figures.figures(runs))}


@pytest.fixture(scope="module")
def tables(runs):
    rows = pd.concat([run.metrics for run in runs.folders])
    return {table.id: table for table in figures.tables(rows)}


def line(axis, label):
    return next(line for line in axis.lines if line.get_label() == label)


def test_each_says_what_it_was_drawn_from(drawn, tables):
    facts = {"discrete-chains", "simulations", "marginals", "ancestral-or-reverse", "probes"}
    assert set(drawn) == facts | {"predictors-and-correctors", "corrector-strength", "corrector-share", "flow-tolerance"}
    assert set(tables) == {"exact-samplers", "last-denoising"}
    for figure in drawn.values():
        assert len(figure.runs) == 2 and len(figure.data) and figure.alt.endswith(".") and figure.caption.startswith("Cf. ")


def test_names_and_colours_are_of_the_same_things():
    assert set(NAMES) == set(SHADES)
    assert len({shade(kind) for kind in KINDS}) == len(KINDS)
    assert name("a_new_one") == "a new one" and shade("ve") == shade("score_ve") and shade("vp") == shade("score_vp")


def test_chains_lie_over_their_own_sde(drawn):
    panels, arrays = drawn["discrete-chains"].figure.axes, drawn["discrete-chains"].runs[0].arrays
    for axis, (chain, sde) in zip(panels, (("smld", "ve"), ("ddpm", "vp"), ("ddpm", "vp"))):
        what = "mean" if "mean" in axis.get_title() else "variance"
        np.testing.assert_array_equal(line(axis, name(chain).upper()).get_ydata(), arrays[f"{chain}_{what}"])
        np.testing.assert_array_equal(line(axis, f"{name(sde)} SDE").get_ydata(), arrays[f"{sde}_{what}"])
    np.testing.assert_allclose(line(panels[3], "VE, variance").get_ydata(), [0.02, 0.01])
    np.testing.assert_allclose(line(panels[3], "∝ 1/N").get_ydata(), [0.04, 0.02])


def test_gaps_of_simulations_are_in_standard_errors(drawn):
    mean, variance = drawn["simulations"].figure.axes
    assert sorted(line(mean, "VE").get_ydata()) == pytest.approx([1, 1, 2, 2])
    assert sorted(line(variance, "VP").get_ydata()) == pytest.approx([1, 1, 3, 3])
    assert not len(line(mean, "VP").get_ydata()), "no rows leave no dots"


def test_marginals_run_towards_data_beside_their_floor(drawn):
    (axis,) = drawn["marginals"].figure.axes
    assert axis.get_title() == "VP" and [tick.get_text() for tick in axis.get_xticklabels()] == ["0.5", "0.001"]
    for place, label in enumerate(("SDE to ODE", "SDE to exact", "ODE to exact")):
        np.testing.assert_allclose(line(axis, label).get_ydata(), [0.1 + place, 0.2 + place])
    np.testing.assert_allclose(line(axis, "exact to exact").get_ydata(), [0.05, 0.05])


def test_chains_by_sde_and_rule(drawn):
    left, vp, sub_vp = drawn["ancestral-or-reverse"].figure.axes
    np.testing.assert_allclose(line(left, "VP").get_ydata(), [0.6, 0.05])  # means over both replicates
    np.testing.assert_allclose(line(vp, "Euler-Maruyama").get_ydata(), [1.2, 1.1])
    np.testing.assert_allclose(line(sub_vp, "ancestral").get_ydata(), [0.7, 0.6])
    assert vp.get_title().endswith("VP") and sub_vp.get_title().endswith("sub-VP")


def test_probes_have_a_guide_of_their_root(drawn):
    divergence, density, exact = drawn["probes"].figure.axes
    np.testing.assert_allclose(line(divergence, "∝ 1/√n").get_ydata(), [4, 1])
    np.testing.assert_allclose(line(density, "Rademacher probes").get_ydata(), [2, 0.5])
    assert [len(mark.get_ydata()) for mark in exact.lines if mark.get_label().startswith("_")] == [0, 0, 0, 2, 0, 0]


def test_kinds_of_samplers_by_predictor_with_the_corrector_alone_in_every_panel(drawn):
    panels = {axis.get_title(): axis for axis in drawn["predictors-and-correctors"].figure.axes}
    assert list(panels) == ["VE, ancestral", "VE, reverse diffusion", "VE, probability flow"]
    for title, kinds in {"VE, ancestral": KINDS, "VE, reverse diffusion": ("P", "C2")}.items():
        for kind in kinds:
            wanted = 0.3 if (title, kind) == ("VE, reverse diffusion", "P") else COLUMNS[kind] + 0.005
            assert line(panels[title], name(kind)).get_ydata()[0] == pytest.approx(wanted)
        labels = [each.get_label() for each in panels[title].lines]
        assert labels == [*map(name, kinds), "data"]


def test_strength_share_and_tolerance(drawn):
    (axis,) = drawn["corrector-strength"].figure.axes
    assert line(axis, "corrector alone").get_xdata().tolist() == [0.2, 0.5]
    assert line(axis, "reverse diffusion and corrector").get_xdata().tolist() == [0, 0.2, 0.5]
    (axis,) = drawn["corrector-share"].figure.axes
    np.testing.assert_allclose(line(axis, "reverse diffusion").get_ydata(), [0.1, 0.2, 0.8])
    assert [each.get_label() for each in axis.lines] == ["reverse diffusion", "data"]
    left, right = drawn["flow-tolerance"].figure.axes
    assert line(left, "VP").get_ydata().tolist() == [99, 9] and line(right, "VP").get_ydata().tolist() == [0.03, 1]
    assert line(right, "data").get_ydata()[0] == 0.02


def test_the_table_of_samplers(tables):
    table = tables["exact-samplers"]
    frame = table.frame.set_index(["SDE", "N", "predictor"])
    predictors = ["ancestral", "reverse diffusion", "probability flow", "corrector only"]
    assert frame.index.tolist()[:4] == [("VE", "25", predictor) for predictor in predictors]
    assert frame.loc[("VE", "25", "ancestral")].tolist() == ["0.405 ± 0.0071", "0.305 ± 0.0071", "–", "0.205 ± 0.0071"]
    assert frame.loc[("VE", "25", "corrector only"), "C₂ₙ"] == "0.905 ± 0.0071"
    assert table.kinds[-1] == "floor" and frame.iloc[-1].tolist() == ["0.02 ± 0"] * 4
    denoising = tables["last-denoising"].frame
    assert denoising.to_numpy().tolist() == [["VE", "25", "1.01 ± 0", "0.3 ± 0", "0.5 ± 0"]]


def test_no_rows_leave_empty_panels(tmp_path):
    arrays = {key: np.linspace(0.1, 1, 3) for key in CURVES}
    settings = {"snr_scales": 25, "shared_on": "ve", "evaluations": 48}
    empty = [made_up(tmp_path, "sde_facts", "", [], arrays), made_up(tmp_path, "exact_samplers", "", [], {}, **settings)]
    with style():
        assert len([draw() for draw in figures.figures(Runs(empty, "score_sde"))]) == 9
