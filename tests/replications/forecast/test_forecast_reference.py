"""The forecast beside what was measured, and the committed tables beside what the commands write."""

import csv
import math

import pytest

from common.measure.devices import DEVICES
from common.runs import workflow
from common.runs.plan import plan
from common.runs.resources import forecast_file, read_table, resources
from common.runs.settings import ROOT
from replications.forecast import rows
from replications.forecast.ahead import summary, write_csv
from replications.forecast.lines import TRAINED, lines
from replications.forecast.overview import DEVICE, MEASURED, minutes_measured, overview
from replications.forecast.resources import text
from replications.forecast.runs import configured, planned
from replications.forecast.sizes import schedules
from replications.slices import slices

LEVELS = ("laptop", "gpu", "paper")
REMEDY = "python -m replications forecast --level {level} --csv results/reference/forecast/{level}-h100.csv"


@pytest.fixture(scope="module")
def found():
    return {level: lines(level, workflow.papers(), configured()["seeds"][level], DEVICE) for level in LEVELS}


def test_the_laptop_s_forecast_is_within_half_of_what_was_measured_paper_by_paper(found):
    for paper, minutes in minutes_measured().items():
        forecast = 60 * sum(line.hours for line in found["laptop"] if line.paper == paper)
        assert 1 / 1.5 < forecast / minutes < 1.5, (paper, forecast, minutes)


def test_the_laptop_s_sum_is_within_a_fifth(found):
    forecast, measured = 60 * sum(line.hours for line in found["laptop"]), sum(minutes_measured().values())
    assert forecast == pytest.approx(measured, rel=0.2)


def test_what_was_measured_is_a_run_of_all_that_is_forecast(found):
    measured = {
        (line["paper"], line["experiment"]): int(line["runs"]) for line in csv.DictReader(MEASURED.read_text().splitlines())
    }
    planned_runs = {}
    for line in found["laptop"]:
        key = line.paper, line.experiment
        planned_runs[key] = planned_runs.get(key, 0) + line.replicates
    assert measured == planned_runs


def timed():
    """Return counted training and measured row of every model that was timed on the H100 as its level trains it."""
    table = csv.DictReader((ROOT / "results/reference/gpu-h100/slices.csv").read_text().splitlines())
    there = {(level, each.model, each.data): each for level in ("gpu", "paper") for each in slices(level, None, None)}
    pairs = []
    for row in table:
        each = there.get((row["level"], row["model"], row["data"]))
        if each is None or row["level_settings"] != "True" or row["status"] != "ok":
            continue
        values = [override.partition("=")[2] for override in each.overrides]
        name = "multiscale" if each.model == "ffjord_multiscale" else None
        found = [
            training
            for training in rows.of(row["level"], each.package.rpartition(".")[2], each.experiment)
            if training.variant.startswith(each.data) and all(value in training.variant for value in values)
            if name in (None, training.name)
        ]
        if found:
            pairs.append((found[0], row))
    return pairs


def test_steps_on_an_h100_take_what_the_counts_say():
    pairs, device = timed(), DEVICES["h100"]
    assert len(pairs) >= 15
    ratios = []
    for training, row in pairs:
        precision = "bf16" if row["precision"] == "bf16" else "tf32"
        ratios.append(device.seconds(training.work, precision) / float(row["step_seconds"]))
    assert all(1 / 2 < ratio < 2 for ratio in ratios), ratios
    assert math.prod(ratios) ** (1 / len(ratios)) == pytest.approx(1, abs=0.15)


def test_memory_is_what_was_measured_where_workspaces_are_small():
    """bf16 makes copies of what it is given, and small networks need as much for themselves; the others are within a tenth."""
    found = [(training.kept + TRAINED * training.parameters, row) for training, row in timed()]
    large = [
        float(row["peak_memory_bytes"]) / forecast for forecast, row in found if row["precision"] == "fp32" and forecast > 1e9
    ]
    assert len(large) >= 5
    assert all(0.9 < ratio < 1.1 for ratio in large), large
    assert all(0.9 < float(row["peak_memory_bytes"]) / forecast < 3 for forecast, row in found)


def test_counted_flops_are_those_that_were_counted_on_the_gpu():
    for training, row in timed():
        if "ffjord" not in row["model"] and "ode" not in row["model"]:  # their solvers choose their steps
            assert training.flops / training.batch == pytest.approx(float(row["flops_per_image"]), rel=0.02), row["model"]


@pytest.mark.parametrize("level", rows.COUNTED + LEVELS[1:])
def test_everything_was_counted_with_the_settings_as_they_are(level):
    for run in planned(level, workflow.papers(), 1):
        own = rows.of(level, *run.key)
        wanted = level in rows.COUNTED or schedules(run)
        assert own or not wanted, f"{'/'.join(run.key)} was not counted: {rows.command(level)} --only {'/'.join(run.key)}"
        for row in own:
            assert row.mark == run.mark, f"settings changed: {rows.command(level)} --only {'/'.join(run.key)}"


@pytest.mark.parametrize("level", ["gpu", "paper"])
def test_committed_forecasts_are_what_the_command_writes(level, found, tmp_path):
    write_csv(tmp_path / "forecast.csv", level, found[level])
    committed = ROOT / "results/reference/forecast" / f"{level}-h100.csv"
    assert committed.read_text() == (tmp_path / "forecast.csv").read_text(), REMEDY.format(level=level)


@pytest.mark.parametrize("level", ["gpu", "paper"])
def test_every_job_has_its_line_of_resources_and_every_line_a_job(level, found):
    file = forecast_file(level)
    assert (ROOT / file).read_text() == text(found[level]), f"python -m replications forecast --level {level} --resources {file}"
    table = read_table(file)
    asked = {job.name: job.resources for job in plan(workflow.papers(), {**configured(), "level": level})}
    assert all(
        resources(name, table, {"runtime": 0, "mem_mb": 0}).get("runtime") == own["runtime"] for name, own in asked.items()
    )
    assert len({own["runtime"] for own in asked.values()}) > 3
    own = plan(workflow.papers(), {**configured(), "level": level, "resources": file})  # raises for a line without a job
    assert {job.name: job.resources for job in own} == asked


def test_the_readme_has_the_table():
    assert overview() in (ROOT / "README.md").read_text(), "put `python -m replications forecast --overview` into README.md"


def test_a_level_in_a_line(found):
    assert "min of one core" in summary(found["laptop"])
    assert "h of one NVIDIA H100" in summary(found["gpu"])
