"""The table of slices: complete rows, reasons for failures, what stands is kept, shares of a peak and speed-ups."""

import time

import pandas as pd
import pytest
import torch

from common.errors import RetraceError
from common.evaluation.slice_table import COLUMNS, completed, limited, measure, read
from common.evaluation.slices import Slice
from common.learning.training.run import train_run

CPU = torch.device("cpu")
AMOUNTS = {"seconds": 0.01, "limit": 60.0}
OK = {
    "level": "gpu",
    "paper": "common",
    "model": "m",
    "data": "d",
    "batch": 8,
    "torch": "2",
    "status": "ok",
    "tf32": "convolutions",
}
H100 = "NVIDIA H100 80GB HBM3"


class Trainings:
    """Counts its trainings of a small network; those of a precision may fail."""

    def __init__(self, failing=()):
        self.seen, self.failing = [], failing

    def __call__(self, settings, context):
        self.seen.append(settings.train.precision)
        if settings.train.precision in self.failing:
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 9 GiB")

        def loss(network, step, generator):
            return network(torch.ones(settings.train.batch, 64)).square().mean()

        train_run(context, torch.nn.Linear(64, 2), loss, settings.train, seed=0, of=settings)


def slice_of(train):
    forward = lambda model, x, settings: model(x.flatten(1))  # noqa: E731
    return Slice("small", "digits", "smoke", "common", "train", (), train, forward)


def test_rows_are_complete_and_an_unknown_device_says_that_it_has_no_peak(tmp_path):
    measure([slice_of(Trainings())], ["fp32", "bf16"], tmp_path / "slices.csv", CPU, **AMOUNTS)
    table = pd.read_csv(tmp_path / "slices.csv")
    assert tuple(table.columns) == COLUMNS and list(table.arm) == ["fp32", "bf16"] and set(table.status) == {"ok"}
    filled = set(COLUMNS) - {"utilisation", "peak_memory_bytes"}
    assert not table[sorted(filled)].isna().any().any()
    assert table.utilisation.isna().all() and table.message.str.contains("no peak of 'cpu'.*peaks.py").all()
    assert table.speedup[0] == 1
    assert table.speedup[1] == pytest.approx(table.step_seconds[0] / table.step_seconds[1])
    assert list(table.flops_per_image) == [2 * (2 * 64 * 2)] * 2


def test_a_failure_is_a_row_with_its_reason_and_the_others_follow(tmp_path, capsys):
    trainings = Trainings(failing=["fp32"])
    rows = measure([slice_of(trainings)], ["fp32", "bf16"], tmp_path / "slices.csv", CPU, **AMOUNTS)
    assert [row["status"] for row in rows] == ["failed", "ok"]
    assert rows[0]["message"] == "OutOfMemoryError: CUDA out of memory. Tried to allocate 9 GiB"
    assert rows[1]["speedup"] is None
    assert "failed, OutOfMemoryError" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "slices.csv")
    assert table.status.tolist() == ["failed", "ok"] and table.step_seconds.isna().tolist() == [True, False]


def test_a_compiler_that_fails_is_a_row(tmp_path, monkeypatch):
    def broken(network):
        raise RuntimeError("Triton is not there")

    monkeypatch.setattr(torch, "compile", broken)
    [row] = measure([slice_of(Trainings())], ["fp32_compiled"], tmp_path / "slices.csv", CPU, **AMOUNTS)
    assert row["status"] == "failed" and "Triton is not there" in row["message"]


def test_what_stands_is_not_measured_again_but_failures_are(tmp_path):
    file, first = tmp_path / "slices.csv", Trainings(failing=["bf16"])
    measure([slice_of(first)], ["fp32", "bf16"], file, CPU, **AMOUNTS)
    second = Trainings()
    rows = measure([slice_of(second)], ["fp32", "bf16"], file, CPU, **AMOUNTS)
    assert (first.seen, second.seen) == (["fp32", "bf16"], ["bf16"])
    assert [row["status"] for row in rows] == ["ok", "ok"] and len(read(file)) == 2
    # the speed-up is over the row that stood
    assert rows[1]["speedup"] == pytest.approx(float(rows[0]["step_seconds"]) / rows[1]["step_seconds"])
    measure([slice_of(second)], ["fp32"], file, CPU, batch=7, **AMOUNTS)
    assert second.seen == ["bf16", "fp32"] and [row["batch"] for row in read(file)] == ["64", "64", "7"]


def test_rows_are_written_one_by_one(tmp_path):
    file, there = tmp_path / "slices.csv", []

    def train(settings, context):
        there.append(len(read(file)))
        raise ValueError

    measure([slice_of(train)], ["fp32", "bf16", "fp32_no_tf32"], file, CPU, **AMOUNTS)
    assert there == [0, 1, 2]


@pytest.mark.parametrize(
    ("precision", "tf32", "peak"),
    [("bf16", "convolutions", 989.4e12), ("fp32", "convolutions", 494.7e12), ("fp32", "none", 67e12)],
)
def test_utilisation_is_of_the_peak_of_the_precision(precision, tf32, peak):
    row = {**OK, "arm": "a", "device": H100, "precision": precision, "tf32": tf32, "step_seconds": 0.5, "images_per_second": 16.0}
    found = completed({**row, "flops_per_image": 1e12}, [])
    assert found["utilisation"] == pytest.approx(16e12 / peak)
    assert found["message"] == ""


def test_a_compiled_arm_takes_the_operations_of_its_slice():
    row = {**OK, "arm": "c", "device": H100, "precision": "bf16", "step_seconds": 0.25, "images_per_second": 32.0}
    base = {**OK, "arm": "fp32", "device": H100, "step_seconds": "0.5", "flops_per_image": "2e12"}
    found = completed(row, [{**base, "batch": 9, "flops_per_image": "7e12"}, base])
    assert (found["flops_per_image"], found["speedup"]) == (2e12, 2.0)
    alone = completed(row, [])
    assert alone["utilisation"] is None and alone["speedup"] is None and "measure the arm fp32 first" in alone["message"]


def test_what_takes_too_long_is_interrupted():
    began = time.perf_counter()
    with pytest.raises(TimeoutError, match=r"longer than 0\.05 s; give it more with --limit"), limited(0.05):
        time.sleep(5)
    assert time.perf_counter() - began < 2
    with limited(0.05):
        pass
    time.sleep(0.1)  # nothing comes later


def test_another_file_is_not_overwritten(tmp_path):
    file = tmp_path / "notes.csv"
    for content in ("a,b\n1,2\n", ",".join(COLUMNS) + "\n1,2\n"):
        file.write_text(content)
        with pytest.raises(RetraceError, match=r"notes\.csv: not a table of training slices; name another file"):
            measure([slice_of(Trainings())], ["fp32"], file, CPU, **AMOUNTS)
        assert file.read_text() == content
