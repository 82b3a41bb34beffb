"""Figures of FFJORD itself: that lines and dots are where the rows say, and that what is missing leaves a gap."""

import numpy as np
import pandas as pd
import pytest
from sealed import seal

from common.measure.figures import RunFolder, Runs, style
from common.runs.folders import COLUMNS
from replications.ffjord import figures_analysis, figures_densities

WIDTHS, DIMENSIONS, TOLERANCES = (4, 16), (2, 8), (1e-2, 1e-4, 1e-6)


def along(axis, values, **labels):
    return [{"axis": axis, "at": at, "value": value, "status": "ok", **labels} for at, value in values.items()]


def estimator_rows(seed):
    rows = along("dimension", {2: 1.5, 8: 4.5}, metric="operations_exact_over_estimate")
    for method, factor in (("gaussian", 1.25), ("rademacher", 0.75)):
        exact = {width: factor * width / 64 for width in WIDTHS}
        found = {width: ratio + seed / 1000 for width, ratio in exact.items()}
        rows += along("width", exact, metric="variance_ratio", method=method, variant="closed form")
        rows += along("width", found, metric="variance_ratio", method=method, variant="measured")
    return rows


def dimension_rows(seed):
    rows = []
    for state, forward, kl in (("untrained", 14, 0.7), ("trained", 26 + 6 * seed, 0.02)):
        for metric, value in (("nfe_forward", forward), ("nfe_backward", forward - 2), ("kl_per_column", kl)):
            rows += along("dimension", dict.fromkeys(DIMENSIONS, value), metric=metric, variant=state)
    return rows


def error_rows(seed):
    return [
        row
        for method, factor in (("float32", 2), ("float64", 1))
        for row in along("tolerance", {at: at * factor * (1 + seed) for at in TOLERANCES}, metric="mass_error", method=method)
    ]


def inversion_rows(seed):
    rows = [{"metric": "round_trip_error", "method": "glow", "value": 1e-7, "status": "ok"}]
    rows += along("tolerance", {at: 10 * at for at in TOLERANCES}, metric="round_trip_error", method="ffjord")
    rows += along("tolerance", {at: 3 * at for at in TOLERANCES}, metric="log_density_gap", method="ffjord")
    return [{"dataset": "moons", **row} for row in rows]


X = np.linspace(-15, 15, 101)
DENSITY = np.exp(-(X**2) / 2) / np.sqrt(2 * np.pi)
EXPERIMENTS = {
    "estimators": (estimator_rows, {"dimensions": 64}, {}),
    "dimension": (dimension_rows, {}, {}),
    "solver_error": (error_rows, {}, {"grid": X, "data": DENSITY, "density_float32": DENSITY, "density_float64": 0.9 * DENSITY}),
    "densities_2d": (inversion_rows, {}, {}),
}


def run(folder, experiment, seed=0, without=""):
    make, settings, arrays = EXPERIMENTS[experiment]
    path = folder / experiment / f"seed{seed}"
    path.mkdir(parents=True)
    np.savez(path / "arrays.npz", **arrays)
    rows = [row for row in make(seed) if without not in (row["metric"], row.get("method"), row.get("variant"))]
    table = pd.DataFrame(rows, columns=COLUMNS).assign(paper="ffjord", experiment=experiment, level="laptop", seed=seed)
    table.to_csv(path / "metrics.csv", index=False)
    dataset = "moons" if experiment == "densities_2d" else ""
    seal(path, paper="ffjord", experiment=experiment, seed=seed, dataset=dataset, settings=settings)
    return RunFolder.open(path)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    runs = Runs([run(folder, experiment, seed) for experiment in EXPERIMENTS for seed in (0, 1)], "ffjord")
    with style():
        return {figure.id: figure for figure in (draw() for draw in figures_analysis.figures(runs))}


def lines(axis):
    return {line.get_label(): line for line in axis.lines}


