"""Tables as pandas pickled them under Python 2."""

import io
import pickle

import numpy as np
import pytest
from old_pandas import pickled

from common.errors import DataError
from common.learning.data.frame_pickle import read_frame


def test_columns_come_back_by_name_in_their_order_whatever_their_type():
    rng = np.random.default_rng(0)
    # floats at places 0, 2, 3 (not evenly spaced), whole numbers at 1 and 4 (a slice with a step), one small float
    columns = {
        "Time": rng.normal(size=7),
        "Meth": rng.integers(9, size=7),
        "R2": rng.normal(size=7),
        "R10": rng.normal(size=7),
        "Eth": rng.integers(9, size=7),
        "R1": rng.normal(size=7).astype(np.float32),
    }
    frame = read_frame(io.BytesIO(pickled(columns)))
    assert list(frame) == list(columns)
    for name, values in columns.items():
        np.testing.assert_array_equal(frame[name], values)


def test_pandas_itself_cannot_read_it():
    """The reason for reading it here; if this fails, `read_frame` may go."""
    import pandas as pd

    with pytest.raises(ModuleNotFoundError, match=r"pandas\.indexes"):
        pd.read_pickle(io.BytesIO(pickled({"a": np.zeros(3)})))


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("something of the file was run",))


OTHERS = [pickle.dumps(Bomb()), pickle.dumps({"a": 1}), b"", b"<html>", pickled({"a": np.zeros(3)})[:-40]]


@pytest.mark.parametrize("content", OTHERS, ids=["bomb", "dictionary", "nothing", "page", "cut off"])
def test_anything_else_is_an_error_and_is_not_run(content):
    with pytest.raises(DataError, match="not a table as pandas pickled it in 2017"):
        read_frame(io.BytesIO(content))
