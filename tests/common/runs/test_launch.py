"""A call with several GPUs starts itself again under torchrun."""

import os
import sys

import processes
import pytest

from common.errors import RetraceError
from common.runs import cli, distributed, launch
from common.runs.execute import shown_command

WORDS = ["train", "--level", "smoke", "--show-settings"]


@pytest.fixture
def started(monkeypatch):
    """What takes this process's place."""
    calls = []

    def execv(program, words):
        calls.append([program, *words])
        raise SystemExit

    monkeypatch.setattr(launch.os, "execv", execv)
    return calls


def test_with_several_gpus_a_call_becomes_torchrun_with_as_many_processes(started):
    with pytest.raises(SystemExit):
        cli.main("common", [*WORDS, "--gpus", "4"])
    torchrun = [sys.executable, sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=4"]
    assert started == [[*torchrun, "-m", "common", *WORDS, "--gpus", "4"]]


@pytest.mark.parametrize("gpus", ["0", "1"])
def test_with_one_or_none_it_stays_as_it_is(started, gpus):
    assert cli.main("common", [*WORDS, "--gpus", gpus]) == 0 and not started


def test_torchruns_processes_do_not_start_it_again_and_share_the_threads(started, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert cli.main("common", [*WORDS, "--gpus", "4", "--threads", "1"]) == 0 and not started
    assert launch.os.environ["OMP_NUM_THREADS"] == "1"
    monkeypatch.setattr("common.runs.call.os.cpu_count", lambda: 8)
    assert cli.main("common", [*WORDS, "--gpus", "4", "--threads", "8"]) == 0
    assert launch.os.environ["OMP_NUM_THREADS"] == "2"


def test_less_than_no_gpu_is_refused(capsys):
    assert cli.main("common", [*WORDS, "--gpus", "-1"]) == 2
    assert "--gpus -1: must be a whole number from 0 on" in capsys.readouterr().err


def test_the_command_in_a_run_folder_starts_as_many_processes_again(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert shown_command("common", ["train", "--gpus", "4"]) == "python -m common train --gpus 4"
    assert shown_command("common", ["train"]) == "torchrun --nproc_per_node=4 -m common train"


def test_each_process_has_a_gpu_of_its_own_and_too_few_are_named(monkeypatch):
    import torch

    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert distributed.own_device(torch.device("cuda")) == torch.device("cuda:1")
    assert distributed.own_device(torch.device("cpu")) == torch.device("cpu")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(RetraceError, match=r"4 processes were started, and this machine has 2 GPUs; start as many \(--gpus 2\)"):
        distributed.own_device(torch.device("cuda"))


@pytest.fixture
def four(tmp_path, monkeypatch):
    """A folder with the devices of four GPUs, and locks of its own."""
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidia3", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(launch.tempfile, "tempdir", None)
    yield tmp_path
    launch.tempfile.tempdir = None


def visible(devices, number):
    """What a job of its own sees: printed, and held until the process is ended."""
    launch.tempfile.tempdir = str(devices)
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    launch.take_gpus(number, devices)
    print(os.environ.get("CUDA_VISIBLE_DEVICES", "all"), flush=True)
    os.execv("/bin/sleep", ["sleep", "60"])  # as torchrun takes a call's place


def test_jobs_side_by_side_have_gpus_of_their_own_and_give_them_back(four):
    def job(number, name):
        started, said = processes.start(visible, four, number, output=four / name), ""
        while not said:
            assert started.is_alive()
            said = (four / name).read_text().strip() if (four / name).exists() else ""
        return started, said

    jobs = [job(number, name) for number, name in ((1, "one"), (2, "two"), (2, "too few"), (1, "last"))]
    assert [said for _, said in jobs] == ["0", "1,2", "all", "3"], "where too few are free none is taken"
    for started, _ in jobs[:2]:
        started.kill()
        processes.status(started)
    jobs.append(job(3, "again"))
    assert jobs[-1][1] == "0,1,2"
    for started, _ in jobs[2:]:
        started.kill()


def test_whoever_has_chosen_keeps_the_choice(four, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    launch.take_gpus(1, four)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3" and not list(four.glob("retrace-*"))


@pytest.mark.parametrize("number", [0, 5])
def test_jobs_without_a_gpu_take_none_and_too_many_are_left_to_the_device(four, number):
    launch.take_gpus(number, four)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ and not list(four.glob("retrace-*"))


def test_one_gpu_is_no_choice(four):
    for number in (1, 2, 3):
        (four / f"nvidia{number}").unlink()
    launch.take_gpus(1, four)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
