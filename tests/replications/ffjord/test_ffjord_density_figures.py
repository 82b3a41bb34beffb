"""Figures of two-dimensional densities: that what is drawn is what was saved, and that what is missing leaves a gap."""

import numpy as np
import pandas as pd
import pytest
from sealed import seal

from common.learning.data.densities import ENTROPY
from common.measure.figures import RunFolder, Runs, style
from common.runs.folders import COLUMNS
from replications.ffjord import figures_densities
from replications.ffjord.names import name, shade

NOISE = np.random.default_rng(0)
GRID, HALF = 20, 5.0
FLOWS = ("real_nvp", "glow", "ffjord")


def rows_of(dataset, seed, decay):
    floor = ENTROPY.get(dataset, "")
    rows = []
    for place, method in enumerate(("gaussian", *FLOWS, *(["ffjord_decay"] * decay))):
        labels = {"dataset": dataset, "method": method, "status": "ok"}
        rows.append({"metric": "nll", "value": 4 - 0.25 * place + seed / 100, "floor": floor, **labels})
        if floor:
            rows.append({"metric": "gap_share", "value": 0.5 - place / 10, "floor": 0.004, **labels})
        if method != "gaussian":
            rows.append({"metric": "nll_at_two_thirds", "value": 4.1 - 0.25 * place + seed / 100, "floor": floor, **labels})
            rows.append({"metric": "training_seconds", "value": 10.0 * place + seed, **labels})
        if method.startswith("ffjord"):
            counted = {"nfe_forward": (20, 50 + seed), "nfe_backward": (18, 30 + seed)}
            rows += [
                {"metric": metric, "value": value, "axis": "step", "at": at, **labels}
                for metric, values in counted.items()
                for at, value in zip((0, 100), values)
            ]
    return rows


def saved(dataset):
    arrays = {"samples_data": NOISE.uniform(-2, 2, (400, 2)), "trajectory_ffjord": NOISE.normal(size=(4, 30, 2))}
    along_x = np.linspace(0.01, 0.02, GRID)[:, None] * np.ones(GRID)
    for method in ("gaussian", *FLOWS):
        arrays |= {f"density_{method}": along_x, f"samples_{method}": NOISE.normal(size=(400, 2))}
    return {key: values.astype(np.float16) for key, values in arrays.items()}


def run(folder, dataset, seed=0, without=(), decay=False):
    path = folder / dataset / f"seed{seed}"
    path.mkdir(parents=True)
    np.savez(path / "arrays.npz", **saved(dataset))
    rows = [row for row in rows_of(dataset, seed, decay) if row["metric"] not in without and row["method"] not in without]
    table = pd.DataFrame(rows, columns=COLUMNS).assign(paper="ffjord", experiment="densities_2d", level="laptop", seed=seed)
    table.to_csv(path / "metrics.csv", index=False)
    settings = {"half_width": HALF, "grid": GRID, "couplings": {"real_nvp": {}, "glow": {}}}
    settings |= {"train": {"steps": 100}, "coupling_train": {"steps": 440}}
    seal(path, paper="ffjord", experiment="densities_2d", seed=seed, dataset=dataset, settings=settings)
    return RunFolder.open(path)


def drawn_from(runs):
    with style():
        return [draw() for draw in figures_densities.figures(Runs(runs, "ffjord"))]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    runs = [run(folder, "eight_gaussians", seed, decay=True) for seed in (0, 1)] + [run(folder, "moons")]
    with pytest.MonkeyPatch.context() as fast:
        fast.setattr(figures_densities, "FRAMES", 3)
        return {figure.id: figure for figure in drawn_from(runs)}


def test_each_names_its_runs_and_where_its_numbers_are(drawn):
    pictures = {f"{stem}-{dataset}" for stem in ("densities", "paths") for dataset in ("eight_gaussians", "moons")}
    assert set(drawn) == pictures | {"likelihoods", "solver-work"}
    assert {name for name, figure in drawn.items() if figure.photographic} == pictures
    for figure in drawn.values():
        assert figure.runs and len(figure.data) and figure.alt.endswith(".") and figure.caption.endswith(".")


def test_columns_are_data_and_flows_with_their_likelihoods(drawn):
    axes = drawn["densities-eight_gaussians"].figure.axes
    titles = [axis.get_title() for axis in axes[:4]]
    assert titles[0] == "data\nentropy 2.83 nats\n0.4% in gaps"
    assert titles[1:] == [
        "Real NVP\nNLL 3.75 nats\n40.0% in gaps",
        "Glow\nNLL 3.50 nats\n30.0% in gaps",
        "FFJORD\nNLL 3.25 nats\n20.0% in gaps",
    ]
    assert [axis.get_title() for axis in drawn["densities-moons"].figure.axes[:2]] == ["data", "Real NVP\nNLL 3.75 nats"]


