"""Figures and tables of exact scores and of interpolations: that what is drawn is what was saved, and what is not there."""

import numpy as np
import pandas as pd
import pytest
from sealed import seal

from common.measure.figures import BLACK, RunFolder, Runs, read_metrics, style
from common.measure.image_lines import tiled
from common.runs.folders import COLUMNS
from replications.ncsnv2 import figures_exact, figures_interpolation
from replications.ncsnv2.figures import figures, tables
from replications.ncsnv2.names import INTERPOLATIONS, LADDERS, STARTS, name, shade

NOISE = np.random.default_rng(0)
SEEDS = (0, 1)
# the largest levels over the median distance, and what chains from uniform noise cover
ARMS = {"largest distance": (1.5, 1.0), "1": (0.4, 0.9), "median / 18": (1 / 18, 0.6)}
SHARES = {"uniform": 1.0, "grey": 0.5, "one image": 0.1}
MEASURES = ("distance_over_data", "distinct_centres", "class_variation")
ANGLES = (90.0, 45.0)


def images(*shape):
    return NOISE.uniform(-1, 1, (*shape, 1, 8, 8)).astype(np.float16)


def row(metric, value, **more):
    return {"metric": metric, "value": value, "status": "ok", **more}


def run(folder, experiment, dataset, rows, arrays, seed):
    path = folder / experiment / dataset / f"seed{seed}"
    path.mkdir(parents=True)
    np.savez(path / "arrays.npz", **arrays)
    table = pd.DataFrame(rows, columns=COLUMNS).assign(paper="ncsnv2", experiment=experiment, level="laptop", seed=seed)
    table.assign(dataset=dataset).to_csv(path / "metrics.csv", index=False)
    seal(path, paper="ncsnv2", experiment=experiment, seed=seed, dataset=dataset, settings={})
    return RunFolder.open(path)


def exact_run(folder, dataset, seed):
    measures = MEASURES if dataset == "digits" else MEASURES[:2]
    rows = [
        row(metric, 1 + 0.1 * k, method="data", variant="exact draws", floor=1 + 0.1 * k) for k, metric in enumerate(measures)
    ]
    rows += [row("median_distance", 3, method="data", variant="centres")]
    for arm, (level, covered) in ARMS.items():
        covered *= 1 if dataset == "digits" else 0.5
        # the median distance of a replicate moves all levels but its own share
        at = level if "18" in arm else level + 0.02 * seed
        for start, share in SHARES.items():
            where = {"method": start, "variant": arm, "axis": "sigma_over_median", "at": at, "nfe": round(100 * level)}
            rows += [
                row(metric, covered * share + k + seed / 10, floor=1 + 0.1 * k, **where) for k, metric in enumerate(measures)
            ]
    if dataset == "digits":
        for levels in (50, 5):
            where = {"method": "uniform", "variant": "split", "axis": "levels", "at": levels, "nfe": 100}
            rows += [row(metric, levels / 10, **where) for metric in measures]
    for arm, sigma in (("largest distance", 1.5), ("1", 0.4)):
        where = {"variant": arm, "axis": "sigma_over_median", "at": sigma}
        rows += [row("log10_bound_at_median", -sigma, **where)]
        for method, share in (("mixture", 0.3), ("two images alone", 0.9)):
            rows += [row("largest_over_bound", share, method=method, error=0.01, **where)]
            rows += [row("median_over_bound", share / 2, method=method, **where)]
    arrays = {f"{arm}, {start}": images(12) / 2 + 0.5 for arm in ARMS for start in SHARES} | {"exact draws": images(12) / 2 + 0.5}
    return run(folder, "exact_scores", dataset, rows, arrays, seed)


def resolution_run(folder, dataset, seed):
    rows = []
    for dim in (48, 192):
        for method, value in (("ncsnv2", 1), ("ncsn", 48 / dim)):
            where = {"method": method, "axis": "dimensions", "at": dim, "variant": dataset}
            rows += [row(metric, value + 0.1 * seed, floor=1.1, **where) for metric in MEASURES[:2]]
            rows += [row("sigma_over_median", 2 * value, **where)]
    return run(folder, "resolution", dataset, rows, {}, seed)


def interpolation_run(folder, dataset, seed):
    rows = []
    for place, method in enumerate(INTERPOLATIONS, start=1):
        for angle in ANGLES:
            for factor, space in ((1, "pixels"), (2, "features")):
                where = {"method": method, "variant": space, "axis": "angle", "at": angle}
                rows += [row("step_over_independent", factor * place * angle / 90, **where)]
                rows += [row("largest_step_over_independent", 3 * factor * place * angle / 90, **where)]
        for at, value in ((0, 4 + seed), (0.5, 10 * place), (1, 6 + seed)):
            rows += [row("feature_frechet", value, method=method, variant=dataset, axis="point", at=at, floor=1.5)]
    return run(folder, "interpolation", dataset, rows, {method: images(8, 3) for method in INTERPOLATIONS}, seed)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    made = [(exact_run, "digits"), (exact_run, "patches"), (resolution_run, "patches"), (interpolation_run, "digits")]
    return Runs([make(folder, dataset, seed) for make, dataset in made for seed in SEEDS], "ncsnv2")


