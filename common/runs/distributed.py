"""Several processes under torchrun: who am I, how many are we. One process is the same code with rank 0 of 1."""

import os

import torch
from torch import nn

from common.errors import RetraceError, SettingsError
from common.runs import launch


def rank() -> int:
    """Return this process's number, 0 without torchrun."""
    return int(os.environ.get("RANK", "0"))


def world() -> int:
    """Return the number of processes, 1 without torchrun."""
    return launch.processes()


def share(batch: int) -> int:
    """Return how many of a batch's items are this process's. Raises `SettingsError` if they cannot be shared evenly."""
    if batch % world():
        raise SettingsError(f"train.batch {batch} does not divide over {world()} processes; choose a multiple of {world()}")
    return batch // world()


def own_device(device: torch.device) -> torch.device:
    """Return the GPU of this process on its machine; other devices are shared. Raises `RetraceError` if there are too few."""
    if device.type != "cuda" or world() == 1:
        return device
    own, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if own >= there:
        raise RetraceError(f"{world()} processes were started, and this machine has {there} GPUs; start as many (--gpus {there})")
    return torch.device("cuda", own)


def wrapped(model: nn.Module, device: torch.device) -> nn.Module:
    """Return the model as DistributedDataParallel where several processes train it, or as it is."""
    if world() == 1:
        return model
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return nn.parallel.DistributedDataParallel(model, device_ids=[device.index] if device.type == "cuda" else None)


def leave() -> None:
    """Leave the other processes, at the end of a call.

    Not after every training: a process that is early for the next one would meet the store of the last one as it closes.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
