"""A call with several GPUs starts itself again under torchrun."""

import sys

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
