"""Figures and tables of what a test writes: that what is drawn is what was saved, and what can be taken away with each."""

import numpy as np
import pandas as pd
import pytest
from sealed import seal

from common.measure.figures import COLOURS, RunFolder, Runs, read_metrics, style
from common.measure.image_lines import tiled
from common.runs.folders import COLUMNS
from replications.ncsn import figures, figures_levels, figures_samples, figures_toys

NOISE = np.random.default_rng(0)
SIGMAS = [1.0, 0.1, 0.01]
MOMENTS, POINTS = 4 * len(SIGMAS), 15
STEP = {"steps": 100, "rho": 0.2}
LADDER = {"sigma_max": 10.0, "sigma_min": 0.1, "eps": 0.1}
DATA = {"dataset": "digits"}


def images(*shape):
    return NOISE.uniform(-1, 1, (*shape, 1, 8, 8)).astype(np.float16)


def row(metric, value, **more):
    return {"metric": metric, "value": value, "status": "ok", **more}


def along(metric, values, method="ncsn"):
    return [row(metric, value, method=method, axis="sigma", at=at, floor=0.5, **DATA) for value, at in zip(values, SIGMAS)]


def run(folder, experiment, settings, rows, arrays, seed=0, dataset=""):
    path = folder / experiment / f"seed{seed}"
    path.mkdir(parents=True)
    np.savez(path / "arrays.npz", **arrays)
    table = pd.DataFrame(rows, columns=COLUMNS).assign(paper="ncsn", experiment=experiment, level="laptop", seed=seed)
    table.to_csv(path / "metrics.csv", index=False)
    seal(path, paper="ncsn", experiment=experiment, seed=seed, dataset=dataset, settings=settings)
    return RunFolder.open(path)


def mixture_rows(seed):
    rows = [row("heavy_share", 0.8 + seed / 100, method="data", nfe=0), row("variance_in_modes", 1, method="data", nfe=0)]
    rows += [row("heavy_share", share, method=name) for name, share in (("langevin", 0.5), ("appendix", 0.78), ("short", 0.56))]
    rows += [row("heavy_share", 0.49, method="langevin", variant="weights", axis="weight", at=at) for at in (0.1, 0.9)]
    return [*rows, {"metric": "heavy_share", "method": "main_text", "status": "refused", "message": "not finite"}]


def sample_rows():
    rows = [row("feature_frechet", 1, method="data", variant="train split", floor=1, **DATA)]
    rows += [row("feature_frechet", 30, method="noise", variant="uniform noise", floor=1, **DATA)]
    rows += [row("nearest_in_pixels", 2, method="data", variant="test split", **DATA)]
    cells = {("ncsn", "annealed"): 3, ("ncsn", "plain"): 6, ("ncsn_single", "plain"): 40}
    for (method, variant), value in cells.items():
        rows += [row("feature_frechet", value, method=method, variant=variant, nfe=1000, floor=1, **DATA)]
    rows += [row("frechet_of_settings", 4, method="ncsn", variant="T = 30, ρ = 0.2", nfe=300, floor=1, **DATA)]
    rows += [row("feature_frechet", 3.5, method="ncsn", variant="annealed, denoised", nfe=1001, floor=1, **DATA)]
    rows += [row("confidence", 0.9, method=method, variant="digits", **DATA) for method in ("ncsn", "data")]
    rows += along("nearest_on_the_way", (7, 3, 2)) + along("frechet_on_the_way", (9, 4, 3))
    return rows + along("drift_over_noise", (0.1, 0.09, 0.08))


