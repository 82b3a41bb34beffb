"""Figures and table of noise levels and steps without a network: that what is drawn is what was saved."""

import numpy as np
import pandas as pd
import pytest
from sealed import seal

from common.measure.figures import RunFolder, Runs, read_metrics, style
from common.runs.folders import COLUMNS
from replications.ncsnv2 import figures_facts
from replications.ncsnv2.figures import tables
from replications.ncsnv2.names import name, shade

DIMENSIONS = [16, 64, 256]
EXACT, MASSES = [0.4, 0.2, 0.1], [0.3, 0.4, 0.5]
NCSN, CIFAR, FFHQ = ("cifar10", "ncsn"), ("cifar10", "ncsnv2"), ("ffhq256", "ncsnv2")
KEYS = ["ncsn_cifar10", "ncsnv2_cifar10", "ncsnv2_ffhq256"]
LEVELS = {NCSN: (10, 125), CIFAR: (232, 230), FFHQ: (2311, 2310)}


def row(metric, value, **more):
    return {"metric": metric, "value": value, "status": "ok", **more}


def ladders_run(folder, seed):
    rows, arrays = [], {"rho": np.array([0.01, 0.1, 1.0])}
    for dim, exact, mass in zip(DIMENSIONS, EXACT, MASSES):
        here = {"axis": "dimension", "at": dim}
        rows += [row("norm_ks", exact, method="exact", **here)]
        rows += [row("norm_ks", exact + 0.01 * seed, method="drawn", floor=0.15, **here)]
        rows += [row("shell_mass", 0.5, method="formula", **here), row("shell_mass", mass, method="exact", **here)]
        rows += [row("shell_mass", mass + 0.01 * seed, method="drawn", error=0.01, **here)]
        rows += [row("levels_needed", 3 * dim**0.5, **here)]
    for place, ((dataset, paper), counts) in enumerate(LEVELS.items(), start=1):
        here = {"dataset": dataset, "variant": paper}
        for method, count in zip(("published", "techniques"), counts):
            rows += [row("levels", count, method=method, **here)]
            rows += [row("step_size", (2 if method == "published" else 3) * 1e-6, method=method, **here)]
            rows += [row("final_variance", 1 + counts.index(count) / 10, method=method, **here)]
        rows += [row("shell_mass", 0.5612, method="published", **here), row("evaluations", 1000, method="published", **here)]
        rows += [row("level_variance_off", place + level / 10 + seed / 100, method="chains", axis="level", at=level, **here)
                 for level in (1, 5)]  # fmt: skip
        key = f"{paper}_{dataset}"
        arrays |= {f"{key}_variance": 1 + place * np.array([2.0, 1.0, 3.0])}
        arrays |= {f"{key}_published": np.array([0.2, 1.5]), f"{key}_best": np.array([0.1, 1 + place])}
    path = folder / f"seed{seed}"
    path.mkdir(parents=True)
    np.savez(path / "arrays.npz", **arrays)
    table = pd.DataFrame(rows, columns=COLUMNS).assign(paper="ncsnv2", experiment="ladders", level="laptop", seed=seed)
    table.to_csv(path / "metrics.csv", index=False)
    seal(path, paper="ncsnv2", experiment="ladders", seed=seed, dataset="", settings={})
    return RunFolder.open(path)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return Runs([ladders_run(folder, seed) for seed in (0, 1)], "ncsnv2")


@pytest.fixture(scope="module")
def drawn(runs):
    with style():
        yield {figure.id: figure for figure in (draw() for draw in figures_facts.figures(runs))}


def line(axis, label):
    (found,) = [line for line in axis.lines if line.get_label() == label]
    return found


def test_each_names_its_runs_and_its_numbers(drawn, runs):
    assert set(drawn) == {"norms", "ladders", "step-sizes"}
    for figure in drawn.values():
        assert figure.runs == runs.folders and len(figure.data)
        assert figure.alt.endswith(".") and figure.caption.startswith("Cf. ")


def test_nothing_was_run_nothing_is_drawn():
    assert not list(figures_facts.figures(Runs([], "ncsnv2")))


def test_distances_of_the_norm_with_their_floor_and_a_slope_of_minus_one_half(drawn):
    left, _ = drawn["norms"].figure.axes
    exact, dots = line(left, "exact"), line(left, "drawn")
    assert exact.get_xdata().tolist() == DIMENSIONS and exact.get_ydata().tolist() == EXACT
    assert sorted(dots.get_ydata()) == pytest.approx([0.1, 0.11, 0.2, 0.21, 0.4, 0.41]) and dots.get_marker() == "o"
    np.testing.assert_allclose(line(left, "slope −1/2").get_ydata(), [0.4, 0.2, 0.1])
    assert set(line(left, "floor of the drawn").get_ydata()) == {0.15}


