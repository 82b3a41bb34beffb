"""`python -m common.learning.data mnist`: download a data set through torchvision, or prepare CelebA or ImageNet; check it."""

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from common.errors import DataError
from common.learning.data import catalogue, celeba, imagenet
from common.learning.data.images import SOURCES, load_images
from common.learning.data.split import ImageSplit

# by name: what prepares it from its published folder, and which folder that is
PREPARED = {
    **{f"celeba{size}": (partial(celeba.prepare, size=size), celeba.remedy(size)) for size in celeba.SIZES},
    **{
        f"imagenet{size}": (partial(imagenet.prepare, size=size, workers=os.cpu_count() or 1), imagenet.remedy(size))
        for size in imagenet.SIZES
    },
}


def main() -> int:
    """Put the named data sets into $RETRACE_DATA, or ./data if that is not set, and check them; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m common.learning.data", description=main.__doc__)
    parser.add_argument("name", nargs="+", choices=[*SOURCES, *PREPARED], metavar="NAME", help="data set: %(choices)s")
    parser.add_argument("--source", type=Path, metavar="DIR", help="for CelebA and ImageNet: the folder with the published files")
    options = parser.parse_args()
    for name in options.name:
        try:
            load = loader(name, options.source)
            sizes = {split: len(load(split).images) for split in catalogue.SPLITS}
        except DataError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        counted = ", ".join(f"{size} {split}" for split, size in sizes.items())
        print(f"{name}: {counted} images, every file as {'prepared' if name in PREPARED else 'published'}")
    return 0


def loader(name: str, source: Path | None) -> Callable[[str], ImageSplit]:
    """Return what loads a split of a data set: downloaded if need be, or first prepared from `source` if it is not for download.

    Raises `DataError` where that cannot be done.
    """
    if name not in PREPARED:
        return partial(load_images, name, download=True)
    prepare, remedy = PREPARED[name]
    if source is None:
        raise DataError(f"{name}: not for download; {remedy}")
    prepare(source)
    return partial(catalogue.load, name)


if __name__ == "__main__":
    sys.exit(main())
