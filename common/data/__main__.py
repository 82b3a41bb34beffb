"""`python -m common.data mnist`: download a data set through torchvision and check it."""

import argparse
import sys

from common.data.images import SOURCES, load_images
from common.errors import DataError


def main() -> int:
    """Fetch the named data sets into $RETRACE_DATA, or ./data if that is not set; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m common.data", description=main.__doc__)
    parser.add_argument("name", nargs="+", choices=list(SOURCES), help="data set: %(choices)s")
    for name in parser.parse_args().name:
        try:
            sizes = {split: len(load_images(name, split, download=True).images) for split in ("train", "validation", "test")}
        except DataError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(f"{name}: {', '.join(f'{size} {split}' for split, size in sizes.items())} images, every file as published")
    return 0


if __name__ == "__main__":
    sys.exit(main())
