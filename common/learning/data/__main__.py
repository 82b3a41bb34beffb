"""`python -m common.learning.data mnist`: download a data set or prepare it from what was published; check it."""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from common.errors import DataError
from common.learning.data import catalogue, celeba, imagenet, maf_tables, pictures
from common.learning.data.images import SOURCES, load_images
from common.learning.data.tables import load_table

WORKERS = os.cpu_count() or 1
# by name: what prepares it from its published folder, and which folder that is
PREPARED = {
    **{f"celeba{size}": (partial(celeba.prepare, size=size), celeba.remedy(size)) for size in celeba.SIZES},
    **{
        f"imagenet{size}": (partial(imagenet.prepare, size=size, workers=WORKERS), imagenet.remedy(size))
        for size in imagenet.SIZES
    },
    **{name: (partial(pictures.prepare, name=name, workers=WORKERS), pictures.remedy(name)) for name in pictures.SETS},
}


def main() -> int:
    """Put the named data sets into $RETRACE_DATA, or ./data if that is not set, and check them; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m common.learning.data", description=main.__doc__)
    names = [*SOURCES, *PREPARED, *maf_tables.TABLES]
    parser.add_argument("name", nargs="+", choices=names, metavar="NAME", help="data set: %(choices)s")
    parser.add_argument(
        "--source",
        type=Path,
        metavar="DIR",
        help="the folder with the published files: of CelebA, ImageNet, LSUN, CelebA-HQ or FFHQ, "
        f"or MAF's {maf_tables.ARCHIVE} for a table",
    )
    options = parser.parse_args()
    for name in options.name:
        try:
            counts = fetched(name, options.source)
        except DataError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        counted = ", ".join(f"{count} {split}" for split, count in counts.items())
        items = "rows" if name in maf_tables.TABLES else "images"
        print(f"{name}: {counted} {items}, every file as {'published' if name in SOURCES else 'prepared'}")
    return 0


def fetched(name: str, source: Path | None) -> dict[str, int]:
    """Download a data set if need be, or prepare it from `source`, check its files and return the number of items of each split.

    Raises `DataError` where that cannot be done.
    """
    if name in maf_tables.TABLES:
        maf_tables.prepare(source, name)
        return {split: len(load_table(name, split)) for split in catalogue.SPLITS}
    if name in SOURCES:
        return {split: len(load_images(name, split, download=True).images) for split in catalogue.SPLITS}
    prepare, remedy = PREPARED[name]
    if source is None:
        raise DataError(f"{name}: not for download; {remedy}")
    prepare(source)
    return {split: len(catalogue.load(name, split).images) for split in catalogue.SPLITS}


if __name__ == "__main__":
    sys.exit(main())
