"""Data sets that are prepared once from what was published: arrays in one folder, memory-mapped, digests checked on every use.

    <name>/*.npy           below $RETRACE_DATA or ./data: uint8 images [n, channels, height, width], and what belongs to them;
                           or float32 rows of a table
    <name>/digests.json    written last: SHA-256 of every array

The digests tell a damaged file, not another source: they are of what was prepared here.
"""

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from common.errors import DataError
from common.learning.data.images import roots

DIGESTS = "digests.json"


def mapped(name: str, file: str, remedy: str) -> Tensor:
    """Return one array of the prepared set `name`; it stays on disk until used.

    Raises `DataError` with `remedy` if the set was not prepared, or the file is not what was prepared.
    """
    folder = next((root / name for root in roots() if (root / name / DIGESTS).is_file()), None)
    if folder is None:
        places = ", ".join(str(root / name) for root in roots())
        raise DataError(f"{name}: {DIGESTS} not found in {places}; {remedy}")
    path = folder / file
    try:
        expected = json.loads((folder / DIGESTS).read_text())[file]
        found = _digest(path, path.stat().st_mtime_ns)
        if found == expected:
            # copy on write: torch asks for memory that may be written to, and the file must not change
            return torch.from_numpy(np.load(path, mmap_mode="c"))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: cannot be read ({error}); delete {folder} and {remedy}") from None
    raise DataError(f"{path}: has changed since it was prepared (SHA-256 {found[:12]}...); delete {folder} and {remedy}")


@contextmanager
def writing(name: str) -> Iterator[Path]:
    """Give the folder to write the arrays of the set `name` into: without digests, hence of no use, until all are written."""
    folder = roots()[0] / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DIGESTS).unlink(missing_ok=True)
    yield folder
    digests = {path.name: _digest(path, path.stat().st_mtime_ns) for path in sorted(folder.glob("*.npy"))}
    (folder / DIGESTS).write_text(json.dumps(digests, indent=2))


def write_images(path: Path, shape: tuple[int, ...], batches: Iterable[Tensor]) -> None:
    """Write images that come in uint8 batches [b, channels, height, width] to an array of `shape`, the batches' sum."""
    from tqdm import tqdm

    pixels = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    done = 0
    with tqdm(total=len(pixels), desc=f"{path.parent.name} {path.stem}", unit="image") as bar:
        for batch in batches:
            pixels[done : done + len(batch)] = batch.numpy()
            done += len(batch)
            bar.update(len(batch))
    pixels.flush()


@functools.cache
def _digest(path: Path, changed: int) -> str:
    """Return a file's SHA-256; once per process and change, as the largest takes minutes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
