"""The training loop.

Everything that is random in step k follows from (seed, process, k), and the data of step k from k, so resuming needs the weights,
their average and the optimiser's state only, and ends bit for bit where an unbroken run ends (on a CPU).
"""

import contextlib
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from common.errors import RetraceError
from common.learning.training.adam import Adam
from common.learning.training.average import MovingAverage
from common.learning.training.curve import LossCurve
from common.learning.training.progress import Progress
from common.learning.training.settings import TrainSettings
from common.learning.training.state import load_state, save_state, state_path
from common.runs import distributed
from common.runs.seeds import derive_seed

# loss(network, step, generator) -> scalar; the network is what to call, wrapped for several processes or compiled
Loss = Callable[[nn.Module, int, Generator], Tensor]


class Trained(NamedTuple):
    """A finished training: the averaged model, the loss curve (means over windows of steps), and what it took."""

    model: nn.Module
    losses: np.ndarray
    loss_steps: np.ndarray
    seconds: float
    resumed_at: int


def train(
    model: nn.Module,
    loss: Loss,
    *,
    settings: TrainSettings,
    seed: int,
    state_file: Path,
    device: torch.device,
    fingerprint: str,
    label: str = "training",
    on_step: Callable[[int, nn.Module, nn.Module], None] | None = None,
) -> Trained:
    """Train `model` in place and return the average (EMA) of its weights, resuming from `state_file` if it has a state.

    `on_step(step, model, averaged model)` is called after every step. `fingerprint` names the training: only a state with the
    same one is resumed. Of several processes the first one prints, saves and gives the loss curve. Raises `RetraceError` when the
    loss or a weight is not finite; the last saved state stays.
    """
    file = state_path(state_file, fingerprint)
    if settings.channels_last:
        # cuDNN follows the weights' format, so the images need no conversion
        model.to(memory_format=torch.channels_last)
    average = MovingAverage(model, settings.ema_decay)
    optimiser = Adam(model.parameters(), settings)
    curve = LossCurve(settings.steps, device)
    parts = {"model": model, "average": average, "optimiser": optimiser, "curve": curve}
    leader = distributed.rank() == 0
    first, spent = 0, 0.0
    if saved := load_state(file, fingerprint, device):
        first, spent = saved["step"], saved["seconds"]
        for name, part in parts.items():
            part.load_state_dict(saved[name])
    progress = Progress(label, first, settings.steps, quiet=not leader)
    if first:
        progress.say(f"resumed at step {first}")
    begin = saved_at = time.perf_counter()

    network = distributed.wrapped(model, device)
    with _global_random_state_kept(model, device):
        step_once = _stepper(network, loss, settings, optimiser, seed, device, seeds_dropout=_has_dropout(model))
        for step in range(first, settings.steps):
            recorded = curve.add(step_once(step))
            average.update(last=step + 1 == settings.steps)
            progress.step()
            if recorded is not None:
                _check_finite("training loss", recorded, step + 1, settings)
                progress.record(step + 1, recorded)
            now = time.perf_counter()
            if leader and (step + 1 == settings.steps or now - saved_at >= settings.checkpoint_seconds):
                # a bad gradient spoils the weights one step before it shows in the loss
                _check_finite("training loss", float(curve.total), step + 1, settings)
                _check_finite("norm of the weights", _size(model), step + 1, settings)
                state = {name: part.state_dict() for name, part in parts.items()}
                save_state(file, state | {"fingerprint": fingerprint, "step": step + 1, "seconds": spent + now - begin})
                saved_at = time.perf_counter()
            if on_step:
                on_step(step + 1, model, average.module)
    progress.close()
    steps, losses = curve.points()
    return Trained(average.module.eval(), losses, steps, spent + time.perf_counter() - begin, first)


def _stepper(
    network: nn.Module,
    loss: Loss,
    settings: TrainSettings,
    optimiser: Adam,
    seed: int,
    device: torch.device,
    *,
    seeds_dropout: bool,
) -> Callable[[int], Tensor]:
    """Return a function that does one optimiser step and returns its loss, without waiting for the device."""
    called = torch.compile(network) if settings.compile else network
    parameters = list(network.parameters())
    generator = Generator(device=device)
    rank = distributed.rank()
    # entered anew at every step; a context that is switched off costs as much as one that works
    mixed = settings.precision == "bf16"
    precision = torch.autocast(device.type, dtype=torch.bfloat16) if mixed else contextlib.nullcontext()

    def step_once(step: int) -> Tensor:
        generator.manual_seed(derive_seed(seed, rank, step))
        if seeds_dropout:
            # dropout takes no generator: it reads the global one, which the loop puts back afterwards
            torch.manual_seed(derive_seed(seed, rank, step, "dropout"))
        with precision:
            value = loss(called, step, generator)
        for parameter in parameters:
            parameter.grad = None
        value.backward()
        if settings.clip_norm is not None:
            clip([parameter.grad for parameter in parameters if parameter.grad is not None], settings.clip_norm)
        optimiser.step(learning_rate(settings, step))
        return value.detach()

    return step_once


@torch.no_grad()
def clip(gradients: list[Tensor], most: float) -> None:
    """Scale all gradients, in place, so that their joint norm is `most` at the most.

    What `torch.nn.utils.clip_grad_norm_` does, without its grouping by device: a third of its time on a small network.
    """
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    scale = (most / (norm + 1e-6)).clamp_(max=1.0)
    # on a CPU nobody waits for the number, and most steps need no scaling
    if scale.device.type != "cpu" or float(scale) < 1:
        torch._foreach_mul_(gradients, scale)


def learning_rate(settings: TrainSettings, step: int) -> float:
    """Return the learning rate of a step (from 0): linear warm-up, then constant, then linear decay towards 0 where asked for."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    end = settings.constant_until()
    if step < end:
        return settings.learning_rate
    return settings.learning_rate * (settings.steps - step) / max(1, settings.steps - end)


def _has_dropout(model: nn.Module) -> bool:
    return any(isinstance(module, _DropoutNd) and module.p > 0 for module in model.modules())


def _global_random_state_kept(model: nn.Module, device: torch.device) -> AbstractContextManager[None]:
    devices = [device] if device.type == "cuda" else []
    return torch.random.fork_rng(devices, enabled=_has_dropout(model))


@torch.no_grad()
def _size(model: nn.Module) -> float:
    return float(torch.stack(torch._foreach_norm(list(model.parameters()))).sum())


def _check_finite(what: str, value: float, step: int, settings: TrainSettings) -> None:
    if not math.isfinite(value):
        raise RetraceError(
            f"the {what} is {value} at step {step}; lower train.learning_rate (now {settings.learning_rate:g}) "
            "or set train.clip_norm"
        )
