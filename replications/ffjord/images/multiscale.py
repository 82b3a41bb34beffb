"""The multiscale arrangement of flows on images (Dinh et al. 2017; Grathwohl 2019, Section 4.2).

A block entered with c channels runs N flows, squeezes the grid (c x H x W becomes 4c x H/2 x W/2), runs N flows more, gives half
of the channels to the latent and passes 2c on. The last block has no squeeze: it runs N flows and gives all that it has. There
are as many blocks as the side can be halved, rounding down, while it is at least 4: 4 for 32 pixels, 3 for 28, 2 for 8.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import SettingsError

Shape = tuple[int, int, int]  # channels, height, width
Carry = Callable[[nn.Module, Tensor], Tensor]  # runs one flow, given by its field, on maps
SMALLEST = 4  # the least side of a grid that is worth a block


def squeeze(x: Float[Tensor, "batch channels y x"]) -> Float[Tensor, "batch four_channels half_y half_x"]:
    """Return the four pixels of every 2x2 square as channels, row by row, those of one channel beside each other."""
    return F.pixel_unshuffle(x, 2)


def unsqueeze(x: Float[Tensor, "batch four_channels half_y half_x"]) -> Float[Tensor, "batch channels y x"]:
    """Return what `squeeze` was given."""
    return F.pixel_shuffle(x, 2)


def squeezed(shape: Shape) -> Shape:
    """Return the shape that a squeeze makes. Raises `SettingsError` for odd sides."""
    channels, height, width = shape
    if height % 2 or width % 2:
        raise SettingsError(
            f"a {height} x {width} grid cannot be squeezed, its sides are not even: pad or crop the images, or take fewer scales"
        )
    return 4 * channels, height // 2, width // 2


def entered_shapes(shape: Shape, scales: int | None = None) -> list[Shape]:
    """Return the shapes that the blocks are entered with: `scales` of them, or as many as the grid is good for.

    Raises `SettingsError` where a grid would have to be squeezed whose sides are odd, and for images too small for `scales`.
    """
    most, side = 0, min(shape[1:])
    while side >= SMALLEST:
        most, side = most + 1, side // 2
    if not 1 <= (scales := most if scales is None else scales) <= most:
        raise SettingsError(f"{scales} scales asked for, but images of {shape[1]} x {shape[2]} have 1 to {most}")
    shapes = [shape]
    for _ in range(scales - 1):
        channels, height, width = squeezed(shapes[-1])
        shapes.append((channels // 2, height, width))
    return shapes


class Multiscale(nn.Module):
    """The fields of all flows, and the way through them from an image to its latent and back."""

    def __init__(self, shape: Shape, flows: int, field: Callable[[Shape], nn.Module], scales: int | None = None) -> None:
        super().__init__()
        self.shapes = entered_shapes(shape, scales)
        self.before = nn.ModuleList(nn.ModuleList(field(each) for _ in range(flows)) for each in self.shapes)
        self.after = nn.ModuleList(nn.ModuleList(field(squeezed(each)) for _ in range(flows)) for each in self.shapes[:-1])

    def encode(self, y: Float[Tensor, "batch channels y x"], carry: Carry) -> Float[Tensor, "batch dim"]:
        """Return the latent: the halves that the blocks gave, first block first, and what the last one made."""
        parts = []
        for before, after in zip(self.before, [*self.after, None]):
            for field in before:
                y = carry(field, y)
            if after is not None:
                y = squeeze(y)
                for field in after:
                    y = carry(field, y)
                y, given = y.chunk(2, dim=1)
                parts.append(given)
        return torch.cat([part.flatten(1) for part in (*parts, y)], dim=1)

    def decode(self, latent: Float[Tensor, "batch dim"], carry: Carry) -> Float[Tensor, "batch channels y x"]:
        """Return the image of a latent; `carry` runs a flow backwards."""
        *given, y = self._parts(latent)
        for before, after in zip(reversed(self.before), [None, *reversed(self.after)]):
            if after is not None:
                y = torch.cat([y, given.pop()], dim=1)
                for field in reversed(after):
                    y = carry(field, y)
                y = unsqueeze(y)
            for field in reversed(before):
                y = carry(field, y)
        return y

    def _parts(self, latent: Tensor) -> list[Tensor]:
        # what a block gives has the shape of what it passes on
        shapes = [*self.shapes[1:], self.shapes[-1]]
        parts = latent.split([channels * height * width for channels, height, width in shapes], dim=1)
        return [part.unflatten(1, shape) for part, shape in zip(parts, shapes)]
