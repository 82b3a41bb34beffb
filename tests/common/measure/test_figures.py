import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sealed import seal

from common.errors import RetraceError
from common.measure.figures import (
    BLUE,
    PALETTE,
    RunFolder,
    Runs,
    Table,
    colour,
    frame,
    mean_and_range,
    plain_ticks,
    read_metrics,
    style,
)
from common.runs.folders import COLUMNS, to_csv


def run(folder, *, paper="toy", experiment="fit", seed=0, **settings):
    folder.mkdir(parents=True)
    info = {"paper": paper, "experiment": experiment, "seed": seed, "dataset": settings.get("data", ""), "settings": settings}
    rows = [{"paper": paper, "seed": seed, "metric": "nll", "method": "nan", "value": 0.1 + 0.2, "status": "ok"}]
    (folder / "metrics.csv").write_text(to_csv(rows))
    np.savez(folder / "arrays.npz", loss=np.arange(3))
    seal(folder, **info)
    return RunFolder.open(folder)


def test_find_by_top_level_fields_and_settings_in_order_of_seeds(tmp_path):
    seeds = [run(tmp_path / "a" / f"seed{seed}", seed=seed, data="digits") for seed in (10, 2)]
    other_data = run(tmp_path / "b", data="moons")
    foreign = run(tmp_path / "c", paper="other", data="digits")
    run(tmp_path / "d", experiment="table1", data="digits")
    runs = Runs([*seeds, other_data, foreign], "toy")
    assert [found.info["seed"] for found in runs.find("fit", data="digits")] == [2, 10]
    assert [found.info["seed"] for found in runs.find("fit", dataset="digits", seed=10)] == [10]
    assert runs.find("fit", paper="other") == [foreign]
    assert runs.find("fit", no_such_setting=None) == [] == runs.find("absent")


def test_rows_and_arrays_read_back_exactly(tmp_path):
    found = run(tmp_path / "a")
    assert found.metrics.value.tolist() == [0.1 + 0.2]
    assert found.metrics.method.tolist() == ["nan"], "text stays text"
    assert found.metrics.dataset.tolist() == [""] and np.isnan(found.metrics.nfe).all()
    assert found.metrics.seed.dtype == int and tuple(found.metrics.columns) == COLUMNS
    np.testing.assert_array_equal(found.arrays["loss"], [0, 1, 2])
    with pytest.raises(RetraceError, match=r"samples\.npz is missing"):
        _ = found.samples


def test_pickled_arrays_are_refused(tmp_path):
    found = run(tmp_path / "a")
    np.savez(tmp_path / "a" / "arrays.npz", evil=np.array([{}], dtype=object))
    seal(tmp_path / "a", **found.info)
    found = RunFolder.open(tmp_path / "a")
    with pytest.raises(ValueError, match="allow_pickle"):
        _ = found.arrays


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", ",".join(COLUMNS) + "\n" + "x," * 17 + "\n"])
def test_what_is_no_metrics_table_is_named(tmp_path, text):
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(RetraceError, match=r"metrics\.csv: is not a metrics table"):
        read_metrics(tmp_path / "metrics.csv")


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_broken_run_json_is_named(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RetraceError, match=r"run\.json"):
        RunFolder.open(tmp_path)


def test_colours_are_fixed_by_the_method():
    assert colour("fm_ot") == BLUE
    assert colour("something new") == colour("something new") in PALETTE


def test_mean_and_range_spans_the_seeds():
    with style():
        axis = plt.figure().subplots()
        mean_and_range(axis, pd.DataFrame({0: [3.0, 1.0], 1: [5.0, 2.0]}, index=[20, 10]), BLUE, "line")
        (line,), (band,) = axis.lines, axis.collections
        np.testing.assert_array_equal(line.get_xydata(), [[10, 1.5], [20, 4.0]])
        assert band.get_paths()[0].get_extents().ymin == 1.0 and band.get_paths()[0].get_extents().ymax == 5.0


def test_style_leaves_nothing_behind():
    before = plt.rcParams["axes.grid"]
    with pytest.raises(KeyError), style():
        plt.figure()
        raise KeyError
    assert plt.rcParams["axes.grid"] == before and not plt.get_fignums()


def test_a_users_own_style_does_not_reach_the_figures():
    before = plt.rcParams["lines.linestyle"]
    with plt.rc_context({"lines.linestyle": "--", "axes.facecolor": "black"}):
        with style():
            assert (plt.rcParams["lines.linestyle"], plt.rcParams["axes.facecolor"]) == ("-", "white")
        assert plt.rcParams["axes.facecolor"] == "black"
    assert plt.rcParams["lines.linestyle"] == before


def test_a_tables_kinds_fit_its_rows():
    frame = pd.DataFrame({"method": ["data", "a"]})
    assert Table("t", "T", "c", frame).kinds == () and Table("t", "T", "c", frame, ["floor", ""]).kinds == ["floor", ""]
    for wrong in (["floor"], ["floor", "ceiling"]):
        with pytest.raises(
            RetraceError, match=r"table t: kinds: .* for 2 rows; give one of '', 'floor', 'baseline' for each row"
        ):
            Table("t", "T", "c", frame, wrong)


def test_plain_ticks_are_plain_numbers():
    with style():
        axis = plt.figure().subplots()
        axis.set(xscale="log", yscale="log", xlim=(4, 120), ylim=(3, 40))
        plain_ticks(axis.xaxis)
        plain_ticks(axis.yaxis, base=2, subs=(1,))
        axis.figure.draw_without_rendering()
        labels = [[text.get_text() for text in side.get_majorticklabels()] for side in (axis.xaxis, axis.yaxis)]
        assert {"5", "10", "20", "50", "100"} <= set(labels[0]) and {"4", "8", "16", "32"} <= set(labels[1])


def test_a_frame_is_the_drawing_as_it_is_and_leaves_the_panels_where_they_are():
    with style():
        drawing, axis = plt.subplots(figsize=(2, 1))
        (line,) = axis.plot([0, 1], [0, 1])
        first, place = frame(drawing), axis.get_position().bounds
        line.set_data([0, 1], [1, 0])
        axis.set_title("a title that would need room")
        second = frame(drawing)
        assert first.shape == second.shape == (96, 192, 3) and first.dtype == np.uint8
        assert (first != second).any() and axis.get_position().bounds == place
