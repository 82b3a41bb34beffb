"""A slice of a training on this device: the product's own job, with the level's own settings, on noise in the place of images.

A model is trained by its experiment, which is left after some seconds; what an arm changes are settings of that training.
"""

import gc
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from common.errors import RetraceError
from common.evaluation.arms import ARMS, Arm, tf32, tf32_in
from common.evaluation.step_watch import Clock, Enough, Watch
from common.learning.data.stand_ins import SHAPES, stand_ins
from common.learning.nets.mlp import parameter_count
from common.runs import settings as settings_of
from common.runs.experiment import Context, load
from common.runs.settings import Settings

WARM_UP, TIMED = 2, 10  # evaluations without gradients
# a training that does not end meanwhile, and writes nothing
ENDLESS = ("train.steps=1000000", "train.snapshots=0", "train.checkpoint_seconds=1000000000")


def denoised(model: nn.Module, x: Tensor, settings: Any) -> Tensor:
    """Return one evaluation of a denoiser, at a time that it knows."""
    return model(x, 0.5 if model.known_times is None else float(model.known_times[0]))


class Slice(NamedTuple):
    """A model of a level: the experiment that trains it, and what is done with it afterwards.

    train: `(settings, context)`, by default the experiment's `run`; forward: `(averaged model, x, settings)`, without gradients.
    """

    model: str
    data: str
    level: str
    package: str
    experiment: str
    overrides: tuple[str, ...] = ()
    train: Callable[[Any, Context], Any] | None = None
    forward: Callable[[nn.Module, Tensor, Any], Any] = denoised

    def settings(self, *more: str) -> Any:
        """Return the level's settings, with `more` on top. Raises `SettingsError` for settings that are wrong."""
        overrides = [f"data={self.data}", *self.overrides, *more]
        return settings_of.resolve(self.package, self.experiment, self.level, overrides)


def described(each: Slice, arm: str, device: torch.device, batch: int | None = None) -> dict[str, Any]:
    """Return what tells a row from the others: model, arm, device, and whether it is as the level trains it."""
    own, how = each.settings().train, ARMS[arm]
    size = batch or own.batch
    is_own = how == Arm(own.precision, own.channels_last, own.compile) and size == own.batch
    return {
        "level": each.level,
        "paper": each.package.rpartition(".")[2],
        "model": each.model,
        "data": each.data,
        "shape": "x".join(map(str, SHAPES[each.data])),
        "batch": size,
        "arm": arm,
        "precision": how.precision,
        "memory_format": "channels_last" if how.channels_last else "contiguous",
        "compiled": how.compiled,
        "level_settings": is_own,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "torch": torch.__version__,
    }


def measured(each: Slice, arm: str, device: torch.device, *, seconds: float, batch: int | None = None) -> dict[str, Any]:
    """Train for some seconds and return what that says (`common.evaluation.slice_table` names the columns).

    Raises what the training raises, and `RetraceError` where the compiler found nothing to compile.
    """
    how = ARMS[arm]
    settings = each.settings(*ENDLESS, *how.overrides(), *([f"train.batch={batch}"] if batch else []))
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    if how.compiled:
        forget_compiled()
    with stand_ins(), tf32(allowed=how.tf32):
        watch = watched(each, settings, device, seconds, counts=not how.compiled)
        if how.compiled and not frames_compiled():
            raise RetraceError("torch.compile found nothing to compile: this training's loss calls no network's forward")
        found = {"tf32": tf32_in(device), **of_training(watch, settings.train.batch)}
        # compiled is the training's call alone
        return found if how.compiled else {**found, **of_forward(each, watch, settings)}


def watched(each: Slice, settings: Settings, device: torch.device, seconds: float, *, counts: bool) -> Watch:
    """Return what was seen of a training."""
    watch, train = Watch(device, seconds, counts=counts), each.train or load(each.package, each.experiment).run
    with tempfile.TemporaryDirectory() as folder:
        place = {"paper": each.package.rpartition(".")[2], "experiment": each.experiment, "level": each.level, "seed": 0}
        results, out = Path(folder), Path(folder) / "run"
        context = Context(**place, base_seed=0, results=results, out=out, device=device, on_step=watch)
        try:
            train(settings, context)
        except Enough:
            return watch
        finally:
            watch.stop_counting()
    raise RetraceError(f"{each.model}: its training ended before its steps could be timed")


def of_training(watch: Watch, batch: int) -> dict[str, Any]:
    """Return what a training's steps took: their median, and the distance of their quartiles."""
    steps = watch.clock.seconds()
    quarter, median, three_quarters = (float(value) for value in np.quantile(steps, (0.25, 0.5, 0.75)))
    return {
        "parameters": parameter_count(watch.model),
        "step_seconds": median,
        "step_spread": three_quarters - quarter,
        "steps": len(steps),
        "start_seconds": watch.start_seconds,
        "images_per_second": batch / median,
        "flops_per_image": None if watch.operations is None else watch.operations / batch,
        "peak_memory_bytes": watch.peak_memory,
    }


def of_forward(each: Slice, watch: Watch, settings: Any) -> dict[str, Any]:
    """Return the images a second of the averaged model without gradients, or why it cannot be used so in this precision."""
    x = torch.randn(settings.train.batch, *SHAPES[each.data], generator=torch.Generator().manual_seed(0)).to(watch.device)
    model, clock = watch.model.eval(), Clock(watch.device)
    try:
        with torch.no_grad(), torch.autocast(watch.device.type, torch.bfloat16, enabled=settings.train.precision == "bf16"):
            for turn in range(WARM_UP + TIMED):
                if turn >= WARM_UP:
                    clock.mark()
                each.forward(model, x, settings)
            clock.mark()
    except (RuntimeError, RetraceError) as error:
        return {"message": f"without gradients: {reason(error)}"}
    return {"forward_images_per_second": len(x) / statistics.median(clock.seconds())}


def reason(error: Exception) -> str:
    """Return an error in a line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def forget_compiled() -> None:
    """Let torch forget what it has compiled, and how much that was."""
    from torch._dynamo.utils import counters

    torch.compiler.reset()
    counters.clear()


def frames_compiled() -> int:
    """Return how many functions torch has compiled since it was made to forget."""
    from torch._dynamo.utils import counters

    return counters["frames"]["ok"]
