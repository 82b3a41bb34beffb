"""What is lost by telling the network no noise level, and whether it overfits (Section 3.3, Figure 3, appendix).

Two networks on one ladder, from one seed: NCSNv2's, whose output is divided by sigma and which is told no level, and one that is
told the level. Compared are their training curves, their losses on training images and on unseen ones at every level, and the
norms of their scores. Parameters are counted of the paper's own network and of NCSN's, for ladders of several lengths.
"""

from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveInt

from common.errors import SettingsError
from common.evaluation.yardstick import drawn
from common.learning.data import catalogue
from common.learning.data.scale import to_unit
from common.learning.nets.mlp import parameter_count
from common.runs.experiment import Context, present
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.ncsn.level_measures import by_level, level_rows
from replications.ncsn.refinenet import RefineNetSettings
from replications.ncsnv2.networks import Network, folder_of, trained
from replications.ncsnv2.refinenets import Objective, RefineNetV2Settings

VARIANT = ("data",)
MODELS: tuple[Objective, ...] = ("ncsnv2", "ncsnv2_index")
MOMENTUM = 0.9  # of the smoothed curves, as in Figure 3
FILTERS, SHAPE = 128, (3, 32, 32)  # of the networks for CIFAR-10


class Settings(Base):
    """Settings of the losses."""

    data: str = Field(description="image data set")
    network: Network = Field(default="shared", description="network of both models")
    images: PositiveInt = Field(description="images of each split at the most")
    ladders: list[PositiveInt] = Field(default=[10, 232, 500, 2311], description="numbers of levels for the count of parameters")


def check(settings: Settings) -> None:
    """Raise `DataError` unless the data set's files are there, and `SettingsError` for fewer than two ladders to count for."""
    catalogue.load(settings.data, "test")
    if len(set(settings.ladders)) < 2:
        raise SettingsError(
            f"ladders: {settings.ladders} gives no slope of the parameters over levels; give two numbers at least"
        )


def run(settings: Settings, context: Context) -> Outcome:
    """Measure both networks on both splits."""
    rows, arrays = parameter_rows(settings), {}
    images = {split: drawn_images(settings, split, context) for split in ("train", "test")}
    for name in MODELS:
        network = trained(context, settings.data, name, settings.network)
        for split, shown in images.items():
            labels = {"dataset": settings.data, "method": name, "variant": split, "n": len(shown)}
            rows += level_rows(by_level(network, shown, context), labels)
        steps, losses = curve(settings, name, context)
        rows.append(row("smoothed_loss", losses[-1], dataset=settings.data, method=name, n=int(steps[-1]), unit="1"))
        arrays |= {f"loss_{name}": losses, f"step_{name}": steps}
    return Outcome(rows, arrays=arrays)


def drawn_images(settings: Settings, split: str, context: Context) -> torch.Tensor:
    """Return images of a split in [-1, 1], dequantised; both splits give as many, so that their losses are as sure."""
    many = min(settings.images, *(len(catalogue.load(settings.data, each, context.seed).images) for each in ("train", "test")))
    chosen = drawn(catalogue.load(settings.data, split, context.seed), many, context.generator("images", split))
    return to_unit(chosen.images, chosen.grey_values, generator=context.generator("dequantise", split)).to(context.device)


def curve(settings: Settings, name: Objective, context: Context) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps and losses of a training, smoothed."""
    folder = folder_of(context, settings.data, name, settings.network)
    with np.load(present(folder, "arrays.npz", context.level) / "arrays.npz") as arrays:
        return arrays["loss_step"], smoothed(arrays["loss"])


def smoothed(losses: np.ndarray) -> np.ndarray:
    """Return s_k = 0.9 s_{k-1} + 0.1 loss_k, the first being the first loss."""
    found = np.array(losses, dtype=np.float64)
    for k in range(1, len(found)):
        found[k] = MOMENTUM * found[k - 1] + (1 - MOMENTUM) * found[k]
    return found


def parameter_rows(settings: Settings) -> list[dict[str, Any]]:
    """Return how many parameters the paper's network has, and how many NCSN's, which has a norm for each of several levels."""
    networks = {None: RefineNetV2Settings(filters=FILTERS)}
    networks |= {levels: RefineNetSettings(filters=FILTERS, levels=levels) for levels in settings.ladders}
    rows = []
    for levels, network in networks.items():
        with torch.device("meta"):
            count = parameter_count(network.build(SHAPE))
        where = {"method": "ncsnv2"} if levels is None else {"method": "ncsn", "axis": "levels", "at": levels}
        rows.append(row("parameters", count, variant="32x32 pixels in colour", **where))
    return rows
