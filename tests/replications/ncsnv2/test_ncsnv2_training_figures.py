"""Figures and tables of trainings and of the sampler's settings: that what is drawn is what was saved, and what is not there."""

import numpy as np
import pandas as pd
import pytest
from sealed import seal

from common.measure.figures import RunFolder, Runs, read_metrics, style
from common.measure.image_lines import tiled
from common.runs.folders import COLUMNS
from replications.ncsnv2 import figures, figures_training
from replications.ncsnv2.names import ARMS, NETWORKS, name, shade
from replications.ncsnv2.states import fluctuation, spread_about_trend

NOISE = np.random.default_rng(0)
DATA = {"dataset": "digits"}
STATES = [0.4, 0.6, 0.8, 1.0]
SIGMAS = [1.0, 0.1, 0.01]
SEEDS = (0, 1)
ABSENT = "ncsn_124"
# distances of an arm at the states; the least is the data's own
PATHS = {
    "ncsn": [8, 10, 6, 5],
    "ncsn_5": [7, 6, 5, 4],
    "ncsn_1245": [4, 4, 4, 4],
    "ncsn_1234": [9, 7, 9, 7],
    "ncsnv2": [5, 4, 3, 2],
}


def images(count):
    return NOISE.uniform(-1, 1, (count, 1, 8, 8)).astype(np.float16)


def row(metric, value, **more):
    return {"metric": metric, "value": value, "status": "ok", **DATA, **more}


def run(folder, experiment, rows, arrays, seed, **settings):
    path = folder / experiment / f"seed{seed}"
    path.mkdir(parents=True)
    np.savez(path / "arrays.npz", **arrays)
    table = pd.DataFrame(rows, columns=COLUMNS).assign(paper="ncsnv2", experiment=experiment, level="laptop", seed=seed)
    table.to_csv(path / "metrics.csv", index=False)
    seal(path, paper="ncsnv2", experiment=experiment, seed=seed, dataset="digits", settings=settings)
    return RunFolder.open(path)


def ablation_run(folder, seed):
    rows = [row("feature_frechet", 1, method="data", variant="train split", floor=1)]
    rows += [row("mean_colour", 0.3, method="data", variant="channel 0")]
    for place, (arm, path) in enumerate(PATHS.items()):
        for share, value in zip(STATES, path):
            along = {"method": arm, "axis": "state", "at": share}
            rows += [row("frechet_of_state", value + seed, floor=1, nfe=111, variant="digits", **along)]
            rows += [row("mean_colour", 0.3 + 0.01 * place * (1 if share == 0.4 else -1), variant="channel 0", **along)]
        rows += [row("feature_frechet", path[-1] + extra, method=arm, variant=variant, floor=1)
                 for variant, extra in (("not denoised", 10), ("denoised", 0))]  # fmt: skip
        rows += [row("denoising_change", 0.2, method=arm)]
    arrays = {f"{arm} at {share:g}": images(16) for arm in PATHS for share in STATES}
    arrays |= {key: images(12) for key in ("copied", "nearest_pixels", "nearest_features")}
    return run(folder, "ablation", rows, arrays, seed, states=STATES[:-1], network="shared")


def settings_run(folder, seed):
    rows = [row("feature_frechet", 1, method="data", variant="train split", floor=1)]
    for count, value, mass in ((5, 20, 0), (21, 6, 0.51), (105, 16, 0.99)):
        along = {"method": "ncsnv2", "axis": "levels", "at": count}
        rows += [row("frechet_of_levels", value + seed, floor=1, nfe=106, **along), row("shell_mass", mass, **along)]
    for size, value in ((0.5, 17), (1, 6), (8, 28)):
        along = {"method": "ncsnv2", "axis": "size", "at": size, "variant": "unstable" if size == 8 else "stable"}
        rows += [row("frechet_of_sizes", value + seed, floor=1, nfe=106, **along)]
        rows += [row("relative_step", 0.4 * size, **along), row("diverged_share", float(size == 8), **along)]
    arrays = {key: images(12) for key in ("levels 5", "levels 21", "levels 105", "size 0.5", "size 1", "size 8")}
    return run(folder, "sampler_settings", rows, arrays, seed)


