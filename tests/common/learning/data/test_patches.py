import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_images

import common.learning.data.patches as module
from common.learning.data.patches import patches_colour16, patches_grey8

# 427 x 640: parts 448, 64 and 128 pixels wide, two photographs
CASES = [
    (patches_grey8, 1, 8, {"train": 2 * 53 * 56, "validation": 2 * 53 * 8, "test": 2 * 53 * 16}),
    (patches_colour16, 3, 16, {"train": 2 * 52 * 55, "validation": 2 * 52 * 7, "test": 2 * 52 * 15}),
]


@pytest.mark.parametrize(("load", "channels", "size", "counts"), CASES)
def test_shapes(load, channels, size, counts):
    for split, count in counts.items():
        part = load(split)
        assert part.images.shape == (count, channels, size, size)
        assert part.images.dtype == torch.uint8 and part.images.is_contiguous()
        assert part.labels is None and part.grey_values == 256


@pytest.mark.parametrize("load", [patches_grey8, patches_colour16])
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
