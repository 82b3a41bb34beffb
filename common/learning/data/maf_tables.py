"""POWER, GAS, HEPMASS, MINIBOONE and BSDS300 as published with MAF (Papamakarios et al. 2017): prepared once, then memory-mapped.

`python -m common.learning.data power` takes the published archive, which it downloads into $RETRACE_DATA/maf (or ./data/maf) if
it is not there, or reads from DIR with `--source DIR`, and checks it; then it treats the set as MAF's authors do and writes
(`common.learning.data.prepared` says where)

    power/train.npy, validation.npy, test.npy    float32 rows

What the authors do is kept to the order of their random numbers, so that likelihoods compare with those of the literature.
"""

import tarfile
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from torch import Tensor

from common.errors import DataError
from common.learning.data import prepared
from common.learning.data.columns import least_repeated, without_copies
from common.learning.data.frame_pickle import read_frame
from common.learning.data.images import roots

ARCHIVE, URL = "data.tar.gz", "https://zenodo.org/record/1161203/files/data.tar.gz"
MD5 = "9b9c9b0375315ad270eba4ce80c093ab"  # as Zenodo lists it
SPLITS = ("train", "validation", "test")

Rows = Float[np.ndarray, "rows columns"]
# train, validation and test
Parts = tuple[Float[np.ndarray, "train columns"], Float[np.ndarray, "validation columns"], Float[np.ndarray, "test columns"]]


def load_maf_table(name: str, split: str) -> Float[Tensor, "rows columns"]:
    """Return one split of a published table; it stays on disk until used.

    Raises `DataError` if the set was not prepared (saying how) or a file is not what was prepared.
    """
    return prepared.mapped(name, f"{split}.npy", remedy(name))


def remedy(name: str) -> str:
    """Return what to do where the prepared files are missing or damaged."""
    return (
        f"run `python -m common.learning.data {name}`, with `--source DIR` where DIR has MAF's {ARCHIVE} (Zenodo, record 1161203)"
    )


def prepare(source: Path | None, name: str) -> Path:
    """Write the splits of a published table from the archive in `source`, or a downloaded one, and return the folder.

    Raises `DataError` if the archive is not there or not the published one.
    """
    table = TABLES[name]
    parts = table.split(*_unpack(_archive(source, name), table.files))
    shapes = [part.shape for part in parts]
    if shapes != [(rows, table.columns) for rows in table.rows]:
        raise DataError(
            f"{name}: prepared as {shapes}, not the published {table.columns} columns of {table.rows} rows: this numpy or pandas "
            "reads or draws differently; install the versions of requirements.lock"
        )
    with prepared.writing(name) as folder:
        for split, part in zip(SPLITS, parts):
            np.save(folder / f"{split}.npy", np.ascontiguousarray(part, np.float32))
    return folder


def _archive(source: Path | None, name: str) -> Path:
    """Return the published archive, after checking its digest."""
    from torchvision.datasets.utils import check_integrity, download_url

    folder = roots()[0] / "maf" if source is None else source
    path = folder / ARCHIVE
    if source is None:
        try:
            download_url(URL, folder, ARCHIVE, MD5)  # unless it is there and whole
        except (OSError, RuntimeError) as error:
            raise DataError(f"{name}: could not download {URL} into {folder}: {error}; {remedy(name)}") from error
    elif not path.is_file():
        raise DataError(f"{path}: not found; {remedy(name)}")
    elif not check_integrity(path, MD5):
        raise DataError(f"{path}: not MAF's published archive (its MD5 is not {MD5[:12]}...); get it again, or {remedy(name)}")
    return path


