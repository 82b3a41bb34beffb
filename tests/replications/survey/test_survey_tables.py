"""Cells of the survey's tables."""

import pytest
from survey_runs import FLOOR, KINDS, metrics_of, run, split

from common.learning.nets.build import MLPSettings
from replications.survey.figures import tables


@pytest.fixture(scope="module")
def tabled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    metrics = metrics_of([run(folder, experiment, seed) for experiment in KINDS for seed in (0, 1)])
    return {table.id: table for table in tables(*split(metrics))}


def test_each_is_there_once(tabled):
    digits = [f"{kind}-digits" for kind in ("grid-table", "refusals")]
    assert list(tabled) == [*digits, "grid-table-checkerboard", "cost-digits", "training-digits", "orders"]
    assert all(table.caption.endswith(".") and len(table.frame) for table in tabled.values())


def test_the_grid_at_a_budget(tabled):
    table = tabled["grid-table-digits"]
    frame = table.frame.set_index("sampler")
    assert list(frame.index) == ["Euler-Maruyama", "DDIM", "DPM-Solver++ 2M", "RK45", "mine (mine.py)", "data"]
    # 4 (1 + 10 / 20) and a tenth more
    assert frame.loc["Euler-Maruyama", "FM, straight"] == "6.3 ± 0.42" and frame.loc["data", "NCSN"] == f"{FLOOR:g} ± 0"
    # the second replicate took 22 evaluations
    assert frame.loc["RK45", "DDPM, VP"] == "7 (1 of 2)" and frame.loc["mine (mine.py)", "NCSN"] == "0.9 ± 0"
    assert list(table.kinds) == ["", "", "", "", "", "floor"] and "at 20 evaluations" in table.title


def test_who_cannot_run_where_and_why(tabled):
    assert tabled["refusals-digits"].frame.to_numpy().tolist() == [
        ["DDIM", "NCSN", "20, 50", "10 levels, not 20; 10 levels, not 50"]
    ]


def test_costs(tabled):
    frame = tabled["cost-digits"].frame.set_index(["sampler", "budget"])
    assert frame.loc[("DDIM", "20")].tolist() == ["20 ± 0", "500", 2]  # 100 samples in 0.2 seconds; not on NCSN
    assert frame.loc[("RK45", "tolerance 0.1")].tolist() == ["18 ± 5.7", "100", 3]
    size = sum(each.numel() for each in MLPSettings(width=128, blocks=3).build((1, 8, 8)).parameters())
    assert f"The network has {size:,} parameters.".replace(",", "\N{NO-BREAK SPACE}") in tabled["cost-digits"].caption


def test_training(tabled):
    table = tabled["training-digits"]
    frame = table.frame.set_index("objective")
    assert frame.loc["DDPM, VP"].tolist() == [
        "20 ± 0",
        "144449",
        "2500",
        "300 ± 1",
        "0.2 ± 0",
        "–",
        "220 ± 28",
        "2000 ± 0",
        "3.05 ± 0.071",
    ]
    assert frame.loc["FM, straight", "steps to 2 x data"] == "900 (1 of 2)" and frame.loc["FM, straight", "bits/dim"] == "–"
    assert list(frame.columns[5:7]) == ["steps to 2 x data", "steps to 4 x data"]
    assert frame.loc["uniform density", "bits/dim"] == "4 ± 0" and list(table.kinds)[-2:] == ["floor", "baseline"]


def test_orders(tabled):
    frame = tabled["orders"].frame.set_index("sampler")
    assert [cell.partition(" ±")[0] for cell in frame.loc["Heun", ["VP", "VE", "straight"]]] == ["2"] * 3
    assert frame.loc["DDIM", "VP"].startswith("1 ±")