def losses_run(folder, seed):
    rows, arrays = [row("parameters", 2e6, method="ncsnv2") | {"dataset": ""}], {}
    for length, count in ((10, 3e6), (100, 4.5e6)):
        rows += [row("parameters", count, method="ncsnv2_index", axis="levels", at=length) | {"dataset": ""}]
    for factor, method in enumerate(NETWORKS, start=1):
        for split, more in (("train", 1), ("test", 1.5)):
            rows += [row("objective", 10 * factor * more, method=method, variant=split)]
            for sigma, loss in zip(SIGMAS, (2, 4, 8)):
                along = {"method": method, "variant": split, "axis": "sigma", "at": sigma}
                rows += [row("weighted_loss", loss * factor * more, **along), row("score_norm", factor * more / sigma, **along)]
        rows += [row("smoothed_loss", 0.3 * factor, method=method)]
        arrays |= {f"loss_{method}": factor * np.array([4.0, 2.0, 1.0]), f"step_{method}": np.array([5, 10, 15])}
    return run(folder, "losses", rows, arrays, seed)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return Runs([make(folder, seed) for make in (ablation_run, settings_run, losses_run) for seed in SEEDS], "ncsnv2")


@pytest.fixture(scope="module")
def drawn(runs):
    with style():
        yield {figure.id: figure for figure in (draw() for draw in figures.figures(runs))}


@pytest.fixture(scope="module")
def tables(runs):
    metrics = pd.concat([read_metrics(run.path / "metrics.csv") for run in runs.folders])
    return {table.id: table for table in figures.tables(metrics)}


def of_colour(axis, colour):
    return [line.get_ydata().tolist() for line in axis.lines if line.get_color() == colour]


def dashed(axis, direction="y"):
    return [getattr(line, f"get_{direction}data")()[0] for line in axis.lines if line.get_linestyle() == "--"]


PICTURES = {"samples-digits", "copies-digits", "settings-pictures-digits"}
PLOTS = {"stability-digits", "ablation-digits", "curves-digits", "generalisation-digits", "levels-digits", "sizes-digits"}


def test_each_names_its_runs_and_where_its_numbers_are(drawn):
    assert set(drawn) >= PICTURES | PLOTS
    assert {key for key in PICTURES | PLOTS if drawn[key].photographic} == PICTURES
    for figure in drawn.values():
        assert figure.runs and (figure.arrays or len(figure.data))
        assert figure.alt.endswith(".") and figure.caption.startswith("Cf. ")


def test_no_id_is_the_beginning_of_another(drawn, tables):
    for ids in ([key.removesuffix("-digits") for key in drawn], list(tables)):
        assert not [(one, other) for one in ids for other in ids if one != other and other.startswith(one)]


def test_arms_have_names_and_colours_of_their_own():
    assert len({shade(arm) for arm in ARMS}) == len({name(arm) for arm in ARMS}) == len(ARMS) == 6


def test_each_training_has_a_panel_with_its_two_weights_replicates_and_what_data_read(drawn):
    (first, ladder, last), (brightness, *_) = drawn["stability-digits"].figure.axes[:3], drawn["stability-digits"].figure.axes[3:]
    assert of_colour(first, shade("ncsn")) == [[8, 10, 6, 5], [9, 11, 7, 6], [8.5, 10.5, 6.5, 5.5]]
    assert of_colour(first, shade("ncsn_5"))[0] == [7, 6, 5, 4] and not of_colour(first, shade("ncsnv2"))
    assert not of_colour(ladder, shade(ABSENT)) and of_colour(ladder, shade("ncsn_1245"))
    assert of_colour(last, shade("ncsnv2"))[-1] == [5.5, 4.5, 3.5, 2.5]
    assert first.lines[0].get_xdata().tolist() == STATES
    assert dashed(first) == [1] and dashed(brightness) == [0.3]
    assert of_colour(brightness, shade("ncsn_5"))[-1] == pytest.approx([0.31, 0.29, 0.29, 0.29])


def test_each_colour_of_the_pixels_has_its_line_of_panels(runs):
    (found, _) = runs.find("ablation")
    of_colour_0 = found.metrics[found.metrics.metric == "mean_colour"]
    others = [of_colour_0.assign(variant=f"channel {k}", value=of_colour_0.value + k / 10) for k in (2, 1)]
    coloured = RunFolder(found.path, found.info)
    coloured.__dict__["metrics"] = pd.concat([found.metrics, *others])
    with style():
        axes = figures_training.stability([coloured], "digits").figure.axes[::3]  # NCSN's
    labels = ["feature Fréchet distance", "mean of red", "mean of green", "mean of blue"]
    assert [axis.get_ylabel() for axis in axes] == labels
    assert [dashed(axis)[0] for axis in axes] == pytest.approx([1, 0.3, 0.4, 0.5])
    assert of_colour(axes[3], shade("ncsn_5"))[-1] == pytest.approx([0.51, 0.49, 0.49, 0.49])


