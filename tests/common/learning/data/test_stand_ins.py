"""Noise in the place of images: shapes and grey values of the real sets that can be read here, and nothing left behind."""

import pytest
import torch

from common.learning.data import catalogue
from common.learning.data.stand_ins import GREY_VALUES, SHAPES, stand_ins
from common.learning.data.training import sample_shape, training_batches


@pytest.mark.parametrize("name", ["digits", "patches_colour8", "patches_colour16"])
def test_shapes_are_those_of_the_real_sets(name):
    real = catalogue.load(name, "train")
    assert tuple(real.images.shape[1:]) == SHAPES[name]
    assert real.grey_values == GREY_VALUES.get(name, 256)


def test_every_name_is_a_data_set_of_the_catalogue():
    assert SHAPES.keys() <= catalogue.LOADERS.keys()


def test_the_catalogue_gives_noise_within_and_its_own_data_afterwards():
    before = dict(catalogue.LOADERS)
    with pytest.raises(ZeroDivisionError), stand_ins():
        split = catalogue.load("cifar10", "train")
        assert sample_shape("imagenet64") == (3, 64, 64)
        assert split.images.dtype == torch.uint8
        assert (int(split.images.min()), int(split.images.max()), int(split.labels.max())) == (0, 255, 9)
        assert int(catalogue.load("digits", "test", 3).images.max()) == 16
        raise ZeroDivisionError
    assert before == catalogue.LOADERS


def test_batches_are_drawn_from_it_as_from_any_data_set():
    with stand_ins():
        draw = training_batches("cifar10", 7, 0, torch.device("cpu"), flip=True)
        batch = draw(0, torch.Generator().manual_seed(0))
    assert batch.shape == (7, 3, 32, 32)
    assert -1 <= float(batch.min()) < -0.9 and 0.9 < float(batch.max()) <= 1
