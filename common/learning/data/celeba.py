"""CelebA at one size (Liu et al. 2015, aligned and cropped): prepared once from the published files, then memory-mapped.

Its terms are to be accepted where it is published, so nothing here downloads it. `python -m common.learning.data celeba32
--source DIR` reads DIR/img_align_celeba/*.jpg (or the published img_align_celeba.zip, unopened) and DIR/list_eval_partition.txt,
cuts the middle 140 x 140 of the 178 x 218 pixels out, shrinks that to the size (bilinear with antialiasing) and writes
(`common.learning.data.prepared` says where)

    celeba32/train-images.npy, validation-images.npy, test-images.npy    the published splits, in the published order

Crop and sizes are those of NCSN (32) and NCSNv2 (64). torchvision's own reader does not serve: it insists on the four files of
annotations, of which nothing is used here, and reads no archive.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from common.errors import DataError
from common.learning.data import prepared
from common.learning.data.images import GREY_VALUES
from common.learning.data.split import ImageSplit

SIZES = (32, 64)
WIDTH, HEIGHT, CROP = 178, 218, 140
PARTITION, PICTURES = "list_eval_partition.txt", "img_align_celeba"
PUBLISHED = {"train": 162770, "validation": 19867, "test": 19962}  # images; the partition's 0, 1 and 2


def load_celeba(size: int, split: str) -> ImageSplit:
    """Return one split ("train", "validation" or "test") of CelebA at `size` pixels, no labels; it stays on disk until used.

    Raises `DataError` if the set was not prepared (saying how) or a file is not what was prepared.
    """
    return ImageSplit(prepared.mapped(f"celeba{size}", f"{split}-images.npy", remedy(size)), None, GREY_VALUES)


def remedy(size: int) -> str:
    """Return what to do where the prepared files are missing or damaged."""
    files = f"{PICTURES}/ (or {PICTURES}.zip) and {PARTITION}"
    return f"run `python -m common.learning.data celeba{size} --source DIR`, DIR being CelebA's folder of {files}"


def prepare(source: Path, size: int) -> Path:
    """Write CelebA at `size` pixels from `source`, and return the folder.

    Raises `DataError` if the source lacks a file, or has one that is not CelebA's.
    """
    parts = _partition(_first(source, PARTITION, f"Eval/{PARTITION}", size=size))
    pictures = _pictures(_first(source, PICTURES, f"{PICTURES}.zip", f"Img/{PICTURES}", f"Img/{PICTURES}.zip", size=size))
    present = {picture.name for picture in pictures.iterdir()}
    missing = [name for names in parts.values() for name in names if name not in present]
    if missing:
        raise DataError(f"{pictures / missing[0]}: not found, nor {len(missing) - 1} others of {PARTITION}; unpack CelebA again")
    with prepared.writing(f"celeba{size}") as folder:
        for split, names in parts.items():
            faces = _faces(pictures, names, size)
            prepared.write_images(folder / f"{split}-images.npy", (len(names), 3, size, size), faces)
    return folder


def _first(source: Path, *places: str, size: int) -> Path:
    """Return the first of the places in the published folder that is there: as torchvision lays it out, or as published."""
    found = next((source / place for place in places if (source / place).exists()), None)
    if found is None:
        raise DataError(f"{source}: has none of {', '.join(places)}; {remedy(size)}")
    return found


def _partition(path: Path) -> dict[str, list[str]]:
    """Return the file names of every split, from lines `000001.jpg 0`."""
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    parts = {split: [row[0] for row in rows if row[1:] == [str(code)]] for code, split in enumerate(PUBLISHED)}
    found = {split: len(names) for split, names in parts.items()}
    if found != PUBLISHED or len(rows) != sum(PUBLISHED.values()):
        raise DataError(f"{path}: {len(rows)} lines, images {found}, not {PUBLISHED}; replace it by CelebA's own {PARTITION}")
    return parts


def _pictures(place: Path) -> Path | zipfile.Path:
    """Return the folder of pictures, on disk or in the archive."""
    if place.suffix != ".zip":
        return place
    try:
        return zipfile.Path(place, f"{PICTURES}/")
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{place}: cannot be read ({error}); get CelebA's {place.name} again") from None


def _faces(pictures: Path | zipfile.Path, names: list[str], size: int) -> Iterator[Tensor]:
    """Give the pictures one by one, cropped and shrunk, as batches [1, 3, size, size]."""
    from PIL import Image
    from torchvision.transforms import v2

    shrink = v2.Compose([v2.CenterCrop(CROP), v2.Resize(size), v2.PILToTensor()])
    for name in names:
        path = pictures / name
        try:
            with path.open("rb") as stream, Image.open(stream) as picture:
                if picture.size != (WIDTH, HEIGHT):
                    raise DataError(f"{path}: {picture.size} pixels, not {(WIDTH, HEIGHT)}; give --source CelebA's {PICTURES}")
                yield shrink(picture.convert("RGB"))[None]
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(f"{path}: cannot be read ({error}); unpack CelebA again") from None
