"""The batches that a model of a data set is trained on: images in their pixel range, or points of a density."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from common.errors import SettingsError
from common.learning.data import catalogue
from common.learning.data.batches import EpochSampler
from common.learning.data.densities import DENSITIES
from common.learning.data.scale import rescaled, to_unit
from common.runs import distributed

Draw = Callable[[int, Generator], Tensor]
ON_DEVICE = 8 * 2**30  # bytes of the largest data set that is kept on the device


def sample_shape(data: str) -> tuple[int, ...]:
    """Return the shape of one sample. Raises `DataError` unless the data set is there and whole."""
    return (2,) if data in DENSITIES else tuple(catalogue.load(data, "train").images.shape[1:])


def training_batches(
    data: str,
    batch: int,
    seed: int,
    device: torch.device,
    pixel_range: tuple[float, float] = (-1.0, 1.0),
    *,
    replicate: int = 0,
    flip: bool = False,
    dequantise: bool = True,
) -> Draw:
    """Return `draw(step, generator)`, which gives a training batch: images scaled to `pixel_range`, or points of a density.

    `replicate` chooses the training split of a data set whose replicates draw their own (`catalogue.DRAWN`). With `flip` every
    image is mirrored left-right with probability 1/2, its noise of dequantisation with it; without `dequantise` a grey value is
    the middle of its cell, and no such noise is drawn. Under torchrun `batch` is the whole batch and every process draws its
    share. Raises `SettingsError` if it does not divide, or if points of a density are to flip.
    """
    rank, world = distributed.rank(), distributed.world()
    share = distributed.share(batch)
    if data in DENSITIES:
        if flip:
            raise SettingsError(f"{data}: points of a density have no left and right to flip; flip = true is for images")
        density = DENSITIES[data]
        return lambda step, generator: density(share, generator=generator)
    split = catalogue.load(data, "train", replicate)
    # on the device once and for all, unless they would fill it: then the batches travel
    images = split.images if split.images.nbytes > ON_DEVICE else split.images.to(device)
    sampler = EpochSampler(len(images), batch, seed, rank, world)

    def draw(step: int, generator: Generator) -> Tensor:
        values = images[sampler(step).to(images.device)].to(device)
        unit = to_unit(values, split.grey_values, generator=generator if dequantise else None)
        if flip:
            # drawn last: without it the step's stream of random numbers is as if there were no flips
            unit = torch.where(torch.rand(len(unit), 1, 1, 1, generator=generator, device=device) < 0.5, unit.flip(-1), unit)
        return rescaled(unit, (-1.0, 1.0), pixel_range)

    return draw
