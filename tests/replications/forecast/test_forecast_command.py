"""`python -m replications forecast` and `count`: what is refused, and every form that the forecast is given in."""

import argparse
import csv
import json

import pytest
import yaml

from common.errors import RetraceError
from common.measure.devices import DEVICES
from common.measure.work import Work
from common.runs import workflow
from common.runs.plan import plan
from replications.forecast import ahead, command, count
from replications.forecast import lines as lines_of
from replications.forecast.ahead import COLUMNS, summary, write_csv
from replications.forecast.lines import lines
from replications.forecast.runs import configured
from replications.forecast.scaled import Forecast

FOUND = Forecast(0, 0, Work(), 5e6, Work(1e9 / 3, 0, 0), 10**6, 3e8, "laptop")
PAPER = ("--papers", "gotta_go_fast")
# of the gpu level's two data sets and the toy: shared models, feature networks, and its own two experiments
RUNS = 2 * 2 + 2 + 2 + 1


def parsed(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(words)


def called(*words):
    return command.command(parsed(*words))


@pytest.fixture
def counted(monkeypatch):
    """Every run does the same."""
    monkeypatch.setattr(lines_of, "forecast", lambda run: FOUND)


@pytest.fixture
def uncounted(monkeypatch):
    def missing(run):
        raise RetraceError("was never counted: python -m replications count --level laptop")

    monkeypatch.setattr(lines_of, "forecast", missing)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--device", "a10"], "--device a10: not in the table; did you mean 'a100'?"),
        (["--device", "zx81"], "--device zx81: not in the table (known: cpu, h100, "),
        (["--level", "gpus"], "there is no level 'gpus'; did you mean 'gpu'?"),
        (["--papers", "ncsn", "gota_go_fast"], "--papers gota_go_fast: there is no such paper; did you mean 'gotta_go_fast'?"),
        (["--seeds", "0"], "--seeds 0: must be a whole number from 1 on"),
        (["--seeds", "-2"], "--seeds -2: must be a whole number from 1 on"),
    ],
)
def test_bad_options_name_the_key_and_the_remedy(words, said, capsys):
    assert called(*words) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {said}") and len(printed.err.splitlines()) == 1
    assert not printed.out


def test_a_missing_count_is_an_error_that_says_how(uncounted, capsys):
    assert called(*PAPER) == 2
    assert capsys.readouterr().err == "error: was never counted: python -m replications count --level laptop\n"


def test_json_has_every_run_unrounded(counted, capsys):
    assert called(*PAPER, "--seeds", "2", "--device", "a100", "--json") == 0
    records = json.loads(capsys.readouterr().out)
    assert records == [line.record() for line in lines("gpu", ["gotta_go_fast"], 2, "a100")]
    assert len(records) == RUNS
    assert {record["replicates"] for record in records} == {2}
    assert {record["device"] for record in records} == {"a100", "cpu"}
    assert all(record["hours"] > 0 for record in records)


def test_replicates_are_the_configuration_s_unless_they_are_asked_for(counted, capsys):
    assert called(*PAPER, "--json") == 0
    seeds = configured()["seeds"]["gpu"]
    assert {record["replicates"] for record in json.loads(capsys.readouterr().out)} == {seeds}


def test_all_papers_are_forecast_unless_some_are_named(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(
        lines_of, "lines", lambda level, papers, seeds, device: asked.append((level, papers, seeds, device)) or []
    )
    assert called("--level", "paper", "--seeds", "1", "--line") == 0
    assert asked == [("paper", workflow.papers(), 1, "h100")]


def test_a_line_has_hours_memory_and_disk(counted, capsys):
    assert called(*PAPER, "--line") == 0
    (said,) = capsys.readouterr().out.splitlines()
    assert said.startswith("forecast: ")
    assert "h of one NVIDIA H100 SXM" in said and "of one core" in said and "GB of weights and states" in said


def test_csv_has_the_hours_of_every_run(counted, tmp_path, capsys):
    assert called(*PAPER, "--device", "l40s", "--seeds", "3", "--csv", str(tmp_path / "hours.csv")) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'hours.csv'}\n"
    rows = list(csv.DictReader((tmp_path / "hours.csv").open()))
    assert len(rows) == RUNS
    assert tuple(rows[0]) == COLUMNS
    for row, line in zip(rows, lines("gpu", ["gotta_go_fast"], 3, "l40s")):
        assert [row[key] for key in COLUMNS[:5]] == ["gpu", line.device, line.paper, line.experiment, line.variant]
        assert row["replicates"] == "3" and float(row["hours"]) == pytest.approx(line.hours, rel=1e-3)


