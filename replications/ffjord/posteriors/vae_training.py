"""Train a VAE by its negative ELBO (FFJORD, Section 4.3)."""

from torch import Generator, Tensor, nn

from common.learning.data.batches import EpochSampler
from common.learning.data.binary_images import drawn_pixels
from common.learning.data.split import ImageSplit
from common.learning.training.loop import Trained
from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.settings import Settings
from replications.ffjord.posteriors.vae import VAE


def train_vae(
    context: Context,
    model: VAE,
    split: ImageSplit,
    schedule: TrainSettings,
    *,
    of: Settings,
    name: str = "",
    exact: bool = False,
    warmup_steps: int = 0,
) -> Trained:
    """Train by the mean negative ELBO in nats, one z_0 per image; with Hutchinson's trace unless `exact`.

    Over `warmup_steps` the weight of log q - log p(z) rises from 0 to 1. A Bernoulli model of grey images sees new
    pixels at every step. Models of one run see the same batches and, up to what their flows draw, the same noise.
    """
    draw = EpochSampler(len(split.images), schedule.batch, context.seed_for("batches"))
    images, binary = split.images.to(context.device), model.pixels == "binary"

    def loss(model: nn.Module, step: int, generator: Generator) -> Tensor:
        x = images[draw(step).to(context.device)]
        x = drawn_pixels(x, split.grey_values, generator=generator) if binary else x
        bound = model(x, generator, exact=exact)
        weight = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
        return (bound.reconstruction + weight * bound.divergence).mean()

    return train_run(context, model, loss, schedule, seed=context.seed_for("training noise"), of=of, name=name)
