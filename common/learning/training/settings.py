"""Settings of a training; light to import, so that they can be checked without torch."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from common.runs.settings import Settings

Fraction = Annotated[float, Field(ge=0, lt=1)]


class TrainSettings(Settings):
    """How a model is trained: Adam with warm-up, clipping and an exponential moving average of the weights."""

    steps: PositiveInt = Field(le=10**9, description="optimiser steps")
    batch: PositiveInt = Field(le=10**6, description="samples per step, over all processes")
    learning_rate: PositiveFloat = Field(description="Adam's peak learning rate")
    betas: tuple[Fraction, Fraction] = Field(default=(0.9, 0.999), description="Adam's decay rates")
    epsilon: PositiveFloat = Field(default=1e-8, description="what Adam adds to the root of the mean squared gradient")
    weight_decay: NonNegativeFloat = Field(default=0.0, description="decoupled weight decay (AdamW)")
    warmup_steps: NonNegativeInt = Field(default=0, description="steps of linear warm-up")
    schedule: Literal["constant", "linear"] = Field(default="constant", description="after the warm-up: constant, or linear to 0")
    decay_start: Fraction = Field(default=0.0, description="share of all steps before which a linear schedule stays constant")
    clip_norm: PositiveFloat | None = Field(default=None, description="largest gradient norm; null = no clipping")
    ema_decay: Fraction = Field(default=0.999, description="decay of the averaged weights, reached by a warm-up; 0 = no average")
    precision: Literal["fp32", "bf16"] = Field(default="fp32", description="bf16 = automatic mixed precision")
    compile: bool = Field(default=False, description="torch.compile the network (pays on GPUs only)")
    channels_last: bool = Field(default=False, description="memory format of images (pays on GPUs only)")
    snapshots: NonNegativeInt = Field(default=0, description="equally spaced states of the averaged weights that are kept")
    checkpoint_seconds: NonNegativeFloat = Field(default=60.0, description="seconds between saved training states")

    def constant_until(self) -> int:
        """Return the last step at the peak learning rate; the warm-up's end where the decay follows it at once."""
        return self.steps if self.schedule == "constant" else max(self.warmup_steps, int(self.decay_start * self.steps))

    def snapshot_steps(self) -> list[int]:
        """Return the steps after which the averaged weights are kept, the last one being the end."""
        return sorted({max(1, self.steps * k // self.snapshots) for k in range(1, self.snapshots + 1)})

    def snapshot_near(self, share: float) -> int:
        """Return the step of the kept weights that is nearest to a share of the training."""
        return min(self.snapshot_steps(), key=lambda step: abs(step - share * self.steps))
