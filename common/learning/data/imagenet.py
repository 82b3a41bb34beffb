"""ImageNet at one size: prepared once from the published folders of images, then memory-mapped.

ImageNet asks for an account, so nothing here downloads it. `python -m common.learning.data imagenet64 --source DIR` reads the
published images from DIR/train/<class>/ and DIR/val/<class>/, shrinks the shorter side by averaging (box filter), cuts the
middle square out and writes (`common.learning.data.prepared` says where)

    imagenet64/train-images.npy, train-labels.npy    in a fixed random order, so that any part of it is a fair sample
    imagenet64/val-images.npy, val-labels.npy        the test split
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from common.errors import DataError
from common.learning.data import prepared
from common.learning.data.images import GREY_VALUES, VALIDATION
from common.learning.data.split import ImageSplit
from common.runs.seeds import generator

SIZES = (32, 64, 128, 256)
PARTS = ("train", "val")


def load_imagenet(size: int, split: str) -> ImageSplit:
    """Return one split ("train", "validation" or "test") of ImageNet at `size` pixels; the images stay on disk until used.

    Raises `DataError` if the set was not prepared (saying how) or a file is not what was prepared.
    """
    part = "val" if split == "test" else "train"
    files = (f"{part}-{kind}.npy" for kind in ("images", "labels"))
    images, labels = (prepared.mapped(f"imagenet{size}", file, remedy(size)) for file in files)
    chosen = {"train": slice(None, -VALIDATION), "validation": slice(-VALIDATION, None), "test": slice(None)}[split]
    return ImageSplit(images[chosen], labels[chosen], GREY_VALUES)


def remedy(size: int) -> str:
    """Return what to do where the prepared files are missing or damaged."""
    return f"run `python -m common.learning.data imagenet{size} --source DIR`, DIR being ImageNet's folder of train/ and val/"


def prepare(source: Path, size: int, *, workers: int = 0) -> Path:
    """Write ImageNet at `size` pixels from `source`, and return the folder. Raises `DataError` if `source` has no images."""
    published = {part: _images(source / part, size) for part in PARTS}
    if len(published["train"]) <= VALIDATION:
        raise DataError(
            f"{source / 'train'}: {len(published['train'])} images, of which {VALIDATION} are for validation: too few"
        )
    with prepared.writing(f"imagenet{size}") as folder:
        for part, images in published.items():
            _write(images, folder, part, size, workers)
    return folder


def _images(folder: Path, size: int) -> Any:
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    shrink = v2.Resize(size, interpolation=v2.InterpolationMode.BOX)
    try:
        return ImageFolder(folder, v2.Compose([shrink, v2.CenterCrop(size), v2.PILToTensor()]))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{folder}: no images in folders of classes ({error}); give --source the folder above it") from None


def _write(images: Any, folder: Path, part: str, size: int, workers: int) -> None:
    from torch.utils.data import DataLoader, Subset

    order = torch.randperm(len(images), generator=generator("imagenet", part)).tolist()
    loader = DataLoader(Subset(images, order), batch_size=256, num_workers=workers)
    prepared.write_images(folder / f"{part}-images.npy", (len(images), 3, size, size), (batch for batch, _ in loader))
    np.save(folder / f"{part}-labels.npy", np.array(images.targets)[order])
