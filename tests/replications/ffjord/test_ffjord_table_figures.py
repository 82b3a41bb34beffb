"""Figures of the tables, and all tables of FFJORD's page: what is shown is what was saved, whatever is missing."""

import numpy as np
import pandas as pd
import pytest
from ffjord_runs import made_up, row

from common.measure.figures import Runs, style
from replications.ffjord import figures_tables, report_tables
from replications.ffjord.drawing import panels
from replications.ffjord.names import shade

LEADS = {"real_nvp": 1.0, "glow": -2.0, "maf": 0.5, "gaussian": 6.0}
STEPS = np.array([25, 50, 100])
# NLL on validation rows; those of a replicate are all higher by its seed
CURVES = {"ffjord": [5, 4, 3], "real_nvp": [6, 2, 7], "glow": [5, 4, 4], "maf": [9, 8, 7]}


def table_rows(seed, without):
    rows = [row("nll", 3, method="ffjord"), row("best_state", 1, method="ffjord"), row("parameters", 12345, method="ffjord")]
    rows += [row("nll_estimated_minus_exact", 0.1, method="ffjord"), row("nll_probe_variance", 0.02, method="ffjord")]
    for method, lead in LEADS.items():
        if method != without:
            rows += [row("nll", 3 + lead, method=method), row("nll_minus_ffjord", lead + seed / 10, method=method)]
    return rows


