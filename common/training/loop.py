"""The training loop.

Everything that is random in step k follows from (seed, process, k), and the data of step k from k, so resuming needs the weights,
their average and the optimiser's state only, and ends bit for bit where an unbroken run ends (on a CPU).
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.optim.swa_utils import AveragedModel

from common.errors import RetraceError
from common.seeds import derive_seed
from common.training import distributed
from common.training.progress import Progress
from common.training.settings import TrainSettings
from common.training.state import load_state, save_state, state_path

# loss(network, step, generator) -> scalar; the network is what to call, wrapped for several processes or compiled
Loss = Callable[[nn.Module, int, Generator], Tensor]
RECORDS = 200  # points of a loss curve


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
    on_step: Callable[[int], None] | None = None,
) -> Trained:
    """Train `model` in place and return the average (EMA) of its weights, resuming from `state_file` if it has a state.

    Raises `RetraceError` when the loss is not finite; the last saved state stays.
    """
    file = state_path(state_file, fingerprint)
    average = AveragedModel(model, multi_avg_fn=_moving_average(settings.ema_decay))
    optimiser = _optimiser(model, settings, device)
    window = max(1, settings.steps // RECORDS)
    first, records, spent = 0, [], 0.0
    if saved := load_state(file, fingerprint, device):
        model.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        optimiser.load_state_dict(saved["optimiser"])
        first, records, spent = saved["step"], list(saved["losses"].unbind()), saved["seconds"]
        print(f"{label}  resumed at step {first}", flush=True)

    def save(step: int, seconds: float) -> None:
        if distributed.rank() == 0:
            parts = {"model": model, "average": average, "optimiser": optimiser}
            state = {name: part.state_dict() for name, part in parts.items()}
            losses = torch.stack(records) if records else torch.zeros(0)
            save_state(file, {**state, "fingerprint": fingerprint, "step": step, "losses": losses, "seconds": seconds})

    begin = saved_at = time.perf_counter()
    progress = Progress(label, first, settings.steps)
    with distributed.wrapped(model, device) as network, torch.random.fork_rng(enabled=_has_dropout(model)):
        step_once = _stepper(network, loss, settings, optimiser, seed, device, seeds_dropout=_has_dropout(model))
        total = torch.zeros((), device=device)
        for step in range(first, settings.steps):
            total += step_once(step)
            average.update_parameters(model)
            if (step + 1) % window == 0 or step + 1 == settings.steps:
                records.append((total / (step % window + 1)).cpu())
                total.zero_()
                _check_finite(records[-1], step, settings)
                progress.update(step + 1, float(records[-1]))
                if (now := time.perf_counter()) - saved_at >= settings.checkpoint_seconds:
                    save(step + 1, spent + now - begin)
                    saved_at = now
            if on_step:
                on_step(step + 1)
        seconds = spent + time.perf_counter() - begin
        if first < settings.steps:
            save(settings.steps, seconds)
    progress.close()
    steps = np.minimum(window * np.arange(1, len(records) + 1), settings.steps)
    return Trained(average.module.eval(), torch.stack(records).numpy(), steps, seconds, first)


def _stepper(
    network: nn.Module,
    loss: Loss,
    settings: TrainSettings,
    optimiser: torch.optim.Optimizer,
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

    def step_once(step: int) -> Tensor:
        generator.manual_seed(derive_seed(seed, rank, step))
        if seeds_dropout:
            # dropout takes no generator: it reads the global one, which the loop puts back afterwards
            torch.manual_seed(derive_seed(seed, rank, step, "dropout"))
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=settings.precision == "bf16"):
            value = loss(called, step, generator)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        if settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, settings.clip_norm, foreach=True)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(settings, step)
        optimiser.step()
        return value.detach()

    return step_once


def learning_rate(settings: TrainSettings, step: int) -> float:
    """Return the learning rate of a step (from 0): linear warm-up, then constant or linear decay towards 0."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    if settings.schedule == "linear":
        left = (settings.steps - step) / max(1, settings.steps - settings.warmup_steps)
        return settings.learning_rate * left
    return settings.learning_rate


def _optimiser(model: nn.Module, settings: TrainSettings, device: torch.device) -> torch.optim.Optimizer:
    kind = torch.optim.AdamW if settings.weight_decay else torch.optim.Adam
    return kind(
        model.parameters(),
        lr=settings.learning_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        fused=device.type in ("cpu", "cuda"),
    )


def _moving_average(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """Return the update of an exponential moving average whose decay warms up, so that it forgets the first weights."""

    @torch.no_grad()
    def update(averages: Sequence[Tensor], currents: Sequence[Tensor], count: Tensor | int) -> None:
        warm = min(decay, (1 + int(count)) / (10 + int(count)))
        torch._foreach_lerp_(list(averages), list(currents), 1 - warm)

    return update


def _has_dropout(model: nn.Module) -> bool:
    return any(isinstance(module, nn.Dropout) and module.p > 0 for module in model.modules())


def _check_finite(value: Tensor, step: int, settings: TrainSettings) -> None:
    if not bool(torch.isfinite(value)):
        raise RetraceError(
            f"the training loss is {float(value)} at step {step + 1}; lower train.learning_rate (now {settings.learning_rate:g}) "
            "or set train.clip_norm"
        )
