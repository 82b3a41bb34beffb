import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_images

import common.learning.data.patches as module
from common.learning.data import catalogue
from common.learning.data.patches import patches_colour8, patches_colour16, patches_grey8

# 427 x 640: parts 448, 64 and 128 pixels wide, two photographs
CASES = [
    (patches_grey8, 1, 8, {"train": 2 * 53 * 56, "validation": 2 * 53 * 8, "test": 2 * 53 * 16}),
    (patches_colour16, 3, 16, {"train": 2 * 52 * 55, "validation": 2 * 52 * 7, "test": 2 * 52 * 15}),
    # 10 x 16 tiles of 40 x 40 pixels in a photograph, 9 x 9 patches in a tile
    (patches_colour8, 3, 8, {"train": 224 * 81, "validation": 32 * 81, "test": 64 * 81}),
]


@pytest.mark.parametrize(("load", "channels", "size", "counts"), CASES)
def test_shapes(load, channels, size, counts):
    for split, count in counts.items():
        part = load(split)
        assert part.images.shape == (count, channels, size, size)
        assert part.images.dtype == torch.uint8 and part.images.is_contiguous()
        assert part.labels is None and part.grey_values == 256


@pytest.mark.parametrize("load", [patches_grey8, patches_colour16, patches_colour8])
def test_no_pixel_is_in_two_splits(load, monkeypatch):
    # photographs whose pixels are all different: their own number, in base 256
    number = torch.arange(427 * 640)
    image = torch.stack([number % 256, number // 256 % 256, number // 65536]).reshape(3, 427, 640)
    monkeypatch.setattr(module, "_photographs", lambda: [image])
    weights = torch.tensor([1, 256, 65536])
    monkeypatch.setattr(module, "_grey", lambda image: (image * weights[:, None, None]).sum(0, keepdim=True))
    seen = []
    for split in module.PARTS:
        images = load(split).images
        code = images if images.shape[1] == 1 else (images * weights[:, None, None]).sum(1)
        seen.append(set(code.flatten().tolist()))
    assert all(seen)
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])


def test_first_and_last_patches_are_the_photographs_corners():
    first, last = load_sample_images().images
    colour = patches_colour16("train").images[0]
    np.testing.assert_array_equal(colour.permute(1, 2, 0), first[:16, :16])
    grey = patches_grey8("test").images[-1, 0].double().numpy()
    expected = last[416:424, 632:640] @ [0.299, 0.587, 0.114]
    assert np.abs(grey - expected).max() <= 0.501


def places(split, replicate, monkeypatch):
    """Where the first pixel of every patch lies in a photograph whose pixels are their own numbers."""
    number = torch.arange(427 * 640)
    image = torch.stack([number % 256, number // 256 % 256, number // 65536]).reshape(3, 427, 640)
    monkeypatch.setattr(module, "_photographs", lambda: [image])
    codes = (patches_colour8(split, replicate).images * torch.tensor([1, 256, 65536])[:, None, None]).sum(1)
    return codes[:, 0, 0] // 640, codes[:, 0, 0] % 640, codes


def test_small_colour_patches_are_whole_squares_of_tiles(monkeypatch):
    y, x, codes = places("train", 0, monkeypatch)
    square = (640 * torch.arange(8)[:, None] + torch.arange(8)).expand_as(codes)
    assert codes.sub(codes[:, :1, :1]).equal(square)
    assert bool((y % 40 <= 32).all() and (x % 40 <= 32).all() and (y % 4 == 0).all() and (x % 4 == 0).all())
    tiles = set(zip((y // 40).tolist(), (x // 40).tolist()))
    assert len(tiles) == round(0.7 * 160) and len({column for _, column in tiles}) == 16


def test_every_replicate_draws_its_tiles(monkeypatch):
    assert catalogue.load("patches_colour8", "test", 3).images.equal(patches_colour8("test", 3).images)
    found = [{*zip(*(each.tolist() for each in places("test", replicate, monkeypatch)[:2]))} for replicate in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
