import csv
import errno
import json
import os
from collections import namedtuple

import numpy as np
import processes
import pytest
import torch

from common.errors import RetraceError
from common.runs import folders
from common.runs.folders import COLUMNS, Outcome, check_writable, refused, row, to_csv, write, write_failure, write_run

INFO = {
    "paper": "toy",
    "experiment": "fit",
    "variant": "a",
    "seed": 0,
    "level": "smoke",
    "device": "cpu",
    "commit": "abc",
    "versions": {"torch": "1", "numpy": "2"},
    "seconds": 1.5,
}


def test_a_run_folder_reads_back_exactly(tmp_path):
    outcome = Outcome(
        [row("nll", 0.1 + 0.2, dataset="digits", method="fm_ot", unit="nats", nfe=8, n=3)],
        arrays={"curve": np.arange(3.0)},
        samples={"x": np.ones((2, 2))},
        weights={"w": torch.ones(2, 3).T},
        model={"shape": [2]},
    )
    write_run(tmp_path, outcome, INFO)
    (only,) = csv.DictReader((tmp_path / "metrics.csv").open())
    assert tuple(only) == COLUMNS
    assert float(only["value"]) == 0.1 + 0.2 and only["status"] == "ok" and only["at"] == ""
    assert json.loads((tmp_path / "run.json").read_text())["model"] == {"shape": [2]}
    assert np.array_equal(np.load(tmp_path / "arrays.npz", allow_pickle=False)["curve"], np.arange(3.0))
    assert not list(tmp_path.glob(".*")), "no temporary files stay behind"


def test_what_cannot_be_measured_is_a_row_with_its_reason(tmp_path):
    rows = [row("nll", 1.0, axis="K", at=1), refused("nll", ValueError("too noisy"), axis="K", at=20)]
    write_run(tmp_path, Outcome(rows), INFO)
    measured, other = csv.DictReader((tmp_path / "metrics.csv").open())
    assert (measured["status"], measured["axis"], measured["at"]) == ("ok", "K", "1")
    assert (other["status"], other["message"], other["value"], other["at"]) == ("refused", "too noisy", "nan", "20")


def test_a_failure_leaves_an_older_result_and_a_result_removes_an_older_failure(tmp_path):
    write_run(tmp_path, Outcome([row("nll", 1.0)]), INFO)
    write_failure(tmp_path, INFO | {"command": "python -m x"}, "went wrong", "Traceback ...")
    assert (tmp_path / "metrics.csv").exists(), "what was finished stays"
    failure = json.loads((tmp_path / "failure.json").read_text())
    assert failure["status"] == "failed" and failure["message"] == "went wrong" and failure["command"] == "python -m x"
    write_run(tmp_path, Outcome([row("nll", 1.0)]), INFO)
    assert not (tmp_path / "failure.json").exists()


def test_an_interrupted_write_leaves_the_old_file_whole(tmp_path):
    file = tmp_path / "a.txt"
    write(file, lambda stream: stream.write(b"old"))

    def full_disk(stream):
        stream.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(
        RetraceError, match=r"a\.txt: could not be written \(No space left on device; \d+ MB free on this disk\); free some"
    ):
        write(file, full_disk)
    with pytest.raises(RuntimeError, match="a bug in the writer"):
        write(file, lambda stream: (_ for _ in ()).throw(RuntimeError("a bug in the writer")))
    assert file.read_bytes() == b"old" and [f.name for f in tmp_path.iterdir()] == ["a.txt"]


def test_too_little_space_is_found_before_any_compute(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(folders.shutil, "disk_usage", lambda folder: usage(100, 100, 3 * 2**20))
    with pytest.raises(RetraceError, match=r"only 3 MB free on this disk, a run needs 64; free some space"):
        check_writable(tmp_path)


def try_as_somebody_else(folder):
    if os.getuid() == 0:
        os.setuid(65534)  # permissions do not stop root
    check_writable(folder)


def test_a_read_only_folder_is_found_before_any_compute(tmp_path):
    locked = tmp_path / "results"
    locked.mkdir()
    locked.chmod(0o500)
    process = processes.start(try_as_somebody_else, locked, output=tmp_path / "output.txt")
    assert processes.status(process) == 1
    message = (tmp_path / "output.txt").read_text()
    assert "results: cannot write here (Permission denied); free it or choose another --results" in message


def test_no_cell_is_taken_for_a_formula():
    text = to_csv([row("x", -1.5, method="=1+1", variant="-a", unit="@b", dataset="+c")])
    (only,) = csv.DictReader(text.splitlines())
    assert (only["method"], only["variant"], only["unit"], only["dataset"]) == ("'=1+1", "'-a", "'@b", "'+c")
    assert float(only["value"]) == -1.5