def test_maps_share_a_scale_and_have_the_first_coordinate_to_the_right(drawn):
    figure = drawn["densities-eight_gaussians"]
    maps, samples = figure.figure.axes[:4], figure.figure.axes[4:]
    assert len({axis.images[0].get_clim() for axis in maps}) == 1
    exact = maps[0].images[0].get_array()
    assert exact.sum() * (2 * HALF / GRID) ** 2 == pytest.approx(1, abs=0.02)
    learned = maps[3].images[0].get_array()
    assert (np.diff(learned.astype(float), axis=1) >= 0).all() and np.ptp(learned, axis=0).max() == 0
    for axis, method in zip(samples, ("data", *FLOWS)):
        points = axis.collections[0].get_offsets()
        np.testing.assert_array_equal(points, figure.runs[0].arrays[f"samples_{method}"].astype(np.float32))


def test_a_histogram_is_a_density_where_no_closed_form_is_known(drawn):
    counts = figures_densities.histogram(drawn["densities-moons"].runs[0].arrays["samples_data"], GRID, HALF)
    assert counts.shape == (GRID, GRID) and counts.sum() * (2 * HALF / GRID) ** 2 == pytest.approx(1)
    np.testing.assert_array_equal(drawn["densities-moons"].figure.axes[0].images[0].get_array(), counts.T)
    assert "histogram" in drawn["densities-moons"].caption and "gaps" not in drawn["densities-moons"].caption.lower()


def test_paths_are_those_saved_and_the_motion_ends_in_the_samples(drawn):
    figure = drawn["paths-moons"]
    points = figure.runs[0].arrays["trajectory_ffjord"].astype(float)
    *stills, moving = figure.figure.axes
    for axis, now in zip(stills, points, strict=True):
        np.testing.assert_array_equal(axis.collections[0].get_offsets(), now)
    trails, places = moving.collections
    np.testing.assert_allclose(places.get_offsets(), points[-1], atol=1e-9)
    way = trails.get_segments()[7]
    np.testing.assert_allclose(way[[0, -1]], points[[0, -1], 7], atol=1e-9)
    assert len(figure.frames) == 4 and len({frame.shape for frame in figure.frames}) == 1
    assert all((one != other).any() for one, other in zip(figure.frames, figure.frames[1:]))


def test_gains_are_within_a_replicate(drawn):
    axis = next(axis for axis in drawn["likelihoods"].figure.axes if axis.get_title() == "eight Gaussians")
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels == ["Real NVP\n10.5 s", "Glow\n20.5 s", "FFJORD\n30.5 s", "FFJORD,\nweight decay\n40.5 s"]
    lines = axis.lines
    np.testing.assert_allclose([lines[2 * place].get_xdata() for place in range(4)], np.outer([0.25, 0.5, 0.75, 1], [1, 1]))
    hollow = {tuple(line.get_ydata()): line.get_xdata()[0] for line in lines if line.get_markerfacecolor() == "white"}
    assert hollow == pytest.approx({(place,): 0.25 * (place + 1) - 0.1 for place in range(4)})
    assert lines[-1].get_xdata()[0] == pytest.approx(4.005 - ENTROPY["eight_gaussians"])


def test_work_with_and_without_decay(drawn):
    decayed, plain = drawn["solver-work"].figure.axes
    assert [axis.get_title() for axis in (decayed, plain)] == ["eight Gaussians", "moons"]
    ends = {(line.get_color(), line.get_linestyle()): line.get_ydata().tolist() for line in decayed.lines}
    assert ends == {
        (shade(method), style): values
        for method in ("ffjord", "ffjord_decay")
        for style, values in (("-", [20, 50.5]), ("--", [18, 30.5]))
    }
    assert len(plain.lines) == 2
    legend = {text.get_text() for text in drawn["solver-work"].figure.legends[0].texts}
    assert f"{name('ffjord_decay')}, backward" in legend and len(legend) == 4


@pytest.mark.parametrize("absent", ["gaussian", "nll", "nll_at_two_thirds", "training_seconds", "nfe_forward", "gap_share"])
def test_absent_rows_leave_gaps(absent, tmp_path):
    runs = [run(tmp_path, "checkerboard", without=(absent,))]
    with style():
        for draw in (figures_densities.likelihoods, figures_densities.solver_work):
            draw(Runs(runs, "ffjord"))
        figures_densities.densities(runs[0])
