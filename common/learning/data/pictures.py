"""Sets of photographs at one size, LSUN's, CelebA-HQ, FFHQ: prepared once from a folder of picture files, then memory-mapped.

Nothing here downloads them. `python -m common.learning.data lsun_church256 --source DIR` reads every .jpg, .jpeg, .png and .webp
file of DIR, at any depth (LSUN's own program exports its databases so), shrinks the shorter side by averaging (box filter), cuts
the middle square out and writes (`common.learning.data.prepared` says where)

    lsun_church256/train-images.npy, validation-images.npy, test-images.npy

LSUN's own validation set has 300 pictures, and the two others have no published split, so the splits are made here: of a random
order of the sorted file names, fixed by the set's name and their number, the last twentieth, at most 10 000 pictures, is for
testing, and as many before it for validation.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from common.errors import DataError
from common.learning.data import prepared
from common.learning.data.images import GREY_VALUES
from common.learning.data.split import ImageSplit
from common.runs.seeds import generator

# pixels, and whose pictures
SETS = {
    "lsun_church96": (96, "LSUN's outdoor churches"),
    "lsun_church256": (256, "LSUN's outdoor churches"),
    "lsun_bedroom128": (128, "LSUN's bedrooms"),
    "lsun_bedroom256": (256, "LSUN's bedrooms"),
    "lsun_tower128": (128, "LSUN's towers"),
    "celeba_hq256": (256, "CelebA-HQ"),
    "celeba_hq1024": (1024, "CelebA-HQ"),
    "ffhq256": (256, "FFHQ"),
}
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
SHARE, MOST = 20, 10_000  # one in 20 is for testing, but no more than 10 000
AT_ONCE = 64  # pictures in memory


def load_pictures(name: str, split: str) -> ImageSplit:
    """Return one split ("train", "validation" or "test") of a set, no labels; it stays on disk until used.

    Raises `DataError` if the set was not prepared (saying how) or a file is not what was prepared.
    """
    return ImageSplit(prepared.mapped(name, f"{split}-images.npy", remedy(name)), None, GREY_VALUES)


def remedy(name: str) -> str:
    """Return what to do where the prepared files are missing or damaged."""
    return f"run `python -m common.learning.data {name} --source DIR`, DIR being a folder of {SETS[name][1]} as picture files"


def prepare(source: Path, name: str, *, workers: int = 1) -> Path:
    """Write a set from the picture files below `source`, read by some threads, and return the folder.

    Raises `DataError` if they are too few, or one cannot be read or is smaller than the set's images.
    """
    size, parts = SETS[name][0], _parts(_files(source, name), source, name)
    with prepared.writing(name) as folder:
        for split, files in parts.items():
            squares = _squares(files, size, workers)
            prepared.write_images(folder / f"{split}-images.npy", (len(files), 3, size, size), squares)
    return folder


def _files(source: Path, name: str) -> list[Path]:
    """Return the picture files below a folder, sorted by name."""
    if not source.is_dir():
        raise DataError(f"{source}: no such folder; {remedy(name)}")
    found = [path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES]
    if not found:
        raise DataError(f"{source}: no {', '.join(SUFFIXES)} files at any depth; {remedy(name)}")
    return sorted(found, key=Path.as_posix)


def _parts(files: Sequence[Path], source: Path, name: str) -> dict[str, list[Path]]:
    """Return the files of every split."""
    held = min(len(files) // SHARE, MOST)
    if not held:
        raise DataError(
            f"{source}: {len(files)} picture files, of which one in {SHARE} is for testing and as many for validation: too few; "
            f"{remedy(name)}"
        )
    order = [files[k] for k in torch.randperm(len(files), generator=generator("pictures", name)).tolist()]
    return {"train": order[: -2 * held], "validation": order[-2 * held : -held], "test": order[-held:]}


def _squares(files: Sequence[Path], size: int, workers: int) -> Iterator[Tensor]:
    """Give the pictures in batches [b, 3, size, size]; Pillow decodes and shrinks outside Python's lock."""
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(files), AT_ONCE):
            yield torch.stack(list(pool.map(partial(_square, size=size), files[start : start + AT_ONCE])))


def _square(path: Path, size: int) -> Tensor:
    """Return one picture as colours [3, size, size]."""
    from PIL import Image
    from torchvision.transforms import v2

    shrink = v2.Compose([v2.Resize(size, interpolation=v2.InterpolationMode.BOX), v2.CenterCrop(size), v2.PILToTensor()])
    try:
        with Image.open(path) as picture:
            if min(picture.size) < size:
                raise DataError(f"{path}: {picture.size} pixels, not {size} wide and high; get a larger one, or remove it")
            return shrink(picture.convert("RGB"))
    # Pillow's reader of damaged PNG files also raises the two others
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); get it again, or remove it") from None
