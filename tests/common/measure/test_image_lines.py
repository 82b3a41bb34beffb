"""Many images as one picture: every pixel is where it belongs."""

import matplotlib.pyplot as plt
import numpy as np

from common.measure.figures import style
from common.measure.image_lines import image_lines, tiled

IMAGES = np.linspace(-1, 1, 5 * 3 * 2 * 4).reshape(5, 3, 2, 4)  # 5 images of 2 x 4 pixels


def shown(image):
    return image.transpose(1, 2, 0) / 2 + 0.5


def test_images_lie_line_by_line_and_the_rest_is_white():
    picture = tiled(IMAGES, 3, gap=1)
    assert picture.shape == (2 * 2 + 1, 3 * 4 + 2, 3)
    np.testing.assert_allclose(picture[:2, 5:9], shown(IMAGES[1]), atol=1e-6)
    np.testing.assert_allclose(picture[3:, 5:9], shown(IMAGES[4]), atol=1e-6)
    assert (picture[2] == 1).all() and (picture[:, 4] == 1).all() and (picture[3:, 10:] == 1).all()


def test_without_gaps_they_touch_and_values_out_of_range_are_clipped():
    picture = tiled(3 * IMAGES, 5)
    assert picture.shape == (2, 20, 3) and picture.min() == 0 and picture.max() == 1


def test_grey_images_are_drawn_without_channels_on_a_fixed_scale():
    with style():
        _, axis = plt.subplots()
        image_lines(axis, IMAGES[:, :1] / 4, "some")
        (image,) = axis.images
        assert image.get_array().ndim == 2 and image.get_clim() == (0, 1)
        assert axis.get_ylabel() == "some"
