"""Read a table of numbers that pandas pickled in 2017, which no pandas of today can.

Such a pickle names classes and modules that have moved since. Here numpy's arrays are made, as they were pickled, and in the
place of every other object stands a record of what it was made of; the columns are then where pandas kept them. So nothing of
the file is ever run, whatever it holds.
"""

import pickle
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import Float

from common.errors import DataError

MADE = {"_reconstruct", "ndarray", "dtype", "scalar"}  # of numpy
SLICE = {("__builtin__", "slice"), ("builtins", "slice")}  # Python 2's, and 3's


class _Record:
    """What an object was pickled as: the arguments that made it, and its state."""

    def __new__(cls, *arguments: Any) -> "_Record":
        record = super().__new__(cls)
        record.arguments, record.state = arguments, None
        return record

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "numpy" and name in MADE:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        return slice if (module, name) in SLICE else _Record


def read_frame(file: BytesIO) -> Mapping[str, Float[np.ndarray, " rows"]]:
    """Return the columns of a pickled DataFrame by name, in order. Raises `DataError` if it is not pickled as it was in 2017."""
    try:
        # what Python 2 pickled as text is bytes
        manager = _Unpickler(file, encoding="latin1").load().state["_data"]
        parts = manager.state[3]["0.14.1"]
        names = parts["axes"][0].arguments[1]["data"]
        columns: list[Any] = [None] * len(names)
        for block in parts["blocks"]:  # columns of one type: a row each
            for place, values in zip(np.arange(len(names))[block["mgr_locs"]], block["values"]):
                columns[place] = values
    except (pickle.UnpicklingError, EOFError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise DataError(f"not a table as pandas pickled it in 2017 ({error!r}); use the file of MAF's archive") from None
    return dict(zip(map(str, names), columns))