def test_each_names_its_runs_and_where_its_numbers_are(drawn):
    assert set(drawn) == {"bottleneck", "cost", "dimension", "solver-error", "inversion"}
    for figure in drawn.values():
        assert len(figure.runs) == 2 and len(figure.data)
        assert figure.alt.endswith(".") and figure.caption.startswith("Cf. ")


def test_nothing_is_drawn_of_what_did_not_run(tmp_path):
    found = Runs([run(tmp_path, "dimension")], "ffjord")
    assert len(list(figures_analysis.figures(found))) == 1 and not list(figures_densities.figures(found))


def test_closed_forms_are_lines_and_measured_ratios_dots(drawn):
    (axis,) = drawn["bottleneck"].figure.axes
    gaussian, dots, rademacher, *_, limit = axis.lines
    np.testing.assert_allclose(gaussian.get_ydata(), [1.25 * width / 64 for width in WIDTHS])
    np.testing.assert_allclose(rademacher.get_ydata(), [0.75 * width / 64 for width in WIDTHS])
    np.testing.assert_allclose(dots.get_ydata(), [1.25 / 16, 1.25 / 4, 1.25 / 16 + 1e-3, 1.25 / 4 + 1e-3])
    np.testing.assert_allclose(limit.get_ydata(), [1 / 16, 1 / 4])


def test_costs_lie_on_the_line_that_counts_products(drawn):
    found = lines(drawn["cost"].figure.axes[0])
    np.testing.assert_allclose(found["counted"].get_ydata(), [1.5, 4.5, 1.5, 4.5])
    np.testing.assert_allclose(found["(1 + D) / 2"].get_ydata(), [1.5, 4.5])


def test_before_and_after_training(drawn):
    forward, backward, divergence = (lines(axis) for axis in drawn["dimension"].figure.axes)
    assert forward["before training"].get_ydata().tolist() == [14, 14]
    assert forward["after training"].get_ydata().tolist() == [29, 29]
    assert backward["after training"].get_ydata().tolist() == [27, 27]
    np.testing.assert_allclose(divergence["after training"].get_ydata(), 0.02)
    assert len({axis.get_ylim() for axis in drawn["dimension"].figure.axes[:2]}) == 1


def test_masses_by_precision_and_the_density_in_double(drawn):
    left, right = drawn["solver-error"].figure.axes
    ascending = np.array(sorted(TOLERANCES))
    for line, factor in zip(left.lines, (1, 2, 2, 4, 1)):  # both precisions' replicates, then the tolerance itself
        np.testing.assert_allclose(line.get_xdata(), ascending)
        np.testing.assert_allclose(line.get_ydata(), factor * ascending)
    np.testing.assert_allclose(lines(right)["FFJORD"].get_ydata(), 0.9 * DENSITY)
    low, high = right.get_xlim()
    assert -7 < low < -4 and 4 < high < 7


def test_errors_of_inversion_are_ffjords(drawn):
    (axis,) = drawn["inversion"].figure.axes
    found = lines(axis)
    np.testing.assert_allclose(found["round trip"].get_ydata(), 10 * np.array(sorted(TOLERANCES)))
    np.testing.assert_allclose(found["log-density, nats"].get_ydata(), 3 * np.array(sorted(TOLERANCES)))
    assert axis.get_title() == "moons"


ABSENT = {
    "estimators": ("rademacher", "measured", "operations_exact_over_estimate", "variance_ratio"),
    "dimension": ("untrained", "kl_per_column", "nfe_forward"),
    "solver_error": ("float32",),
    "densities_2d": ("log_density_gap", "ffjord"),
}


@pytest.mark.parametrize("experiment, absent", [(experiment, absent) for experiment in ABSENT for absent in ABSENT[experiment]])
def test_absent_rows_leave_gaps(experiment, absent, tmp_path):
    runs = Runs([run(tmp_path, experiment, without=absent)], "ffjord")
    with style():
        for draw in figures_analysis.figures(runs):
            draw().figure.canvas.draw()
