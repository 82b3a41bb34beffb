"""Where a learned score is right: the two-mode mixture by sliced score matching, against its exact score (Figure 2)."""

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from common.learning.nets.build import seeded
from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.measure.grid import square_grid
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ncsn.score_matching import sliced_score_matching
from replications.ncsn.two_modes import DATA, HALF_WIDTH, MEANS, undisturbed

VARIANT = ()


class Settings(Base):
    """Settings of training and comparison."""

    width: PositiveInt = Field(default=128, description="units of each of the two hidden layers")
    points: PositiveInt = Field(default=41, description="grid points along each axis")
    near: PositiveFloat = Field(default=2.0, description="dense: within so many standard deviations of a mode")
    sparse: PositiveFloat = Field(default=1e-4, description="sparse: a density below this share of the peak's")
    train: TrainSettings


def run(settings: Settings, context: Context) -> Outcome:
    """Train on fresh samples; report the relative error of the score where data are dense and where they are sparse."""
    truth = undisturbed()
    network = fitted(settings, context)
    grid = square_grid(settings.points, HALF_WIDTH)
    exact, density = truth.score(grid, DATA), truth.log_density(grid, DATA).exp()
    with torch.no_grad():
        learned = network(grid.float().to(context.device)).double().cpu()
    error = (learned - exact).norm(dim=1) / exact.norm(dim=1)
    regions = {
        "dense": torch.cdist(grid, MEANS).amin(1) <= settings.near,
        "sparse": density < settings.sparse * density.max(),
    }
    rows = [
        row("relative_error", error[inside].mean(), method="ssm", variant=region, n=int(inside.sum()))
        for region, inside in regions.items()
    ]
    arrays = {"grid": grid, "exact": exact, "learned": learned, "error": error, "density": density}
    return Outcome(rows, arrays={name: values.numpy().astype(np.float32) for name, values in arrays.items()})


def softplus_network(width: int) -> nn.Module:
    """Return the paper's network of the score: two hidden layers of softplus units."""
    return nn.Sequential(nn.Linear(2, width), nn.Softplus(), nn.Linear(width, width), nn.Softplus(), nn.Linear(width, 2))


def fitted(settings: Settings, context: Context) -> nn.Module:
    """Return the paper's network, trained by sliced score matching."""
    seed, truth = context.seed_for("train"), undisturbed()
    network = seeded(seed, lambda: softplus_network(settings.width))

    def loss(network: nn.Module, step: int, generator: Generator) -> Tensor:
        x = truth.sample(settings.train.batch, generator=generator).float()
        probe = torch.randn(x.shape, generator=generator, device=x.device)
        return sliced_score_matching(network, x, probe).mean()

    return train_run(context, network.to(context.device), loss, settings.train, seed=seed, of=settings).model.requires_grad_(
        False
    )