def objective_rows():
    rows = along("weighted_loss", (2, 4, 8)) + along("score_norm", (8, 80, 400))
    rows += along("score_norm", (9, 90, 500), "bound")
    rows += along("weighted_loss", (2, 4, 8), "dsm") + along("weighted_loss", (3, 4, 4), "ssm")
    for place, method in enumerate(("ncsn", "dsm", "ssm", "ncsn at 30%")):
        rows += [row("objective", 10 + place, method=method, **DATA), row("feature_frechet", 3 + place, method=method, **DATA)]
    rows += [row("operations_over_dsm", 2.5, method="ssm_forward", variant="mlp", **DATA)]
    return [*rows, row("operations_over_dsm", 1.7, method="ssm", variant="mlp", **DATA)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    losses = {f"{what}_{source}_{kind}": np.arange(6.0) for what in ("step", "loss") for source in ("circle", "digits")
              for kind in ("clean", "noised")}  # fmt: skip
    x = np.linspace(-8, 8, POINTS)
    grid = np.stack(np.meshgrid(x, x, indexing="ij"), -1).reshape(-1, 2)
    regions = {
        "grid": grid,
        "exact": grid[:, ::-1],
        "learned": -grid,
        "error": np.exp(grid[:, 0] / 8),
        "density": np.exp(grid[:, 0]),
    }
    points = {name: NOISE.normal(size=(400, 2)) for name in ("data", "langevin", "appendix", "short")}
    cells = {f"{network}_{sampler}": images(24) for network in ("ncsn", "ncsn_single") for sampler in ("annealed", "plain")}
    copies = {key: images(12) for key in ("copied", "nearest_pixels", "nearest_features")}
    mask = np.zeros((1, 8, 8), dtype=bool)
    mask[..., :4] = True
    mixtures = {"ladders": {"appendix": LADDER, "short": LADDER, "main_text": LADDER}}
    sampled, given = {**cells, **copies, "moments": images(MOMENTS, 24)}, {"step": STEP}
    return Runs(
        [
            run(folder, "manifold", {"dimensions": 16, "noise": 0.1}, [], losses, dataset="digits"),
            run(folder, "score_regions", {"points": POINTS}, [], regions),
            *(run(folder, "mixture", mixtures, mixture_rows(seed), points, seed) for seed in (0, 1)),
            run(folder, "samples", given, sample_rows(), sampled, dataset="digits"),
            run(folder, "objectives", {}, objective_rows(), {}, dataset="digits"),
            run(
                folder,
                "inpainting",
                {},
                [],
                {"truth": images(6), "mask_half": mask, "completed_half": images(6, 4)},
                dataset="digits",
            ),
        ],
        "ncsn",
    )


@pytest.fixture(scope="module")
def drawn(runs):
    with style():
        yield {figure.id: figure for figure in (draw() for draw in figures.figures(runs))}


@pytest.fixture(scope="module")
def tables(runs):
    metrics = pd.concat([read_metrics(run.path / "metrics.csv") for run in runs.folders])
    return {table.id: table for table in figures.tables(metrics[metrics.status == "ok"])}


def line(axis, label):
    return next(line.get_ydata() for line in axis.lines if line.get_label() == label)


PICTURES = {"score-regions", "samples-digits", "annealing-digits", "copies-digits", "inpainting-digits"}


def test_each_names_its_runs_and_where_its_numbers_are(drawn):
    others = {"levels-digits", "sliced-digits", "ranking-digits", "on-the-way-digits", "sampler-steps-digits"}
    assert set(drawn) == PICTURES | others | {"manifold-digits", "mixture", "mode-shares"}
    assert {name for name, figure in drawn.items() if figure.photographic} == PICTURES
    for figure in drawn.values():
        assert figure.runs and (figure.arrays or len(figure.data))
        assert not figure.arrays or (figure.runs[0].path / figure.arrays).is_file()
        assert figure.alt.endswith(".") and figure.caption.startswith("Cf. ")


def test_no_id_is_taken_for_another_with_a_data_set_at_its_end(drawn):
    stems = {name.removesuffix("-digits") for name in drawn}
    assert not [(one, other) for one in stems for other in stems if other.startswith(f"{one}-")]


def test_the_paper_has_colours_of_its_own():
    own = {COLOURS["ncsn"], COLOURS["ncsn_single"]}
    assert len(own) == 2 and not own & {shade for name, shade in COLOURS.items() if not name.startswith("ncsn")}


def test_the_limit_on_the_circle(drawn):
    (left, _) = drawn["manifold-digits"].figure.axes
    assert line(left, "limit with noise, −750")[0] == pytest.approx(-(16 - 1) / (2 * 0.1**2))


def test_arrows_and_map_have_the_first_coordinate_to_the_right(drawn):
    exact, _, where, *_ = drawn["score-regions"].figure.axes
    (arrows,) = exact.collections
    np.testing.assert_allclose(np.stack([arrows.U, arrows.V], 1), arrows.XY[:, ::-1])  # the exact score of this test
    picture = where.images[0].get_array()
    assert (np.diff(picture, axis=1) > 0).all() and np.ptp(picture, axis=0).max() < 1e-6


def test_panels_of_the_mixture_say_the_share_for_the_mixture_itself(drawn):
    shares = {"data": 80, "Langevin": 50, "annealed, appendix": 78, "annealed, short ladder": 56}
    titles = [axis.get_title() for axis in drawn["mixture"].figure.axes]
    assert titles == [f"{name}\n{share}% up right" for name, share in shares.items()]
    assert drawn["mixture"].data.groupby("method").size().tolist() == [figures_toys.LISTED] * 4


def test_what_diverges_is_said_to(drawn, tables):
    (left, right) = drawn["mode-shares"].figure.axes
    names = [label.get_text() for label in left.get_yticklabels()]
    said = {names[round(text.get_position()[1])] for text in left.texts}
    assert "annealed, main text" in said and "Langevin" not in said
    dots, bar, *_ = left.lines
    assert dots.get_xdata().tolist() == [0.8, 0.81] and bar.get_xdata()[0] == pytest.approx(0.805)
    assert all(len(line.get_xdata()) == 2 for line in left.lines if len(line.get_xdata())), "others' weights are not among them"
    assert len(right.lines[1].get_xdata()) == 4, "two weights and two replicates"
    frame = tables["mixture"].frame.set_index("method")
    assert (frame.loc["annealed, main text"] == "diverges").all()
    assert frame.loc["Langevin, weight 0.1", "samples in the heavy mode"] == "0.49 ± 0"
    assert tables["mixture"].kinds[0] == "floor" and set(tables["mixture"].kinds[1:]) == {""}


def test_losses_without_their_weight_and_the_slope_of_the_score(drawn, tables):
    left, middle, right = drawn["levels-digits"].figure.axes
    np.testing.assert_allclose(line(left, "times σ²"), [8, 4, 2])
    np.testing.assert_allclose(line(left, "as it is"), [8e4, 4e2, 2])
    np.testing.assert_allclose(line(middle, "∝ 1/σ"), [800, 80, 8])
    np.testing.assert_allclose(line(middle, "largest possible"), [500, 90, 9])
    np.testing.assert_allclose(line(middle, "network"), [400, 80, 8])
    assert line(right, "ρ / 2")[0] == pytest.approx(0.1)
    frame = tables["levels"].frame
    assert frame["σ"].tolist() == ["1", "0.1", "0.01"]
    assert frame["loss"].tolist() == ["2", "400", "8e+04"] and frame["norm × σ"].tolist() == ["8", "8", "4"]
    assert frame["its bound"].tolist() == ["9", "90", "500"]
    assert frame["drift over noise"].tolist() == ["0.1", "0.09", "0.08"]


def test_noise_falls_to_the_right_in_every_plot_against_it(drawn):
    for name in ("levels-digits", "sliced-digits", "on-the-way-digits"):
        assert all(axis.xaxis_inverted() for axis in drawn[name].figure.axes)


def test_sliced_over_denoising(drawn):
    _, ratio = drawn["sliced-digits"].figure.axes
    np.testing.assert_allclose(ratio.lines[0].get_ydata(), [0.5, 1, 1.5])  # from the least level up


def test_the_ranking_shows_every_model_where_it_is(drawn):
    (axis,) = drawn["ranking-digits"].figure.axes
    places = {mark.get_label(): (*mark.get_xdata(), *mark.get_ydata()) for mark in axis.lines}
    assert places["NCSN"] == (10, 3) and places["NCSN at 30%"] == (13, 6) and len(places) == 4


def test_floors_on_the_way_and_settings_without_the_samplers_that_are_no_annealing(drawn, tables):
    left, right = drawn["on-the-way-digits"].figure.axes
    assert line(left, "test images")[0] == 2 and line(right, "data")[0] == 0.5
    (axis,) = drawn["sampler-steps-digits"].figure.axes
    labels = ["T = 100, ρ = 0.2", "and one denoising step", "T = 30, ρ = 0.2"]
    assert [label.get_text() for label in axis.get_yticklabels()] == labels
    frame = tables["sampler-settings"].frame.set_index("setting")["feature Fréchet distance"]
    assert frame.to_dict() == {"as published": "3", "T = 30, ρ = 0.2": "4", "and one denoising step": "3.5", "data": "1"}


def test_the_still_of_the_annealing_has_a_column_for_each_level_and_the_motion_ends_as_it_ends(drawn):
    figure = drawn["annealing-digits"]
    moments = figure.runs[0].arrays["moments"]
    left, right = figure.figure.axes
    ends = [moments[4 * level + 3, chain] for chain in range(figures_samples.CHAINS) for level in range(len(SIGMAS))]
    np.testing.assert_array_equal(left.images[0].get_array(), tiled(np.stack(ends), len(SIGMAS), 1)[..., 0])
    np.testing.assert_array_equal(right.images[0].get_array(), tiled(moments[-1, :20], 5, 1)[..., 0])
    assert right.get_title() == "σ = 0.01"
    assert len(figure.frames) == MOMENTS and len({frame.shape for frame in figure.frames}) == 1
    assert all((one != other).any() for one, other in zip(figure.frames, figure.frames[1:]))


def test_long_annealing_is_over_in_time(runs):
    (found,) = runs.find("samples")
    long = RunFolder(found.path, found.info)
    long.__dict__["arrays"] = {"moments": images(14 * len(SIGMAS), 24)}
    long.__dict__["metrics"] = found.metrics
    with style():
        figure = figures_samples.annealing(long)
    assert len(figure.frames) <= figures_samples.FRAMES
    shown = figure.figure.axes[1].images[0].get_array()
    np.testing.assert_array_equal(shown, tiled(long.arrays["moments"][-1, :20], 5, 1)[..., 0])


def test_completions_lie_between_what_is_known_and_the_original(drawn):
    figure = drawn["inpainting-digits"]
    arrays = figure.runs[0].arrays
    (axis,) = figure.figure.axes
    picture = axis.images[0].get_array()
    second = picture[9:17]  # the second image's line
    np.testing.assert_allclose(second[:, :4, 0], arrays["truth"][1, 0, :, :4] / 2 + 0.5, atol=1e-3)
    assert (second[:, 4:8].std((0, 1)) < 1e-6).all() and np.ptp(second[0, 4]) > 0.1, "the hole has one colour, which is no grey"
    np.testing.assert_allclose(second[:, 9:17, 1], arrays["completed_half"][1, 0, 0] / 2 + 0.5, atol=1e-3)
    np.testing.assert_allclose(second[:, -8:, 1], arrays["truth"][1, 0] / 2 + 0.5, atol=1e-3)


def test_rows_of_samples_and_of_their_nearest_images_are_those_saved(drawn):
    for name, keys in (
        ("samples-digits", ("ncsn_annealed", "ncsn_plain", "ncsn_single_annealed", "ncsn_single_plain")),
        ("copies-digits", ("copied", "nearest_pixels", "nearest_features")),
    ):
        axes, arrays = drawn[name].figure.axes, drawn[name].runs[0].arrays
        assert len(axes) == len(keys)
        for axis, key in zip(axes, keys):
            np.testing.assert_allclose(axis.images[0].get_array()[:, :8], arrays[key][0, 0] / 2 + 0.5, atol=1e-3)


def test_the_table_of_networks_and_samplers(tables):
    table = tables["network-and-sampler"]
    frame = table.frame.set_index(["network", "sampler"])
    distances = {("NCSN", "annealed"): "3", ("NCSN", "not annealed"): "6", ("one noise level", "not annealed"): "40"}
    distances |= {("data", "–"): "1", ("uniform noise", "–"): "30"}
    assert frame["feature Fréchet distance"].to_dict() == distances
    assert list(table.kinds) == ["", "", "", "floor", "baseline"]
    assert frame.loc[("NCSN", "annealed"), "confidence"] == "0.9" and frame.loc[("NCSN", "not annealed"), "confidence"] == "–"
    assert "FID" not in frame


def test_scores_by_the_published_network_are_columns_where_they_are(runs):
    metrics = pd.concat([run.metrics for run in runs.find("samples")])
    fid = metrics[(metrics.variant == "annealed") & (metrics.metric == "feature_frechet")].assign(metric="fid", value=25.3)
    (table, *_) = figures.tables(pd.concat([metrics, fid]))
    assert table.frame["FID"].tolist() == ["25.3", "–", "–", "–", "–"]


def test_costs_stand_beside_the_objective_that_has_them(tables):
    frame = tables["objectives"].frame.set_index("method")
    assert frame["operations of a step"].to_dict() == {
        "NCSN": "–", "denoising, small": "–", "sliced, small": "1.7", "sliced, forward mode": "2.5", "NCSN at 30%": "–"
    }  # fmt: skip
    assert figures_levels.SHADES.keys() == {"dsm", "ssm"}
