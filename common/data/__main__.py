"""`python -m common.data mnist`: download a data set through torchvision and check it; ImageNet is prepared from a folder."""

import argparse
import os
import sys
from pathlib import Path

from common.data import catalogue
from common.data.imagenet import SIZES, prepare
from common.data.images import SOURCES, load_images
from common.errors import DataError

PREPARED = {f"imagenet{size}": size for size in SIZES}


def main() -> int:
    """Put the named data sets into $RETRACE_DATA, or ./data if that is not set, and check them; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m common.data", description=main.__doc__)
    parser.add_argument("name", nargs="+", choices=[*SOURCES, *PREPARED], metavar="NAME", help="data set: %(choices)s")
    parser.add_argument("--source", type=Path, metavar="DIR", help="for ImageNet: the folder with its train/ and val/")
    options = parser.parse_args()
    for name in options.name:
        try:
            fetch(name, options.source)
            sizes = {split: len(catalogue.load(name, split).images) for split in catalogue.SPLITS}
        except DataError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        counted = ", ".join(f"{size} {split}" for split, size in sizes.items())
        print(f"{name}: {counted} images, every file as {'prepared' if name in PREPARED else 'published'}")
    return 0


def fetch(name: str, source: Path | None) -> None:
    """Download one data set, or prepare it from `source`. Raises `DataError` where that cannot be done."""
    if name not in PREPARED:
        load_images(name, "train", download=True)
        load_images(name, "test", download=True)
    elif source is None:
        raise DataError(f"{name}: ImageNet is not for download; give --source DIR, the folder with its train/ and val/")
    else:
        prepare(source, PREPARED[name], workers=os.cpu_count() or 1)


if __name__ == "__main__":
    sys.exit(main())
