import pytest
import torch

from common.errors import SettingsError
from common.learning.data import catalogue
from common.learning.data.batches import EpochSampler
from common.learning.data.scale import to_unit
from common.learning.data.training import training_batches

CPU = torch.device("cpu")


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_without_flips_a_step_draws_the_noise_of_dequantisation_and_nothing_else():
    split, used, expected = catalogue.load("patches_colour16", "train"), stream(), stream()
    batch = training_batches("patches_colour16", 32, 7, CPU)(5, used)
    items = EpochSampler(len(split.images), 32, 7)(5)
    assert torch.equal(batch, to_unit(split.images[items], split.grey_values, generator=expected))
    assert torch.equal(used.get_state(), expected.get_state())


@pytest.mark.parametrize("pixel_range", [(-1.0, 1.0), (0.0, 1.0)])
def test_a_flipped_batch_is_the_plain_one_with_some_images_mirrored_along_their_width(pixel_range):
    plain = training_batches("patches_colour16", 256, 7, CPU, pixel_range)(5, stream())
    flipped = training_batches("patches_colour16", 256, 7, CPU, pixel_range, flip=True)(5, stream())
    same = (flipped == plain).flatten(1).all(1)
    columns = torch.arange(15, -1, -1)
    mirrored = (flipped == plain[:, :, :, columns]).flatten(1).all(1)
    assert torch.equal(same, ~mirrored), "dequantisation's noise is mirrored with its image, so no image is its own mirror"
    # 256 tosses of a coin: 128, give or take four standard deviations of 8
    assert 96 < int(mirrored.sum()) < 160


@pytest.mark.parametrize("flip", [False, True])
def test_without_dequantisation_a_grey_value_is_the_middle_of_its_cell_and_no_noise_is_drawn(flip):
    split, used, expected = catalogue.load("patches_colour16", "train"), stream(), stream()
    batch = training_batches("patches_colour16", 32, 7, CPU, (0.0, 1.0), flip=flip, dequantise=False)(5, used)
    plain = (split.images[EpochSampler(len(split.images), 32, 7)(5)] + 0.5) / split.grey_values
    if flip:
        plain = torch.where(torch.rand(32, 1, 1, 1, generator=expected) < 0.5, plain.flip(-1), plain)
    torch.testing.assert_close(batch, plain)
    assert torch.equal(used.get_state(), expected.get_state())


def test_flips_follow_the_steps_generator():
    draw = training_batches("patches_colour16", 64, 7, CPU, flip=True)
    assert torch.equal(draw(5, stream(1)), draw(5, stream(1)))

    def mirrored(seed: int) -> torch.Tensor:
        plain = training_batches("patches_colour16", 64, 7, CPU)(5, stream(seed))
        return (draw(5, stream(seed)) != plain).flatten(1).any(1)

    assert not torch.equal(mirrored(1), mirrored(2))


def test_points_of_a_density_do_not_flip():
    with pytest.raises(
        SettingsError, match=r"two_spirals: points of a density have no left and right .*flip = true is for images"
    ):
        training_batches("two_spirals", 8, 0, CPU, flip=True)