def test_masses_by_formula_exact_and_drawn(drawn):
    _, right = drawn["norms"].figure.axes
    assert set(line(right, "the technique's formula").get_ydata()) == {0.5}
    assert line(right, "exact").get_ydata().tolist() == MASSES
    assert sorted(line(right, "drawn").get_ydata()) == pytest.approx([0.3, 0.31, 0.4, 0.41, 0.5, 0.51])


def test_published_ladders_are_scaled_to_the_range_of_the_line(drawn):
    (axis,) = drawn["ladders"].figure.axes
    assert line(axis, "technique 2").get_ydata().tolist() == [12, 24, 48]
    np.testing.assert_allclose(line(axis, "slope 1/2").get_ydata(), [12, 24, 48])
    points = {
        point.get_color(): (point.get_xdata()[0], point.get_ydata()[0]) for point in axis.lines if point.get_marker() == "D"
    }
    # NCSN: from 1 to 0.01 in 9 steps, so two powers of ten; three take half as many again
    assert points[shade("ncsn_cifar10")] == (3072, pytest.approx(14.5))
    assert points[shade("ncsnv2_cifar10")] == (3072, pytest.approx(1 + 231 * np.log(1000) / np.log(5000)))
    assert points[shade("ncsnv2_ffhq256")][0] == 196608
    assert [text.get_text() for text in axis.texts] == [name(key) for key in KEYS]
    assert drawn["ladders"].data.ladder.tolist() == ["technique 2"] * 3 + [name(key) for key in KEYS]


def test_variances_above_the_levels_with_the_published_and_the_best_step(drawn):
    left, _ = drawn["step-sizes"].figure.axes
    for place, key in enumerate(KEYS, start=1):
        curve, best, published = [line for line in left.lines if line.get_color() == shade(key)]
        assert curve.get_ydata().tolist() == [2 * place, place, 3 * place]
        assert (best.get_xdata()[0], best.get_ydata()[0], best.get_markerfacecolor()) == (0.1, place, "white")
        assert (published.get_xdata()[0], published.get_ydata()[0], published.get_markerfacecolor()) == (0.2, 0.5, shade(key))
    (grey,) = left.patches
    assert grey.get_x() == 2, "no chain is stable from there on"


def test_chains_less_the_closed_form_in_a_line_for_each_model(drawn):
    _, right = drawn["step-sizes"].figure.axes
    labels = [label.get_text() for label in right.get_yticklabels()]
    for place, key in enumerate(KEYS, start=1):
        (dots,) = [each for each in right.lines if each.get_marker() == "o" and each.get_color() == shade(key)]
        assert labels[int(dots.get_ydata()[0])] == name(key)
        assert sorted(dots.get_xdata()) == pytest.approx([place + 0.1, place + 0.11, place + 0.5, place + 0.51])


def test_absent_rows_and_arrays_leave_gaps(runs):
    fewer = RunFolder(runs.folders[0].path, runs.folders[0].info)
    fewer.__dict__["metrics"] = runs.folders[0].metrics[lambda rows: rows.metric == "norm_ks"]
    fewer.__dict__["arrays"] = {key: kept for key, kept in runs.folders[0].arrays.items() if not key.startswith(KEYS[0])}
    with style():
        figures = {figure.id: figure for figure in (draw() for draw in figures_facts.figures(Runs([fewer], "ncsnv2")))}
    assert not figures["norms"].figure.axes[1].lines and figures["norms"].figure.axes[0].lines
    assert shade(KEYS[0]) not in [line.get_color() for line in figures["step-sizes"].figure.axes[0].lines]


def test_the_table_of_published_ladders_is_in_the_order_of_the_models(runs):
    found = {table.id: table for table in tables(pd.concat([read_metrics(run.path / "metrics.csv") for run in runs.folders]))}
    table = found["published-ladders"]
    assert not table.kinds and table.frame.dataset.tolist() == ["cifar10", "cifar10", "ffhq256"]
    assert table.frame.iloc[0].tolist() == (
        ["cifar10", "NCSN", 3072, "1", 100, "10", "125", "0.5612", "2e-06", "3e-06", "1.0000", "1.1000", "1000"]
    )
    assert table.frame.iloc[2].tolist()[:6] == ["ffhq256", "NCSNv2", 196608, "348", 3, "2311"]
