"""The 1797 handwritten digits of scikit-learn: 8x8 images of 17 grey values, no network needed.

There is no published split, so every replicate has its own: what is said of unseen digits is general over the test items too.
Stratified by class, 1147 / 200 / 450 images for train / validation / test; the splits of the first five replicates are kept here.

Both are read as files, because most processes need nothing else of scikit-learn, and importing it takes a second.
"""

import functools
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from common.errors import DataError
from common.learning.data.split import ImageSplit
from common.runs.seeds import derive_seed

GREY_VALUES = 17
SIZES = {"train": 1147, "validation": 200, "test": 450}
ROWS_SHA256 = "68aea062d35a127749050fa0e52dca09d6569ac08092c925610e0954e172dde2"  # of the rows: 64 pixels and a label, as bytes
SPLITS = Path(__file__).with_name("digits_splits.npy")  # the first replicates' indices of train, validation and test
REMEDY = "install the versions of requirements.lock"


@functools.cache
def _data() -> tuple[Tensor, Tensor]:
    file = Path(str(distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")))
    if not file.is_file():
        raise DataError(f"{file}: this scikit-learn has its digits elsewhere; {REMEDY}")
    rows = np.loadtxt(file, np.uint8, delimiter=",")
    if (found := sha256(rows.tobytes()).hexdigest()) != ROWS_SHA256:
        raise DataError(f"{file}: holds other digits (SHA-256 {found[:12]}..., expected {ROWS_SHA256[:12]}...); {REMEDY}")
    return torch.from_numpy(rows[:, :-1].reshape(-1, 1, 8, 8).copy()), torch.from_numpy(rows[:, -1].astype(np.int64))


@functools.cache
def indices(replicate: int = 0) -> dict[str, Tensor]:
    """Return the indices of each split of a replicate. Raises `DataError` unless scikit-learn still splits as it did."""
    kept = torch.from_numpy(np.load(SPLITS)).long()
    if replicate >= len(kept) and not torch.equal(_drawn(0), kept[0]):
        raise DataError(f"replicate {replicate} of the digits: this scikit-learn splits otherwise than {SPLITS.name}; {REMEDY}")
    chosen = kept[replicate] if replicate < len(kept) else _drawn(replicate)
    return dict(zip(SIZES, chosen.split(list(SIZES.values()))))


def _drawn(replicate: int) -> Int[Tensor, " images"]:
    from sklearn.model_selection import train_test_split

    labels = _data()[1].numpy()
    seed = derive_seed("digits split", replicate) % 2**32
    rest, test = train_test_split(range(len(labels)), test_size=SIZES["test"], random_state=seed, stratify=labels)
    train, validation = train_test_split(rest, test_size=SIZES["validation"], random_state=seed, stratify=labels[rest])
    return torch.tensor([*train, *validation, *test])


def digits(split: str, replicate: int = 0) -> ImageSplit:
    """Return one split of a replicate: "train", "validation" or "test"."""
    images, labels = _data()
    chosen = indices(replicate)[split]
    return ImageSplit(images[chosen], labels[chosen], GREY_VALUES)
