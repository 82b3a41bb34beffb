"""Squeeze, bookkeeping of channels, and the way through the scales and back, without any flow."""

import pytest
import torch
from torch import nn

from common.errors import SettingsError
from replications.ffjord.images.multiscale import Multiscale, entered_shapes, squeeze, squeezed, unsqueeze


def numbered(*shape):
    return torch.arange(float(torch.Size(shape).numel())).view(shape)


def test_squeeze_is_its_definition_and_has_an_inverse():
    x = numbered(2, 3, 4, 6)
    y = squeeze(x)
    assert tuple(y.shape[1:]) == squeezed((3, 4, 6)) == (12, 2, 3)
    for channel in range(3):
        for down in range(2):
            for right in range(2):
                assert torch.equal(y[:, 4 * channel + 2 * down + right], x[:, channel, down::2, right::2])
    assert torch.equal(unsqueeze(y), x)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((3, 32, 32), [(3, 32, 32), (6, 16, 16), (12, 8, 8), (24, 4, 4)]),
        ((1, 28, 28), [(1, 28, 28), (2, 14, 14), (4, 7, 7)]),
        ((1, 8, 8), [(1, 8, 8), (2, 4, 4)]),
        ((1, 4, 8), [(1, 4, 8)]),
    ],
)
def test_blocks_pass_on_twice_the_channels_on_half_the_grid(shape, expected):
    assert entered_shapes(shape) == expected
    assert entered_shapes(shape, 1) == expected[:1]


@pytest.mark.parametrize(
    ("shape", "scales", "message"),
    [
        ((1, 9, 9), None, r"9 x 9 grid cannot be squeezed.*pad or crop"),
        ((1, 30, 30), None, r"15 x 15 grid cannot be squeezed"),
        ((1, 8, 10), 3, r"3 scales asked for, but images of 8 x 10 have 1 to 2"),
        ((1, 3, 3), None, r"images of 3 x 3 have 1 to 0"),
        ((1, 8, 8), 0, r"0 scales asked for"),
    ],
)
def test_grids_that_do_not_fit_are_refused(shape, scales, message):
    with pytest.raises(SettingsError, match=message):
        entered_shapes(shape, scales)


class Marked(nn.Module):
    """Stands for a flow's field; remembers which maps it is for."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape


def visited(flows, run, x):
    """What `run` makes of x, and the shapes and fields that it went through."""
    seen = []

    def carry(field, y):
        seen.append((tuple(y.shape[1:]), field))
        return y

    return run(x, carry), seen


def test_flows_meet_the_maps_that_they_were_made_for_and_go_back_in_reverse():
    flows, x = Multiscale((3, 16, 16), 2, Marked), numbered(2, 3, 16, 16)
    latent, seen = visited(flows, flows.encode, x)
    shapes = [(3, 16, 16), (12, 8, 8), (6, 8, 8), (24, 4, 4), (12, 4, 4)]
    assert [shape for shape, _ in seen] == [shape for shape in shapes for _ in range(2)]
    assert all(field.shape == shape for shape, field in seen)
    assert len({id(field) for _, field in seen}) == len(seen)
    back, again = visited(flows, flows.decode, latent)
    assert torch.equal(back, x)
    assert again == seen[::-1]


def test_a_block_gives_the_later_half_of_its_channels():
    flows, x = Multiscale((1, 8, 8), 1, Marked), numbered(1, 1, 8, 8)
    latent, _ = visited(flows, flows.encode, x)
    given, kept = latent[0].split([32, 32])
    # of each 2x2 square the lower row is given, the upper one goes on
    assert torch.equal(given, torch.cat([x[0, 0, 1::2, right::2].flatten() for right in range(2)]))
    assert torch.equal(kept, torch.cat([x[0, 0, ::2, right::2].flatten() for right in range(2)]))


def test_one_scale_is_one_block_without_a_squeeze():
    flows, x = Multiscale((1, 8, 8), 3, Marked, scales=1), numbered(2, 1, 8, 8)
    latent, seen = visited(flows, flows.encode, x)
    assert torch.equal(latent, x.flatten(1))
    assert [shape for shape, _ in seen] == 3 * [(1, 8, 8)]