@pytest.fixture(scope="module")
def drawn(runs):
    with style():
        yield {figure.id: figure for figure in (draw() for draw in figures(runs))}


@pytest.fixture(scope="module")
def found_tables(runs):
    return {table.id: table for table in tables(pd.concat([read_metrics(run.path / "metrics.csv") for run in runs.folders]))}


def lines(axis, label):
    return [list(line.get_ydata()) for line in axis.lines if line.get_label() == label]


PICTURES = {"largest-level-digits", "largest-level-patches", "interpolated-digits"}
PLOTS = {"coverage", "resolution-patches", "interpolation-steps-digits"}


def test_each_names_its_runs_and_where_its_numbers_are(drawn):
    assert set(drawn) == PICTURES | PLOTS
    assert {key for key in drawn if drawn[key].photographic} == PICTURES
    for figure in drawn.values():
        assert figure.runs and (figure.arrays or len(figure.data))
        assert figure.alt.endswith(".") and figure.caption.startswith("Cf. ")


def test_no_id_is_the_beginning_of_another(drawn, found_tables):
    of_figures = {key.removesuffix("-digits").removesuffix("-patches") for key in drawn}
    for ids in (of_figures, set(found_tables)):
        assert not [(one, other) for one in ids for other in ids if one != other and other.startswith(one)]


def test_pictures_stand_at_their_level_and_start(drawn):
    figure = drawn["largest-level-digits"]
    *axes, last = figure.figure.axes
    keys = [f"{arm}, {start}" for start in STARTS for arm in ("median / 18", "largest distance")]
    assert [axis.get_ylabel() for axis in axes[::2]] == [name(start) for start in STARTS]
    assert ["18" in axis.get_title() for axis in axes[:2]] == [True, False]
    for axis, key in zip(axes, keys, strict=True):
        expected = tiled(2 * figure.runs[0].arrays[key][:8] - 1, 8, 1)[..., 0]
        np.testing.assert_allclose(axis.images[0].get_array(), expected, atol=1e-3)
    assert last.images[0].get_array().shape == (3 * 9 - 1, 4 * 9 - 1), "twelve draws, four in a line"


def test_pictures_that_were_not_kept_leave_gaps(runs):
    found = runs.find("exact_scores", dataset="digits")[0]
    fewer = RunFolder(found.path, found.info)
    fewer.__dict__["arrays"] = {
        key: kept for key, kept in found.arrays.items() if key not in ("median / 18, grey", "exact draws")
    }
    with style():
        shown = [bool(axis.images) for axis in figures_exact.pictures(fewer, "digits").figure.axes]
    assert shown == [True, True, False, True, True, True, False]


def test_starts_and_interpolations_have_names_and_colours_of_their_own():
    for methods in (STARTS, INTERPOLATIONS, LADDERS):
        assert len({shade(method) for method in methods}) == len({name(method) for method in methods}) == len(methods)


def test_coverage_by_level_with_a_line_for_each_start_and_what_exact_draws_read(drawn):
    axes = drawn["coverage"].figure.axes
    assert [axis.get_title().split(": ")[1] for axis in axes] == ["digits", "digits", "patches", "patches"]
    for axis, factor, more, floor in ((axes[0], 1, 1, 1.1), (axes[1], 1, 0, 1), (axes[2], 0.5, 1, 1.1)):
        for start in STARTS:
            ((*values,),) = lines(axis, name(start))
            assert values == pytest.approx([factor * covered * SHARES[start] + more + 0.05 for covered in (0.6, 0.9, 1)])
        assert lines(axis, "exact draws") == [pytest.approx([floor] * 3)]
        assert axis.lines[0].get_xdata() == pytest.approx([1 / 18, 0.41, 1.51]), "the mean of both replicates"
        assert [text.get_text() for text in axis.get_xticklabels()] == ["0.056\n1/18", "0.41\nNCSN's 1", "1.5\nlargest\ndistance"]


def test_levels_close_by_share_a_mark():
    rows = pd.DataFrame({"variant": ["median / 18", "1", "largest distance"], "at": [1 / 18, 0.06, 1.5]})
    with style():
        axis = figures_exact.grid_of(1, 1, 2)[1][0][0]
        figures_exact.ticks_of_levels(axis, rows)
    assert [text.get_text() for text in axis.get_xticklabels()] == ["0.056\n1/18\nNCSN's 1", "1.5\nlargest\ndistance"]


def test_coverage_by_resolution(drawn):
    reached, distance, levels = drawn["resolution-patches"].figure.axes
    for axis in (reached, distance):
        assert lines(axis, LADDERS["ncsnv2"]) == [[1.05, 1.05]] and lines(axis, LADDERS["ncsn"]) == [pytest.approx([1.05, 0.3])]
        assert lines(axis, "exact draws") == [pytest.approx([1.1, 1.1])]
    assert lines(levels, LADDERS["ncsn"]) == [[2, 0.5]] and not lines(levels, "exact draws")
    assert [text.get_text() for text in reached.get_xticklabels()] == ["48", "192"]