def test_arms_in_dots_at_the_end_and_as_a_mean(drawn):
    left, right = drawn["ablation-digits"].figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == [name(arm) for arm in ARMS]
    ends, means = (
        {
            line.get_ydata()[0]: line.get_xdata().tolist()
            for line in axis.lines
            if line.get_marker() == "o" and len(line.get_xdata())
        }
        for axis in (left, right)
    )
    assert ends[0] == [5, 6] and means[0] == [7.25, 8.25], "NCSN is at the top"
    assert ends[5] == [2, 3] and means[5] == [3.5, 4.5]
    assert set(ends) == {0, 1, 3, 4, 5}, "the absent arm leaves its line empty"
    assert dashed(left, "x") == dashed(right, "x") == [1]


def test_samples_are_those_of_the_last_two_states(drawn):
    figure = drawn["samples-digits"]
    axes, arrays = figure.figure.axes, figure.runs[0].arrays
    keys = [f"{arm} at {share}" for arm in ("ncsn", "ncsn_1234", "ncsnv2") for share in ("0.8", "1")]
    assert [axis.get_title() for axis in axes[:2]] == ["after 80% of the training", "after 100% of the training"]
    for axis, key in zip(axes, keys, strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), tiled(arrays[key], 8, 1)[..., 0])


def test_arms_and_neighbours_that_were_not_kept_leave_gaps(runs):
    (found, _) = runs.find("ablation")
    fewer = RunFolder(found.path, found.info)
    fewer.__dict__["arrays"] = {key: kept for key, kept in found.arrays.items() if key not in ("ncsn at 1", "nearest_features")}
    with style():
        shown = [bool(axis.images) for axis in figures_training.samples(fewer, "digits").figure.axes]
        assert shown == [True, False, True, True, True, True]
        assert len(figures_training.copies(fewer, "digits").figure.axes) == 2


def test_samples_lie_above_their_neighbours(drawn):
    axes, arrays = drawn["copies-digits"].figure.axes, drawn["copies-digits"].runs[0].arrays
    for axis, key in zip(axes, ("copied", "nearest_pixels", "nearest_features"), strict=True):
        np.testing.assert_allclose(axis.images[0].get_array()[:, :8], arrays[key][0, 0] / 2 + 0.5, atol=1e-3)


def test_curves_and_the_ratio_of_what_is_told_nothing(drawn):
    left, right = drawn["curves-digits"].figure.axes
    assert of_colour(left, shade("ncsnv2")) == [[4, 2, 1]] * 2 and of_colour(left, shade("ncsnv2_index")) == [[8, 4, 2]] * 2
    assert of_colour(right, shade("ncsnv2")) == [[0.5] * 3] * 2
    assert sum(line.get_label() == NETWORKS["ncsnv2"] for line in left.lines) == 1


def test_losses_of_unseen_images_over_those_of_training_images(drawn):
    left, middle, right = drawn["generalisation-digits"].figure.axes
    (untold,), (told,) = (of_colour(left, shade(method)) for method in NETWORKS)
    assert untold == [12, 6, 3] and told == [24, 12, 6], "from the least level up, of unseen images"
    assert of_colour(middle, shade("ncsnv2")) == [[1.5] * 3] and dashed(middle) == [1]
    np.testing.assert_allclose(of_colour(right, shade("ncsnv2_index")), [[3] * 3])
    assert all(axis.xaxis_inverted() for axis in (left, middle, right))


def test_distance_and_mass_by_the_number_of_levels(drawn):
    above, below = drawn["levels-digits"].figure.axes
    assert above.lines[0].get_xdata().tolist() == [5, 21, 105]
    assert above.lines[0].get_ydata().tolist() == [20.5, 6.5, 16.5] and dashed(above) == [1]
    assert below.lines[0].get_ydata().tolist() == [0, 0.51, 0.99]


def test_steps_beyond_the_limit_are_marked(drawn):
    (axis,) = drawn["sizes-digits"].figure.axes
    (crosses,) = [line for line in axis.lines if line.get_marker() == "x"]
    assert crosses.get_xdata().tolist() == [8, 8] and sorted(crosses.get_ydata()) == [28, 29]
    (grey,) = axis.patches
    assert grey.get_x() == pytest.approx(2 / 0.4), "where 0.4 of technique 4's would be 2"
    assert axis.lines[0].get_ydata().tolist() == [17.5, 6.5, 28.5]


def test_pictures_of_a_setting_stand_at_its_name(drawn):
    figure = drawn["settings-pictures-digits"]
    found = {axis.get_ylabel(): axis.images[0].get_array() for axis in figure.figure.axes}
    assert list(found) == ["L = 5", "ε × 0.5", "L = 21", "ε × 1", "L = 105", "ε × 8"]
    np.testing.assert_allclose(found["ε × 8"][:, :8], figure.runs[0].arrays["size 8"][0, 0] / 2 + 0.5, atol=1e-3)


