"""Noise in the place of images and tables: shapes and grey values of the real sets, and nothing left behind."""

import pytest
import torch

from common.learning.data import catalogue, tables
from common.learning.data.maf_tables import TABLES
from common.learning.data.stand_ins import GREY_VALUES, LABELLED, SHAPES, stand_ins
from common.learning.data.training import sample_shape, training_batches


@pytest.mark.parametrize("name", ["digits", "digits_binary", "patches_colour8", "patches_colour16"])
def test_shapes_are_those_of_the_real_sets(name):
    real = catalogue.load(name, "train")
    assert tuple(real.images.shape[1:]) == SHAPES[name]
    assert real.grey_values == GREY_VALUES.get(name, 256)
    assert (real.labels is not None) == (name in LABELLED)


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


# grey values of training images, and of the others
BINARY = {"mnist_static": (2, 2), "omniglot": (256, 2), "caltech_silhouettes": (2, 2), "frey_faces": (256, 256)}


@pytest.mark.parametrize("name", BINARY)
def test_images_of_autoencoders_have_the_values_of_the_published_ones(name):
    with stand_ins():
        splits = [catalogue.load(name, split) for split in ("train", "validation", "test")]
    of_train, of_others = BINARY[name]
    assert [split.grey_values for split in splits] == [of_train, of_others, of_others]
    assert all(split.labels is None and int(split.images.max()) == split.grey_values - 1 for split in splits)
    assert {tuple(split.images.shape[1:]) for split in splits} == {(1, 28, 20) if name == "frey_faces" else (1, 28, 28)}


def test_published_tables_have_their_columns_and_the_others_stay_as_they_are():
    before = dict(tables.LOADERS)
    with stand_ins():
        rows = {name: tables.load_table(name, "test", 1) for name in TABLES}
        assert all(tables.LOADERS[name] is before[name] for name in before.keys() - TABLES.keys())
    assert {name: each.shape[1] for name, each in rows.items()} == {
        "power": 6,
        "gas": 8,
        "hepmass": 21,
        "miniboone": 43,
        "bsds300": 63,
    }
    assert all(each.dtype == torch.float32 and abs(float(each.std()) - 1) < 0.05 for each in rows.values())
    assert before == tables.LOADERS


def test_there_are_as_many_as_asked_for():
    with stand_ins(7):
        assert len(catalogue.load("cifar10", "train").images) == len(tables.load_table("gas", "train")) == 7
    with stand_ins():
        # no more than their memory allows
        assert (
            len(catalogue.load("mnist", "train").images) == 10_000 and len(catalogue.load("imagenet256", "train").images) < 1400
        )
