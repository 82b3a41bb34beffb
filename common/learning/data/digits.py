"""The 1797 handwritten digits of scikit-learn: 8x8 images of 17 grey values, no network needed.

There is no published split, so every replicate has its own: what is said of unseen digits is general over the test items too.
Stratified by class, 1147 / 200 / 450 images for train / validation / test; the splits of the first five replicates are pinned.
"""

import functools
from hashlib import sha256

import torch
from torch import Tensor

from common.errors import DataError
from common.learning.data.split import ImageSplit
from common.runs.seeds import derive_seed

GREY_VALUES = 17
SIZES = {"train": 1147, "validation": 200, "test": 450}
PINNED = 5
# of the int64 indices of train, validation and test, one after the other, of the first PINNED replicates
INDICES_SHA256 = "ca6a29e17078db84fc0a4ac9938329603fdb952429baed5b2d7e3d7629660375"


@functools.cache
def _data() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return torch.from_numpy(bunch.images).to(torch.uint8)[:, None], torch.from_numpy(bunch.target)


@functools.cache
def indices(replicate: int = 0) -> dict[str, Tensor]:
    """Return the indices of each split of a replicate. Raises `DataError` unless scikit-learn still splits as it did."""
    _check_splits()
    return _split(replicate)


@functools.cache
def _split(replicate: int) -> dict[str, Tensor]:
    from sklearn.model_selection import train_test_split

    labels = _data()[1].numpy()
    seed = derive_seed("digits split", replicate) % 2**32
    rest, test = train_test_split(range(len(labels)), test_size=SIZES["test"], random_state=seed, stratify=labels)
    train, validation = train_test_split(rest, test_size=SIZES["validation"], random_state=seed, stratify=labels[rest])
    return {"train": torch.tensor(train), "validation": torch.tensor(validation), "test": torch.tensor(test)}


@functools.cache
def _check_splits() -> None:
    drawn = [part for replicate in range(PINNED) for part in _split(replicate).values()]
    found = sha256(torch.cat(drawn).numpy().astype("<i8").tobytes()).hexdigest()
    if found != INDICES_SHA256:
        raise DataError(
            f"the digits split has changed (SHA-256 {found[:12]}..., expected {INDICES_SHA256[:12]}...): this scikit-learn "
            "splits or ships the digits differently; install the versions of requirements.lock"
        )


def digits(split: str, replicate: int = 0) -> ImageSplit:
    """Return one split of a replicate: "train", "validation" or "test"."""
    images, labels = _data()
    chosen = indices(replicate)[split]
    return ImageSplit(images[chosen], labels[chosen], GREY_VALUES)