def table_arrays(seed, without):
    kept = [method for method in CURVES if method != without]
    return {f"validation_{method}": np.array(CURVES[method]) + 100.0 * seed for method in kept} | {
        f"validation_step_{method}": STEPS for method in kept
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    missing = {"few": "", "lots": "maf"}
    return Runs(
        [
            made_up(folder, "tables", table, table_rows(seed, without), table_arrays(seed, without), seed)
            for table, without in missing.items()
            for seed in (0, 1)
        ],
        "ffjord",
    )


@pytest.fixture(scope="module")
def drawn(runs):
    with style():
        yield {figure.id: figure for figure in (draw() for draw in figures_tables.figures(runs))}


def test_each_says_what_it_is_and_without_runs_there_is_none(drawn):
    assert set(drawn) == {"table-leads", "validation"}
    for figure in drawn.values():
        assert figure.runs and len(figure.data) and figure.caption.startswith("Cf. ") and figure.alt.endswith(".")
    assert not list(figures_tables.figures(Runs([], "ffjord")))


def test_dots_lie_at_the_leads_from_the_top_down_and_what_is_missing_leaves_its_line_empty(drawn):
    few, lots = drawn["table-leads"].figure.axes
    assert [few.get_title(), lots.get_title()] == ["few", "lots"]
    assert [label.get_text() for label in few.get_yticklabels()] == ["Real NVP", "Glow", "MAF", "one Gaussian"]
    for axis, methods in ((few, LEADS), (lots, [method for method in LEADS if method != "maf"])):
        dots = [line for line in axis.lines if line.get_marker() == "o" and len(line.get_xdata())]
        assert [line.get_color() for line in dots] == [shade(method) for method in methods]
        for line, method in zip(dots, methods):
            np.testing.assert_allclose(line.get_xdata(), [LEADS[method], LEADS[method] + 0.1])
            assert set(line.get_ydata()) == {[*LEADS].index(method)}
    assert len(drawn["table-leads"].data) == 4 * 2 + 3 * 2


def test_curves_are_above_the_least_of_ffjord_in_their_replicate_with_a_ring_where_they_are_best(drawn):
    few, lots = drawn["validation"].figure.axes
    lines = {line.get_label(): line for line in few.lines}
    np.testing.assert_allclose(lines["Real NVP"].get_xdata(), [0.25, 0.5, 1])
    np.testing.assert_allclose(lines["Real NVP"].get_ydata(), [3, -1, 4])
    rings = {line.get_color(): (*line.get_xdata(), *line.get_ydata()) for line in few.lines if line.get_markersize() == 8}
    assert rings[shade("real_nvp")] == (0.5, -1) and rings[shade("ffjord")] == (1, 0) and rings[shade("glow")] == (0.5, 1)
    assert "MAF" not in {line.get_label() for line in lots.lines}
    assert [text.get_text() for text in drawn["validation"].figure.legends[0].texts] == ["FFJORD", "Real NVP", "Glow", "MAF"]


def test_more_tables_than_fit_side_by_side_go_into_further_lines():
    with style():
        figure, axes = panels(5, 2.0)
    assert len(axes) == len(figure.axes) == 5 and axes[3].get_subplotspec().rowspan.start == 1


def toy_rows():
    rows = [row("nll", 2.9 + place, method=name, dataset="known", floor=2.8) for place, name in enumerate(("ffjord", "gaussian"))]
    rows += [row("gap_share", 0.1, method="ffjord", dataset="known", floor=0.01), row("nll", 3, method="glow", dataset="unknown")]
    return rows + [row("nfe_forward", nfe, method="ffjord", dataset="known", axis="step", at=at) for nfe, at in ((8, 0), (32, 9))]


def image_rows():
    where = {"dataset": "digits", "variant": "test"}
    rows = [row("bits_per_dim", 2.5, method="multiscale", nfe=66, **where), row("bits_per_dim", 4, method="uniform", **where)]
    rows += [row("bits_per_dim", 2.4, method="multiscale", nfe=27, dataset="digits", variant="training's solver")]
    rows += [row("parameters", 6190, method="multiscale", dataset="digits", variant="digits")]
    rows += [row("bits_per_dim", 2.3, method="gaussian", **where)]
    return [*rows, row("paper_parameters", 833812, dataset="cifar10", variant="text"),
            row("share_of_glow", 0.0187, dataset="cifar10", variant="text")]  # fmt: skip


def posterior_rows():
    rows = [row("negative_elbo", 25, method="independent_pixels"), row("negative_elbo", 20, method="ffjord", nfe=20)]
    rows += [row("nfe", 20, method="ffjord"), row("gained_in_last_third", 0.7, method="ffjord")]
    return [each | {"dataset": "bits"} for each in rows]


@pytest.fixture(scope="module")
def tables(runs):
    made = {"densities_2d": toy_rows(), "images": image_rows(), "posteriors": posterior_rows()}
    parts = [pd.DataFrame(rows).assign(experiment=experiment, seed=0) for experiment, rows in made.items()]
    metrics = pd.concat([*parts, *(run.metrics for run in runs.folders)], ignore_index=True)
    metrics = metrics.fillna(dict.fromkeys(("dataset", "method", "variant", "axis"), ""))
    return {table.id: table for table in report_tables.tables(metrics)}


def cells(table, *keys):
    return table.frame.set_index([*keys])


def test_every_table_is_there_and_none_where_there_are_no_rows(tables):
    assert list(tables) == ["toys", "tabular", "protocol", "images", "sizes", "posteriors"]
    assert not list(report_tables.tables(pd.DataFrame({"experiment": []})))


def test_toys_count_at_the_end_of_training_and_data_are_a_floor_where_they_are_known(tables):
    frame = cells(tables["toys"], "dataset", "method")
    assert [*frame.index] == [("known", "data"), ("known", "one Gaussian"), ("known", "FFJORD"), ("unknown", "Glow")]
    assert [*tables["toys"].kinds] == ["floor", "baseline", "", ""]
    assert frame.loc[("known", "data")].tolist() == ["2.8", "0.01", "–"]
    assert frame.loc[("known", "FFJORD"), "NFE"] == "32" and frame.loc[("unknown", "Glow"), "NFE"] == "–"


def test_tables_have_all_digits_of_parameters_and_the_spread_of_the_rest(tables):
    frame = cells(tables["tabular"], "dataset", "method")
    assert frame.loc[("few", "FFJORD"), "parameters"] == "12,345" and frame.loc[("few", "MAF"), "parameters"] == "–"
    assert frame.loc[("few", "Real NVP"), "NLL, nats"] == "4 ± 0" and ("lots", "MAF") not in frame.index
    assert [*tables["tabular"].kinds] == ["baseline", "", "", "", "", "baseline", "", "", ""]
    assert tables["protocol"].frame.iloc[:, 1].tolist() == ["0.1 ± 0"] * 2


def test_images_by_both_solvers_beside_what_has_no_flow(tables):
    frame = cells(tables["images"], "method")
    assert [*frame.index] == ["uniform", "one Gaussian", "several scales"] and [*tables["images"].kinds] == ["baseline"] * 2 + [
        ""
    ]
    assert frame.loc["several scales"].tolist() == ["digits", "2.5", "66", "6,190", "2.4"]
    assert tables["sizes"].frame.iloc[0].tolist() == ["cifar10", "the paper's text", "833,812", "1.9%"]


def test_posteriors_beside_pixels_without_a_latent(tables):
    assert cells(tables["posteriors"], "method")["negative ELBO"].to_dict() == {"independent pixels": "25", "FFJORD": "20"}
    assert [*tables["posteriors"].kinds] == ["baseline", ""]
