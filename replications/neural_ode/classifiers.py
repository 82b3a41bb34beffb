"""What the supervised experiments share: labelled images, trained classifiers from their run folders, test errors."""

import json
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from common.errors import CheckpointError, RetraceError
from common.learning.data import catalogue
from common.learning.data.scale import to_unit
from common.runs.experiment import Context
from common.runs.folders import verified
from common.runs.settings import validated
from replications.neural_ode.networks import Classifier, ClassifierSettings


def labelled_images(data: str, split: str, replicate: int = 0) -> tuple[Float[Tensor, "n channels y x"], Int[Tensor, " n"]]:
    """Return one split's images in [-1, 1] and labels; replicates of a data set without a split of its own draw one each.

    Raises `RetraceError` if the data set has no labels.
    """
    found = catalogue.load(data, split, replicate)
    if found.labels is None:
        raise RetraceError(f"data: {data} has no labels, so no classifier can be trained on it; choose another data set")
    return to_unit(found.images, found.grey_values), found.labels.long()


def drawn_test_images(data: str, context: Context) -> tuple[Float[Tensor, "n channels y x"], Int[Tensor, " n"]]:
    """Return the test images and labels on the device, in an order that the replicate draws: the first n are its own sample."""
    images, labels = labelled_images(data, "test", context.seed)
    order = torch.randperm(len(labels), generator=context.generator("test images"))
    return images[order].to(context.device), labels[order].to(context.device)


def load_classifier(folder: Path, device: torch.device | str = "cpu") -> Classifier:
    """Return the trained classifier of a run folder. Raises `CheckpointError` naming the file that cannot be read."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    file, weights = folder / "run.json", folder / "weights.safetensors"
    try:
        description: Any = json.loads(file.read_text()).get("model")
        net = validated(ClassifierSettings, description, where=str(file)).build(seed=0)
        net.load_state_dict(load_file(verified(folder, weights.name)))
    except (OSError, ValueError, SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"{folder}: not a trained classifier ({error}); delete it and train again") from None
    return net.eval().to(device)


@torch.no_grad()
def error_percent(net: Classifier, images: Tensor, labels: Tensor, *, batch: int) -> float:
    """Return the share of images, in percent, that are given another class than their label."""
    parts = zip(images.split(batch), labels.split(batch))
    wrong = sum(int((net(x).argmax(1) != y).sum()) for x, y in parts)
    return 100 * wrong / len(labels)


def shifted(images: Float[Tensor, "n c y x"], pixels: int, *, generator: Generator) -> Float[Tensor, "n c y x"]:
    """Return every image moved by up to `pixels` in each direction, background (-1) coming in from the border."""
    if pixels == 0:
        return images
    n, _, height, width = images.shape
    padded = torch.nn.functional.pad(images, (pixels,) * 4, value=-1.0)
    corner = torch.randint(2 * pixels + 1, (2, n, 1, 1), generator=generator, device=images.device)
    rows = corner[0] + torch.arange(height, device=images.device)[:, None]
    columns = corner[1] + torch.arange(width, device=images.device)
    item = torch.arange(n, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[item, rows, columns].permute(0, 3, 1, 2)
