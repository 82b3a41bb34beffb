"""Tables by name: rows of numbers whose density is to be learned, without labels. What experiments call.

Without any file: grey patches of scikit-learn's photographs (`patches`), in 8, 24 and 63 columns, its handwritten digits in 64,
and two of its tables, the others being too short. From prepared files: the five tables that flows are compared on since MAF
(`maf_tables`).

Of scikit-learn's tables every replicate has its own split, 70 / 10 / 20 % of the rows. They are treated as MAF's are: columns are
dropped by the rules of MINIBOONE and GAS, what rounding cut off is drawn anew as in POWER, and training rows have mean 0 and
variance 1.
"""

import functools

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from common.errors import DataError
from common.learning.data import maf_tables
from common.learning.data.columns import least_repeated, without_copies
from common.learning.data.digits import GREY_VALUES, digits
from common.learning.data.patches import PARTS, flat_patches
from common.runs.seeds import generator
from common.runs.settings import hint

Rows = Float[Tensor, "rows columns"]


def load_table(name: str, split: str, replicate: int = 0) -> Rows:
    """Return one split ("train", "validation" or "test") of a table in float32; where none is published, the replicate's own.

    Raises `DataError` if the name or split is unknown, or a file is missing or not the prepared one.
    """
    if name not in LOADERS:
        raise DataError(f"there is no table {name!r}{hint(name, LOADERS)}")
    if split not in maf_tables.SPLITS:
        raise DataError(f"{name}: there is no split {split!r}{hint(split, maf_tables.SPLITS)}")
    return LOADERS[name](split) if name in maf_tables.TABLES else LOADERS[name](split, replicate)


def _sklearn_table(name: str, split: str, replicate: int) -> Rows:
    """Return a split of one of scikit-learn's tables, standardised by its training rows."""
    rows, random = torch.from_numpy(_columns(name)), generator("table", name, replicate)
    widths = torch.stack([column.unique().diff().median() for column in rows.unbind(1)])
    rows = rows[torch.randperm(len(rows), generator=random)]
    rows = rows + widths * torch.rand(rows.shape, generator=random, dtype=rows.dtype)
    train, wanted = (rows[slice(*(round(fraction * len(rows)) for fraction in PARTS[each]))] for each in ("train", split))
    return ((wanted - train.mean(0)) / train.std(0)).float()


def _flat_digits(split: str, replicate: int) -> Rows:
    """Return the pixels of a replicate's digits as rows, dequantised in [0, 1]."""
    values = digits(split, replicate).images.flatten(1)
    return (values + torch.rand(values.shape, generator=generator("flat digits", split, replicate))) / GREY_VALUES


@functools.cache
def _columns(name: str) -> Float[np.ndarray, "rows columns"]:
    """Return the columns of one of scikit-learn's tables that can have a density."""
    from sklearn import datasets

    # unscaled, so that the values' rounding can be seen
    rows = datasets.load_diabetes(scaled=False).data if name == "diabetes" else datasets.load_breast_cancer().data
    return without_copies(rows[:, ~least_repeated(rows)])


LOADERS = {
    **{f"patches{size**2 - 1}": functools.partial(flat_patches, size) for size in (3, 5, 8)},
    "digits64": _flat_digits,
    **{name: functools.partial(_sklearn_table, name) for name in ("breast_cancer", "diabetes")},
    **{name: functools.partial(maf_tables.load_maf_table, name) for name in maf_tables.TABLES},
}
