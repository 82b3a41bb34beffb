"""Figures of arrays that a test writes: what can be taken away with each, and that what is drawn is what was saved."""

import numpy as np
import pytest
from sealed import seal

from common.measure.figures import RunFolder, Runs, style
from replications.flow_matching import figures

NAMES = ["fm_ot", "fm_vp"]
NOISE = np.random.default_rng(0)


def run(folder, experiment, dataset="checkerboard", file="arrays.npz", **arrays):
    path = folder / experiment
    path.mkdir()
    np.savez(path / file, **arrays)
    settings = {"objectives": NAMES, "nfe": [4, 8]}
    seal(path, paper="flow_matching", experiment=experiment, seed=0, dataset=dataset, settings=settings)
    return RunFolder.open(path)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    points = {f"midpoint{nfe}_{name}": NOISE.normal(size=(700, 2)) for nfe in (4, 8) for name in NAMES}
    points |= {f"trajectory_{name}": NOISE.normal(size=(3, 700, 2)).astype(np.float16) for name in NAMES}
    times = np.linspace(0, 1, 7)[:, None, None]
    paths = {f"conditional_{name}": (times * NOISE.normal(size=(5, 2))).astype(np.float32) for name in NAMES}
    images = NOISE.normal(size=(30, 1, 8, 8))
    runs = [
        run(folder, "toy_2d", paper_times=np.array([0.0, 0.5, 1.0]), **points),
        run(folder, "exact_paths", **paths),
        run(folder, "table1", "digits", "samples.npz", **dict.fromkeys(NAMES, images)),
        run(folder, "upsampling", "digits", **dict.fromkeys(("given", "regression", "fm_ot", "truth"), images[:15])),
    ]
    with style():
        # the figure of exact_paths that needs metrics is left out: it finds none
        draws = [draw for draw in figures.figures(Runs(runs, "flow_matching")) if draw.func is not figures.exact_paths]
        yield {figure.id: figure for figure in (draw() for draw in draws)}


def test_each_names_its_run_and_where_its_numbers_are(drawn):
    assert {name: figure.arrays for name, figure in drawn.items()} == {
        "trajectories-checkerboard": "arrays.npz",
        "few-evaluations-checkerboard": "arrays.npz",
        "conditional-paths": "",
        "samples-digits": "samples.npz",
        "upsampled-digits": "arrays.npz",
    }
    for figure in drawn.values():
        (run,) = figure.runs
        assert not figure.arrays or (run.path / figure.arrays).is_file()
        assert figure.arrays or figure.data is not None
    assert {name for name, figure in drawn.items() if figure.photographic} == {"samples-digits", "upsampled-digits"}


def test_crowded_panels_list_their_first_points(drawn):
    figure = drawn["trajectories-checkerboard"]
    assert list(figure.data.columns) == ["objective", "t", "x", "y"]
    assert figure.data.groupby(["objective", "t"]).size().tolist() == [figures.LISTED] * 6
    listed = figure.data.query("objective == 'fm_vp' and t == 0.5")[["x", "y"]].to_numpy()
    saved = figure.runs[0].arrays["trajectory_fm_vp"][1, : figures.LISTED]
    np.testing.assert_allclose(listed, saved.astype(float), rtol=5e-3)
    assert all(dots.get_rasterized() for axis in figure.figure.axes for dots in axis.collections), "or its SVG would be large"


def test_conditional_paths_move_and_end_as_the_still(drawn):
    figure = drawn["conditional-paths"]
    assert len(figure.frames) == 3 and len({frame.shape for frame in figure.frames}) == 1
    assert (figure.frames[0] != figure.frames[1]).any() and (figure.frames[1] != figure.frames[2]).any()
    assert len(figure.data) == 2 * 5 * 7
    (left, _) = figure.figure.axes
    assert left.get_xlabel() == "t = 1.00", "the last frame is the whole path"
