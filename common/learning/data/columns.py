"""Which columns of a table can have a density: the two rules of MAF's authors (Papamakarios et al. 2017), to the letter."""

import numpy as np
from jaxtyping import Bool, Float

COMMON = 5  # rows
SAME = 0.98


def least_repeated(rows: Float[np.ndarray, "rows columns"]) -> Bool[np.ndarray, " columns"]:
    """Say which columns have their least value in more than 5 rows, as counts, censored measurements and classes have."""
    return (rows == rows.min(0)).sum(0) > COMMON


def without_copies(rows: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows fewer"]:
    """Return the columns less those that correlate by more than 0.98 with one that stays; the first are dropped first."""
    while (copied := (np.corrcoef(rows.T).reshape(rows.shape[1], -1) > SAME).sum(0) > 1).any():
        rows = np.delete(rows, copied.argmax(), axis=1)
    return rows
