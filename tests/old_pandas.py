"""Pickle a table byte for byte as pandas 0.19 did under Python 2."""

import copyreg
import io
import pickle
import struct

import numpy as np


class Old:
    """An object of a class that pandas had."""

    place = ""

    def __init__(self, state):
        self.state = state

    def __reduce_ex__(self, protocol):
        return copyreg.__newobj__, (type(self),), self.state


class DataFrame(Old):
    place = "pandas.core.frame DataFrame"


class BlockManager(Old):
    place = "pandas.core.internals BlockManager"


class Index:
    place = "pandas.indexes.base Index"


class RangeIndex:
    place = "pandas.indexes.range RangeIndex"


class NewIndex:
    """An index, made by a function that pandas has no more."""

    def __init__(self, kind, state):
        self.kind, self.state = kind, state

    def __reduce_ex__(self, protocol):
        return new_index, (self.kind, self.state)


def new_index(kind, state):
    raise NotImplementedError


new_index.place = "pandas.indexes.base _new_Index"


class _Pickler(pickle._Pickler):
    """Protocol 2 with text as Python 2 wrote it, which knew no bytes."""

    def save_text(self, text):
        content = text if isinstance(text, bytes) else text.encode("latin1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)
        self.memoize(text)

    def save_global(self, obj, name=None):
        place = getattr(obj, "place", None)
        if place is None and getattr(obj, "__module__", "").startswith("numpy._core"):
            place = f"numpy.core.multiarray {obj.__name__}"
        if place is None:
            return super().save_global(obj, name)
        self.write(pickle.GLOBAL + place.replace(" ", "\n").encode() + b"\n")
        self.memoize(obj)

    dispatch = pickle._Pickler.dispatch | {
        str: save_text,
        bytes: save_text,
        type: save_global,
        type(new_index): save_global,
    }


def pickled(columns: dict[str, np.ndarray]) -> bytes:
    """Return the pickle of a table of several types of columns, which pandas keeps in one block each."""
    names, rows = list(columns), len(next(iter(columns.values())))
    index = {"name": None, "start": 0, "stop": rows, "step": 1}
    axes = [
        NewIndex(Index, {"data": np.array(names, dtype=object), "name": None}),
        NewIndex(RangeIndex, index),
    ]
    blocks = []
    for kind in sorted({values.dtype for values in columns.values()}, key=str):
        places = [place for place, name in enumerate(names) if columns[name].dtype == kind]
        # what is evenly spaced is a slice
        steps = set(np.diff(places))
        even = slice(places[0], places[-1] + 1, steps.pop() if steps else 1) if len(steps) < 2 else np.array(places)
        blocks.append({"mgr_locs": even, "values": np.stack([columns[names[place]] for place in places])})
    state = (axes, [block["values"] for block in blocks], [], {"0.14.1": {"axes": axes, "blocks": blocks}})
    out = io.BytesIO()
    _Pickler(out, protocol=2).dump(DataFrame({"_data": BlockManager(state), "_typ": "dataframe", "_metadata": []}))
    return out.getvalue()