def test_resources_have_a_line_for_every_run(counted, tmp_path, capsys):
    assert called(*PAPER, "--resources", str(tmp_path / "gpu.yaml")) == 0
    table = yaml.safe_load((tmp_path / "gpu.yaml").read_text())
    assert len(table) == RUNS and "gotta_go_fast_learned_cifar10_seed*" in table
    assert capsys.readouterr().out == f"wrote {tmp_path / 'gpu.yaml'}\n"


def test_without_options_it_is_a_table_by_experiment_or_by_run(counted, capsys):
    assert called(*PAPER) == 0
    short = capsys.readouterr().out
    assert called(*PAPER, "--jobs") == 0
    assert "\nin all " in short and "learned cifar10" not in short
    assert "learned cifar10" in capsys.readouterr().out


def announced(results, *words):
    return command.announce(argparse.Namespace(**vars(parsed(*words)) | {"results": results}))


def test_a_level_is_announced_in_a_line_and_written_beside_its_results(counted, tmp_path, capsys):
    announced(tmp_path, *PAPER, "--seeds", "1")
    said = capsys.readouterr().out
    found = lines("gpu", ["gotta_go_fast"], 1, "h100")
    assert said == f"forecast: {summary(found)}; python -m replications forecast --level gpu\n"
    write_csv(tmp_path / "again.csv", "gpu", found)
    assert (tmp_path / "gpu" / "forecast.csv").read_text() == (tmp_path / "again.csv").read_text()


def test_without_a_forecast_there_is_a_note(uncounted, tmp_path, capsys):
    announced(tmp_path, *PAPER)
    assert capsys.readouterr().err.startswith("note: no forecast: was never counted")
    assert not list(tmp_path.iterdir())


def test_a_summary_adds_the_hours_of_each_device(counted):
    on_gpu, other, core = lines("gpu", ["gotta_go_fast"], 2, "h100")[:3]
    none = {"evaluation_hours": 0.0, "start_hours": 0.0}
    on_gpu = on_gpu._replace(**none, training_hours=1.5, memory=3e9, disk=1e9)
    other = other._replace(**none, training_hours=2.0, memory=2e9, disk=2e9)
    core = core._replace(**none, training_hours=0.2, memory=9e9, disk=0.0, device="cpu")
    # disk: of both replicates
    rest = "up to 3 GB on a GPU; 6.0 GB of weights and states"
    assert summary([on_gpu, core, other]) == f"3.5 h of one NVIDIA H100 SXM, 12 min of one core; {rest}"
    assert summary([core]) == "12 min of one core; 0.0 GB of weights and states"
    assert ahead.summary([]).endswith("0.0 GB of weights and states")


def test_every_job_starts_once(counted):
    """On a CPU runs share a job; at the larger levels each has its own."""
    for level, device in (("laptop", "cpu"), ("gpu", "h100")):
        config = {**configured(), "level": level, "seeds": {level: 3}}
        own = [line for line in lines(level, ["gotta_go_fast"], 3, "h100") if line.device == device]
        jobs = [job for job in plan(["gotta_go_fast"], config) if level == "laptop" or job.resources["gpu"]]
        started = 3600 * sum(line.start_hours for line in own) / DEVICES[device].process
        assert started == pytest.approx(len(jobs))


def counted_by(*words):
    parser = argparse.ArgumentParser()
    command.add_count_arguments(parser)
    return command.count(parser.parse_args(words))


def test_count_refuses_what_is_no_level(capsys):
    assert counted_by("--level", "laptops") == 2
    assert "there is no level 'laptops'; did you mean 'laptop'?" in capsys.readouterr().err


def test_count_counts(monkeypatch):
    monkeypatch.setattr(count, "count_all", lambda options: 7 if (options.level, options.only) == ("gpu", ["a", "b"]) else 0)
    assert counted_by("--level", "gpu", "--only", "a", "b") == 7