def test_spread_is_that_about_a_line():
    assert spread_about_trend(pd.Series([1.0, 3.0, 5.0], [0.4, 0.5, 0.6])) == pytest.approx(0)
    # residuals of 0, 3, 0 from their line, which is level at their mean 1: -1, 2, -1
    assert spread_about_trend(pd.Series([0.0, 3.0, 0.0], [0.4, 0.5, 0.6])) == pytest.approx(np.sqrt(2))
    assert np.isnan(spread_about_trend(pd.Series([0.0, 3.0], [0.4, 0.5])))


def test_fluctuation_ends_where_the_learning_rate_falls_and_takes_each_colour_alone():
    at = [0.4, 0.6, 0.8, 1.0]
    one = pd.DataFrame({"at": at, "value": [0.0, 3.0, 0.0, 100.0], "variant": "channel 0"})
    flat = one.assign(value=[5.0, 5.0, 5.0, 100.0], variant="channel 1")
    assert fluctuation(one) == pytest.approx(np.sqrt(2))
    assert fluctuation(pd.concat([one, flat])) == pytest.approx(np.sqrt(2) / 2)


def test_the_table_of_arms(tables):
    table = tables["ablation"]
    frame = table.frame.set_index("arm")
    assert list(frame.index) == [name(arm) for arm in ARMS if arm != ABSENT] + ["data"]
    assert list(table.kinds) == [""] * 5 + ["floor"]
    assert frame.loc["NCSN", "distance at the end"] == "5.5 ± 0.71" and frame.loc["NCSNv2", "mean over states"] == "4 ± 0.71"
    # 8, 10, 6 about the line 9, 8, 7: -1, 2, -1
    assert frame.loc["NCSN", "fluctuation"].startswith("1.414 ±")
    assert frame.loc["NCSN + both (1, 2, 4, 5)", "colour off data's, %"] == "2 ± 0", "whatever its sign"
    # 1, -1, -1 percent about a line, of the second arm
    assert float(frame.loc["NCSN + averaging (5)", "colour's fluctuation, %"].split()[0]) == pytest.approx(
        2 / 3 / np.sqrt(2), 1e-3
    )
    assert frame.loc["data", "distance at the end"] == "1 ± 0" and frame.loc["data", "mean over states"] == "–"


def test_the_table_of_the_last_step(runs, tables):
    frame = tables["denoising"].frame.set_index("arm")
    assert frame.loc["NCSNv2"].tolist() == ["digits", "12 ± 0", "2 ± 0", "0.2 ± 0"]
    assert frame.loc["data"].tolist() == ["digits", "1 ± 0", "1 ± 0", "–"]
    metrics = pd.concat([run.metrics for run in runs.find("ablation")])
    scored = metrics[(metrics.metric == "feature_frechet") & (metrics.method == "ncsnv2")]
    fid = scored.assign(metric="fid", value=scored.variant.map({"not denoised": 30.0, "denoised": 10.0}))
    frame = {table.id: table for table in figures.tables(pd.concat([metrics, fid]))}["denoising"].frame.set_index("arm")
    assert frame.loc["NCSNv2", ["FID without it", "FID with it"]].tolist() == ["30 ± 0", "10 ± 0"]
    assert frame.loc["NCSN", "FID with it"] == "–"


def test_the_table_of_settings(tables):
    table = tables["sampler-settings"]
    frame = table.frame.set_index("setting")
    assert list(frame.index) == ["L = 5", "L = 21", "L = 105", "ε × 0.5", "ε × 1", "ε × 8", "data"]
    assert table.kinds[-1] == "floor" and set(table.kinds[:-1]) == {""}
    assert frame.loc["L = 21"].tolist() == ["digits", "106", "0.510", "–", "6.5 ± 0.71", "–"]
    assert frame.loc["ε × 8"].tolist() == ["digits", "106", "–", "3.2", "28.5 ± 0.71", "1 ± 0"]
    assert frame.loc["data"].tolist() == ["digits", "–", "–", "–", "1 ± 0", "–"]


def test_the_table_of_losses(tables):
    frame = tables["losses"].frame.set_index("network")
    assert list(frame.columns[-2:]) == ["parameters, L = 10", "parameters, L = 100"]
    assert frame.loc["told no level (NCSNv2)"].tolist() == ["digits", "10 ± 0", "15 ± 0", "0.3 ± 0", "2.0", "2.0"]
    assert frame.loc["told the level"].tolist() == ["digits", "20 ± 0", "30 ± 0", "0.6 ± 0", "3.0", "4.5"]
