"""Hours, memory, disk and what a cluster is asked for, from work that is known."""

import pytest

from common.learning.training.settings import TrainSettings
from common.measure.devices import DEVICES
from common.measure.work import Work
from common.runs.resources import read_table, resources
from replications.forecast import lines as lines_of
from replications.forecast.lines import STATE, TRAINED, WEIGHT, in_memory, line, on_disk, precision
from replications.forecast.resources import LEAST_MINUTES, PROCESS_MB, megabytes, minutes, pattern, write_resources
from replications.forecast.runs import Planned
from replications.forecast.scaled import Forecast
from replications.forecast.show import hours, short, summed, table

WORK, REST = Work(1e9, 1e15, 1e12), Work(1e6, 1e12, 1e9)
FOUND = Forecast(1, 1000, WORK, 5e6, REST, 10**6, 3e8, "laptop")
PLAN = TrainSettings(steps=1000, batch=8, learning_rate=0.1, snapshots=3)


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(lines_of, "forecast", lambda run: FOUND)
    monkeypatch.setattr(lines_of, "schedules", lambda run: [PLAN])
    return Planned("replications.p", "e", {"data": "cifar10", "kind": "a"}, "gpu", (0, 1, 2), None)


def test_hours_are_those_of_all_replicates_on_the_device(run):
    found, device = line(run, "a100"), DEVICES["a100"]
    assert found.device == "a100"
    assert found.training_hours == pytest.approx(3 * device.seconds(WORK, "tf32") / 3600)
    assert found.evaluation_hours == pytest.approx(3 * device.seconds(REST, "tf32") / 3600)
    assert found.start_hours == pytest.approx(3 * device.process / 3600)
    assert found.hours == pytest.approx(found.training_hours + found.evaluation_hours + found.start_hours)
    assert found.record()["hours"] == found.hours


def test_what_wants_no_gpu_is_a_core_s(run):
    assert line(run._replace(gpu=False), "a100").device == "cpu"
    assert line(run._replace(level="laptop"), "a100").device == "cpu"


def test_runs_of_a_laptop_share_their_start(run):
    assert line(run._replace(level="laptop"), "h100", 0.125).start_hours == pytest.approx(3 * DEVICES["cpu"].process / 8 / 3600)


def test_memory_and_disk_by_hand(run):
    assert in_memory(FOUND, [PLAN]) == 10**6 * TRAINED + 3e8
    assert in_memory(FOUND, []) == 10**6 * WEIGHT
    assert line(run, "h100").activations == 3e8
    # the last weights, three snapshots of two kinds, and the state
    assert on_disk(FOUND, [PLAN]) == 10**6 * (WEIGHT * 7 + STATE)
    assert on_disk(FOUND, []) == 0


def test_the_table_of_resources_is_one_that_the_workflow_reads(run, tmp_path):
    found = line(run, "h100")
    write_resources(tmp_path / "table.yaml", [found])
    asked = resources("p_e_cifar10_a_seed2", read_table(str(tmp_path / "table.yaml")), {"gpu": 1, "mem_mb": 1, "runtime": 1})
    assert asked == {"gpu": 1, "mem_mb": PROCESS_MB + 1000, "runtime": minutes(found)}


def test_minutes_are_twice_those_of_one_job_and_never_few(run):
    found = line(run, "h100")
    assert minutes(found._replace(training_hours=30.0, evaluation_hours=0.0, start_hours=0.0)) == 2 * 10 * 60
    assert minutes(found._replace(training_hours=0.0, evaluation_hours=0.0, start_hours=0.0)) == LEAST_MINUTES


def test_shared_jobs_have_names_without_a_paper(run):
    found = line(run._replace(package="common", experiment="train", values={"data": "cifar10", "objective": "fm_ot"}), "h100")
    assert pattern(found) == "train_cifar10_fm_ot_seed*"


def test_sums_are_over_replicates_and_memory_is_the_largest(run):
    found = line(run, "h100")
    cells = summed("both", [found, found._replace(memory=5e9)])
    assert cells[:5] == ("both", "6", "6", "6k", "30M")
    assert cells[5:7] == ("6.01", "1M")  # a training's and the rest's
    assert cells[7] == "5.0"
    assert cells[8] == f"{6 * found.disk / 1e9:.1f}"
    assert cells[9:] == ("h100", hours(2 * found.hours))


def test_the_table_has_a_line_for_each_experiment_paper_and_the_sum(run):
    found = line(run, "h100")
    text = table([found, found._replace(paper="q", experiment="f")])
    assert [words.split()[0] for words in text.splitlines()[1:6]] == ["e", "p", "f", "q", "in"]
    assert "measured on it" in text
    assert "assumed" in table([line(run, "l40s")])
    assert "40% of its peak rate and 40% of its bandwidth, 40 µs to start an operation (measured on it)" in text
    assert "laptop level's counts" in text
    assert "e cifar10-a" in table([found], jobs=True)


def test_a_training_that_fits_no_gpu_is_named_with_how_many_would_do(run):
    found = line(run, "h100")
    assert "does not fit" not in table([found])
    large = table([found._replace(memory=190e9), found._replace(memory=1e12), found._replace(memory=1e12, device="cpu")])
    assert large.count("does not fit: p/e/cifar10-a") == 2
    assert "190 GB; let 3 GPUs or more share its batch" in large
    assert "1000 GB; 13 GPUs would have to share its batch, and those of a job are on one machine" in large


def test_numbers_are_short():
    assert [short(value) for value in (12, 1234, 999_999, 3e9, 4.56e13)] == ["12", "1.23k", "1M", "3G", "45.6T"]
    assert [short(value) for value in (999, 1000, 1e6)] == ["999", "1k", "1M"]
    assert [hours(value) for value in (0.0123, 3.21, 1234.5)] == ["0.012", "3.2", "1234"]


def test_products_are_in_the_precision_of_the_training():
    assert precision([PLAN]) == precision([]) == "tf32"
    assert precision([PLAN.model_copy(update={"precision": "bf16"})]) == "bf16"


def test_a_processor_s_memory_has_training_and_state(run):
    found = line(run, "h100")._replace(memory=2.5e9)
    assert megabytes(found) == PROCESS_MB + 3000
    assert megabytes(found._replace(device="cpu")) == PROCESS_MB + 5000