def test_noise_interpolation_lies_above_the_blend_of_the_same_pair(drawn):
    figure = drawn["interpolated-digits"]
    arrays = figure.runs[0].arrays
    assert figure.figure.axes[0].get_ylabel() == "noise\nblend"
    for pair, axis in enumerate(figure.figure.axes):
        picture = axis.images[0].get_array()
        np.testing.assert_allclose(picture[:8, -8:], arrays["noise"][pair, -1, 0] / 2 + 0.5, atol=1e-3)
        np.testing.assert_allclose(picture[9:, :8], arrays["blend"][pair, 0, 0] / 2 + 0.5, atol=1e-3)


def test_steps_of_either_interpolation_by_angle_and_what_lies_between(drawn):
    pixels, features, along = drawn["interpolation-steps-digits"].figure.axes
    for axis, factor in ((pixels, 1), (features, 2)):
        for place, method in enumerate(INTERPOLATIONS, start=1):
            mean, farthest = [line for line in axis.lines if line.get_color() == shade(method)]
            assert mean.get_xdata().tolist() == [45, 90] and mean.get_ydata().tolist() == [factor * place / 2, factor * place]
            assert farthest.get_ydata().tolist() == [1.5 * factor * place, 3 * factor * place]
            assert (mean.get_linestyle(), farthest.get_linestyle()) == ("-", ":")
        (unit,) = [line for line in axis.lines if line.get_color() == BLACK]
        assert set(unit.get_ydata()) == {1}
    assert lines(along, name("noise")) == [[4.5, 10, 6.5]] and lines(along, name("blend")) == [[4.5, 20, 6.5]]
    assert set(lines(along, "data")[0]) == {1.5}


def test_an_absent_interpolation_leaves_a_gap(runs):
    found = runs.find("interpolation")[0]
    fewer = RunFolder(found.path, found.info)
    fewer.__dict__["metrics"] = found.metrics[found.metrics.method == "noise"]
    fewer.__dict__["arrays"] = {"noise": found.arrays["noise"]}
    with style():
        assert figures_interpolation.paths(fewer, "digits").figure.axes[0].get_ylabel() == "noise"
        along = figures_interpolation.steps([fewer], "digits").figure.axes[2]
    assert lines(along, name("noise")) and not lines(along, name("blend"))


def test_the_table_of_largest_levels(found_tables):
    table = found_tables["largest-level"]
    digits = table.frame[table.frame.dataset == "digits"]
    assert digits["σ₁"].tolist() == ["median / 18"] * 3 + ["1 (NCSN)"] * 3 + ["largest distance"] * 3 + ["–"]
    assert digits.start.tolist() == [name(start) for start in STARTS] * 3 + ["exact draws"]
    assert digits.iloc[3].tolist()[2:] == ["0.41", "40", "uniform noise", "0.95 ± 0.071", "1.95 ± 0.071", "2.95 ± 0.071"]
    assert digits.iloc[-1].tolist()[2:] == ["–", "–", "exact draws", "1 ± 0", "1.1 ± 0", "1.2 ± 0"]
    assert table.frame.iloc[-1]["class variation"] == "–", "patches have no classes"
    assert list(table.kinds) == (([""] * 9 + ["floor"]) * 2)


def test_the_table_of_one_budget(found_tables):
    table = found_tables["budget-splits"]
    assert table.frame.dataset.unique().tolist() == ["digits"], "patches were not split"
    assert table.frame.L.tolist() == ["5", "50", "exact draws"] and table.frame["T"].tolist() == ["20", "2", "–"]
    assert table.frame["images reached"].tolist() == ["0.5 ± 0", "5 ± 0", "1.1 ± 0"]
    assert list(table.kinds) == ["", "", "floor"]


def test_the_table_of_the_bound(found_tables):
    frame = found_tables["bound"].frame
    digits = frame[frame.dataset == "digits"]
    assert digits["σ"].tolist() == ["1 (NCSN)"] * 2 + ["largest distance"] * 2
    of_ncsn = digits[digits["σ"] == "1 (NCSN)"]
    assert of_ncsn.iloc[0].tolist()[2:] == ["among all images", "-0.4 ± 0", "0.15 ± 0", "0.3 ± 0", "0.01"]
    assert of_ncsn.iloc[1].tolist()[2:] == ["alone", "-0.4 ± 0", "0.45 ± 0", "0.9 ± 0", "0.01"]


def test_the_table_of_interpolations(found_tables):
    table = found_tables["interpolation"]
    frame = table.frame.set_index("interpolation")
    assert frame.index.tolist() == [name("noise"), name("blend"), "data"] and list(table.kinds) == ["", "baseline", "floor"]
    assert frame.loc[name("noise")].tolist() == ["digits", "0.5 ± 0", "1 ± 0", "3 ± 0", "5.5 ± 0.71", "10 ± 0"]
    assert frame.loc[name("blend"), "in the middle"] == "20 ± 0" and "45°" in table.caption
    assert frame.loc["data"].tolist() == ["digits", "–", "–", "–", "1.5 ± 0", "1.5 ± 0"]
