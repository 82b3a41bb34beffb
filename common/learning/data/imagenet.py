"""ImageNet at one size: prepared once from the published folders of images, then memory-mapped.

ImageNet asks for an account, so nothing here downloads it. `python -m common.learning.data imagenet64 --source DIR` reads the
published images from DIR/train/<class>/ and DIR/val/<class>/, shrinks the shorter side by averaging (box filter), cuts the
middle square out and writes, below $RETRACE_DATA or ./data,

    imagenet64/train-images.npy, train-labels.npy    in a fixed random order, so that any part of it is a fair sample
    imagenet64/val-images.npy, val-labels.npy        the test split
    imagenet64/digests.json                          written last: SHA-256 of the four files, checked on every use

The digests tell a damaged file, not another source: they are of what was prepared here.
"""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from common.errors import DataError
from common.learning.data.images import GREY_VALUES, VALIDATION, roots
from common.learning.data.split import ImageSplit
from common.runs.seeds import generator

SIZES = (32, 64, 128, 256)
PARTS = ("train", "val")


def load_imagenet(size: int, split: str) -> ImageSplit:
    """Return one split ("train", "validation" or "test") of ImageNet at `size` pixels; the images stay on disk until used.

    Raises `DataError` if the set was not prepared (saying how) or a file is not what was prepared.
    """
    folder = next((root / f"imagenet{size}" for root in roots() if (root / f"imagenet{size}/digests.json").is_file()), None)
    if folder is None:
        places = ", ".join(str(root / f"imagenet{size}") for root in roots())
        raise DataError(f"imagenet{size}: digests.json not found in {places}; {_remedy(size)}")
    part = "val" if split == "test" else "train"
    images, labels = (_mapped(folder, f"{part}-{kind}.npy", size) for kind in ("images", "labels"))
    chosen = {"train": slice(None, -VALIDATION), "validation": slice(-VALIDATION, None), "test": slice(None)}[split]
    return ImageSplit(images[chosen], labels[chosen], GREY_VALUES)


def _mapped(folder: Path, name: str, size: int) -> Tensor:
    file = folder / name
    try:
        expected = json.loads((folder / "digests.json").read_text())[name]
        found = _digest(file, file.stat().st_mtime_ns)
        if found == expected:
            # copy on write: torch asks for memory that may be written to, and the file must not change
            return torch.from_numpy(np.load(file, mmap_mode="c"))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{file}: cannot be read ({error}); delete {folder} and {_remedy(size)}") from None
    raise DataError(f"{file}: has changed since it was prepared (SHA-256 {found[:12]}...); delete {folder} and {_remedy(size)}")


@functools.cache
def _digest(file: Path, changed: int) -> str:
    """Return a file's SHA-256; once per process and change, as the largest takes minutes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _remedy(size: int) -> str:
    return f"run `python -m common.learning.data imagenet{size} --source DIR`, DIR being ImageNet's folder of train/ and val/"


def prepare(source: Path, size: int, *, workers: int = 0) -> Path:
    """Write ImageNet at `size` pixels from `source`, and return the folder. Raises `DataError` if `source` has no images."""
    folder = roots()[0] / f"imagenet{size}"
    published = {part: _images(source / part, size) for part in PARTS}
    if len(published["train"]) <= VALIDATION:
        raise DataError(
            f"{source / 'train'}: {len(published['train'])} images, of which {VALIDATION} are for validation: too few"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "digests.json").unlink(missing_ok=True)
    for part, images in published.items():
        _write(images, folder, part, workers)
    names = [f"{part}-{kind}.npy" for part in PARTS for kind in ("images", "labels")]
    digests = {name: _digest(folder / name, (folder / name).stat().st_mtime_ns) for name in names}
    (folder / "digests.json").write_text(json.dumps(digests, indent=2))
    return folder


def _images(folder: Path, size: int) -> Any:
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    shrink = v2.Resize(size, interpolation=v2.InterpolationMode.BOX)
    try:
        return ImageFolder(folder, v2.Compose([shrink, v2.CenterCrop(size), v2.PILToTensor()]))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{folder}: no images in folders of classes ({error}); give --source the folder above it") from None


def _write(images: Any, folder: Path, part: str, workers: int) -> None:
    from torch.utils.data import DataLoader, Subset
    from tqdm import tqdm

    order = torch.randperm(len(images), generator=generator("imagenet", part)).tolist()
    loader = DataLoader(Subset(images, order), batch_size=256, num_workers=workers)
    shape = (len(images), *images[0][0].shape)
    pixels = np.lib.format.open_memmap(folder / f"{part}-images.npy", "w+", np.uint8, shape)
    done = 0
    for batch, _ in tqdm(loader, desc=f"{folder.name} {part}", unit="batch"):
        pixels[done : done + len(batch)] = batch.numpy()
        done += len(batch)
    pixels.flush()
    np.save(folder / f"{part}-labels.npy", np.array(images.targets)[order])