def _unpack(path: Path, files: Sequence[str]) -> list[BytesIO]:
    """Return the contents of files of the archive (`folder/file`), in order; nothing is written to disk."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as tar:
            # in the archive's order: going back in a compressed file means starting again
            for member in tar:
                file = "/".join(PurePosixPath(member.name).parts[-2:])
                if file in files and member.isfile():
                    found[file] = tar.extractfile(member).read()
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise DataError(f"{path}: cannot be read ({error}); get it again") from None
    if missing := set(files) - set(found):
        raise DataError(f"{path}: has no {sorted(missing)[0]}; get it again")
    return [BytesIO(found[file]) for file in files]


def _last_tenths(rows: Rows) -> Parts:
    """Return the parts of rows: the last tenth is for testing, the last tenth of the others for validation."""
    test = len(rows) - int(0.1 * len(rows))
    validation = test - int(0.1 * test)
    return rows[:validation], rows[validation:test], rows[test:]


def _standardised(parts: Parts) -> Parts:
    """Return the parts with mean 0 and variance 1 of training and validation rows together."""
    seen = np.concatenate(parts[:2])
    mean, std = seen.mean(0), seen.std(0)
    train, validation, test = ((part - mean) / std for part in parts)
    return train, validation, test


def _power(file: BytesIO) -> Parts:
    """Return POWER, shuffled, without date and reactive power's column, with what rounding cut off drawn anew."""
    rows, random = np.load(file), np.random.RandomState(42)  # its stream of numbers never changes
    random.shuffle(rows)
    rows = np.delete(rows, (1, 3), axis=1)
    voltage, active = 0.01 * random.rand(len(rows), 1), 0.001 * random.rand(len(rows), 1)
    meters, time = random.rand(len(rows), 3), np.zeros((len(rows), 1))
    return _standardised(_last_tenths(rows + np.hstack((active, voltage, meters, time))))


def _gas(file: BytesIO) -> Parts:
    """Return GAS: the sensors, of those that say nearly the same only the last; scaled by all rows, test rows too."""
    frame = read_frame(file)
    rows = without_copies(np.stack([column for name, column in frame.items() if name not in ("Time", "Meth", "Eth")], 1))
    return _last_tenths((rows - rows.mean(0)) / rows.std(0, ddof=1))


def _hepmass(train_file: BytesIO, test_file: BytesIO) -> Parts:
    """Return HEPMASS: the collisions that have the particle, without the columns whose least value is common in training."""
    import pandas as pd

    # rows of the test file end in a column that the training file does not have
    train, test = (pd.read_csv(file, index_col=False).to_numpy() for file in (train_file, test_file))
    train, test = train[train[:, 0] == 1, 1:], test[test[:, 0] == 1, 1:-1]
    test = (test - train.mean(0)) / train.std(0, ddof=1)
    train = (train - train.mean(0)) / train.std(0, ddof=1)
    kept = ~least_repeated(train)
    validation = len(train) - int(0.1 * len(train))
    return train[:validation, kept], train[validation:, kept], test[:, kept]


def _miniboone(file: BytesIO) -> Parts:
    """Return MINIBOONE, whose outliers and columns of common values were dropped before it was published."""
    return _standardised(_last_tenths(np.load(file)))


def _bsds300(file: BytesIO) -> Parts:
    """Return BSDS300: dequantised 8x8 grey patches in [0, 1] minus their mean, without the last pixel."""
    import h5py

    with h5py.File(file, "r") as parts:
        train, validation, test = (parts[split][:] for split in SPLITS)
    return train, validation, test


class Table(NamedTuple):
    """A published table: its files, what makes the splits of them, columns, and rows of each split."""

    files: tuple[str, ...]
    split: Callable[..., Parts]
    columns: int
    rows: tuple[int, int, int]


TABLES = {
    "power": Table(("power/data.npy",), _power, 6, (1_659_917, 184_435, 204_928)),
    "gas": Table(("gas/ethylene_CO.pickle",), _gas, 8, (852_174, 94_685, 105_206)),
    "hepmass": Table(("hepmass/1000_train.csv", "hepmass/1000_test.csv"), _hepmass, 21, (315_123, 35_013, 174_987)),
    "miniboone": Table(("miniboone/data.npy",), _miniboone, 43, (29_556, 3_284, 3_648)),
    "bsds300": Table(("BSDS300/BSDS300.hdf5",), _bsds300, 63, (1_000_000, 50_000, 250_000)),
}
