"""The filter [1, 3, 3, 1] against zeros put between pixels and a convolution written out."""

import pytest
import torch

from replications.score_sde.networks.fir import doubled, doubled_and_convolved, halved, halved_and_convolved

F64 = torch.float64
SIZES = [(6, 8), (2, 2), (4, 10)]


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def filtered(line):
    """Convolve an infinite line, given by a function of the place, with [1, 3, 3, 1] / 8; the place is between two pixels."""
    return lambda i: (line(i - 1) + 3 * line(i) + 3 * line(i + 1) + line(i + 2)) / 8


def along(x, axis, line, places):
    """Replace an axis of x by `line(pixels)` at these places; pixels beyond the border are zero."""
    first = x.movedim(axis, 0)

    def pixel(i):
        return first[i] if 0 <= i < len(first) else torch.zeros_like(first[0])

    return torch.stack([line(pixel)(i) for i in places]).movedim(0, axis)


def explicitly_filtered(x, step, first=0):
    """x filtered at every `step`-th place, the first of all being the one between its pixels 0 and 1."""
    for axis in (-2, -1):
        x = along(x, axis, filtered, range(first, x.shape[axis], step))
    return x


def explicitly_doubled(x, margin=0):
    """Zeros after every pixel, then the filter, times two along each axis; with `margin` pixels around the image."""

    def spread(pixel):
        return lambda i: pixel(i // 2) if i % 2 == 0 else 0 * pixel(0)

    for axis in (-2, -1):
        size = x.shape[axis]
        x = along(x, axis, lambda pixel: filtered(spread(pixel)), range(-1 - margin, 2 * size - 1 + margin)) * 2
    return x


def explicitly_convolved(x, weight, bias, step=1):
    """A 3x3 convolution of the pixels there are."""
    rows, columns = (range(0, size - 2, step) for size in x.shape[-2:])
    out = [torch.einsum("bchw,ochw->bo", x[..., i : i + 3, j : j + 3], weight) + bias for i in rows for j in columns]
    return torch.stack(out, -1).reshape(len(x), len(weight), len(rows), len(columns))


@pytest.mark.parametrize("size", SIZES)
def test_halving_is_filter_and_every_second_pixel(size):
    x = draw(2, 3, *size)
    torch.testing.assert_close(halved(x), explicitly_filtered(x, step=2))


@pytest.mark.parametrize("size", SIZES)
def test_doubling_is_zeros_between_pixels_and_the_filter(size):
    x = draw(2, 3, *size)
    torch.testing.assert_close(doubled(x), explicitly_doubled(x))


@pytest.mark.parametrize("size", SIZES)
def test_halving_with_a_convolution_sees_filtered_pixels_from_around_the_image(size):
    x, weight, bias = draw(2, 3, *size), draw(5, 3, 3, 3, seed=1), draw(5, seed=2)
    around = explicitly_filtered(x, step=1, first=-1)
    torch.testing.assert_close(halved_and_convolved(x, weight, bias), explicitly_convolved(around, weight, bias, step=2))
    torch.testing.assert_close(halved_and_convolved(x, weight), explicitly_convolved(around, weight, 0 * bias, step=2))


@pytest.mark.parametrize("size", SIZES)
def test_doubling_with_a_convolution_sees_filtered_pixels_from_around_the_image(size):
    x, weight, bias = draw(2, 3, *size), draw(5, 3, 3, 3, seed=1), draw(5, seed=2)
    around = explicitly_doubled(x, margin=1)
    torch.testing.assert_close(doubled_and_convolved(x, weight, bias), explicitly_convolved(around, weight, bias))
    torch.testing.assert_close(doubled_and_convolved(x, weight), explicitly_convolved(around, weight, 0 * bias))


def test_flat_regions_keep_their_value_and_slopes_stay_straight():
    flat, slope = torch.ones(1, 1, 8, 8, dtype=F64), torch.arange(8.0, dtype=F64).expand(1, 1, 8, 8)
    torch.testing.assert_close(halved(flat)[..., 1:-1, 1:-1], flat[..., :2, :2])
    torch.testing.assert_close(doubled(flat)[..., 1:-1, 1:-1], flat.new_ones(1, 1, 14, 14))
    torch.testing.assert_close(halved(slope)[0, 0, 1, 1:-1], torch.tensor([2.5, 4.5], dtype=F64))
    torch.testing.assert_close(doubled(slope)[0, 0, 2, 1:-1], 0.25 + 0.5 * torch.arange(14, dtype=F64))


def test_doubling_is_four_times_the_transpose_of_halving():
    x, y = draw(2, 3, 6, 8), draw(2, 3, 3, 4, seed=1)
    torch.testing.assert_close((x * doubled(y)).sum(), 4 * (halved(x) * y).sum())
