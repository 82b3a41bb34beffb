"""What was forecast, beside what the runs cost: on the first page and in its tables."""

import csv

import fabricate
import pytest

from report import cost
from report.__main__ import main
from report.cost import Cost, ExperimentCost, forecasts

HEAD = "level,device,paper,experiment,variant,replicates,hours\n"


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """Forecasts of the larger levels, and of a smaller one."""
    folder = tmp_path / "committed"
    folder.mkdir()
    monkeypatch.setattr(cost, "FORECASTS", folder)
    (folder / "paper-h100.csv").write_text(HEAD + "paper,h100,flow_paper,evaluate,,5,480\n")
    (folder / "gpu-h100.csv").write_text(HEAD + "gpu,cpu,p,e,,5,1\ngpu,h100,p,e,x,5,2\ngpu,h100,p,f,,5,3\n")
    (folder / "laptop-cpu.csv").write_text(HEAD + "laptop,cpu,p,e,,5,1\n")
    return folder


def written(results, level, text):
    (results / level).mkdir(parents=True, exist_ok=True)
    (results / level / "forecast.csv").write_text(HEAD + text)


def test_own_forecast_comes_first_then_the_larger_levels(committed, tmp_path):
    written(tmp_path, "laptop", "laptop,cpu,p,e,,5,0.5\n")
    own, gpu, paper = forecasts("laptop", tmp_path)
    assert [ahead.title for ahead in (own, gpu, paper)] == ["Forecast", "gpu level", "paper level"]
    assert [ahead.device for ahead in (own, gpu, paper)] == ["cpu", "h100", "h100"]
    assert own.seconds == {("p", "e"): 1800}
    # runs of an experiment are added up, in seconds
    assert gpu.seconds == {("p", "e"): 3 * 3600, ("p", "f"): 3 * 3600}
    assert gpu.total == 6 * 3600


def test_without_an_own_forecast_there_are_the_larger_levels_alone(committed, tmp_path):
    assert [ahead.title for ahead in forecasts("gpu", tmp_path)] == ["paper level"]
    assert forecasts("paper", tmp_path) == []


def test_the_first_page_has_a_column_for_each_and_their_sums(committed, tree):
    papers, results, plan = tree
    lines = [
        f"{fabricate.LEVEL},cpu,flow_paper,{experiment},,5,{hours}" for experiment, hours in (("evaluate", 0.5), ("f", 0.25))
    ]
    written(results, fabricate.LEVEL, "\n".join(lines) + "\n")
    out = results.parent / "out"
    words = ["index", "--level", fabricate.LEVEL, "--results", str(results), "--runs", str(plan), "--out", str(out)]
    assert main(words, root=papers) == 0
    page = (out / "index.html").read_text()
    assert all(f'<th scope="col" class="numeric">{title}</th>' in page for title in ("Forecast", "gpu level", "paper level"))
    assert "30 min 0 s" in page and "45 min 0 s" in page and "20 d 0 h" in page


def test_costs_are_a_table_beside_the_metrics(built):
    _, results, _, _ = built
    lines = list(csv.DictReader((results / fabricate.LEVEL / "costs.csv").open()))
    assert list(lines[0]) == ["paper", "experiment", "runs", "seconds", "cpu_seconds", "startup_seconds", "peak_memory_mb"]
    assert {line["paper"] for line in lines} == {"flow_paper", "score_paper"}
    assert sum(int(line["runs"]) for line in lines) == 6


@pytest.mark.parametrize(
    ("seeds", "shown"), [([0, 1, 2, 3, 4], "0–4"), ([0, 1], "0, 1"), ([0], "0"), ([0, 2, 3], "0, 2, 3"), ([2, 3, 4], "2–4")]
)
def test_replicates_are_said_in_short(seeds, shown):
    assert ExperimentCost("p", "e", seeds, Cost(1, 1.0, 1.0, 0.0, 1.0), []).shown_seeds == shown
