"""The 1797 handwritten digits of scikit-learn: 8x8 images of 17 grey values, no network needed.

The split is frozen: stratified by class, 1297 / 200 / 300 images for train / validation / test, pinned by a SHA-256.
"""

import functools
from hashlib import sha256

import torch
from torch import Tensor

from common.errors import DataError
from common.learning.data.split import ImageSplit
from common.runs.seeds import derive_seed

GREY_VALUES = 17
SIZES = {"train": 1297, "validation": 200, "test": 300}
# of the int64 indices of train, validation and test, one after the other
INDICES_SHA256 = "e614b3e4ce432f5101899f04af58f794e3d1557e181584c92c210e6ab45db066"


@functools.cache
def _data() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return torch.from_numpy(bunch.images).to(torch.uint8)[:, None], torch.from_numpy(bunch.target)


@functools.cache
def indices() -> dict[str, Tensor]:
    """Return the indices of each split."""
    from sklearn.model_selection import train_test_split

    labels = _data()[1].numpy()
    seed = derive_seed("digits split") % 2**32
    rest, test = train_test_split(range(len(labels)), test_size=SIZES["test"], random_state=seed, stratify=labels)
    train, validation = train_test_split(rest, test_size=SIZES["validation"], random_state=seed, stratify=labels[rest])
    split = {"train": torch.tensor(train), "validation": torch.tensor(validation), "test": torch.tensor(test)}
    found = sha256(torch.cat(list(split.values())).numpy().astype("<i8").tobytes()).hexdigest()
    if found != INDICES_SHA256:
        raise DataError(
            f"the digits split has changed (SHA-256 {found[:12]}..., expected {INDICES_SHA256[:12]}...): this scikit-learn "
            "splits or ships the digits differently; install the versions of requirements.lock"
        )
    return split


def digits(split: str) -> ImageSplit:
    """Return one split: "train", "validation" or "test"."""
    images, labels = _data()
    chosen = indices()[split]
    return ImageSplit(images[chosen], labels[chosen], GREY_VALUES)
