"""One resolution of a U-Net, on the way down and on the way up."""

import torch
from torch import Tensor, nn

from replications.score_sde.networks.attention import Attention
from replications.score_sde.networks.blocks import ResidualBlock


class Attended(nn.Module):
    """A residual block, and attention after it where its resolution has any."""

    def __init__(self, block: ResidualBlock, attention: Attention | None) -> None:
        super().__init__()
        self.block, self.attention = block, attention

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """Return the maps."""
        x = self.block(x, emb)
        return x if self.attention is None else self.attention(x)


class DownStage(nn.Module):
    """The blocks of one resolution and, but for the lowest, the way to half of it."""

    def __init__(self, blocks: list[Attended], change: nn.Module | None, beside: nn.Module | None) -> None:
        super().__init__()
        self.blocks, self.change, self.beside = nn.ModuleList(blocks), change, beside

    def forward(self, h: Tensor, path: Tensor, emb: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return every maps that the way up is given, the last of which go on, and the path beside."""
        kept = []
        for block in self.blocks:
            kept.append(h := block(h, emb))
        if self.change is not None:
            h = self.change(h, emb)
            if self.beside is not None:
                h, path = self.beside(h, path)
            kept.append(h)
        return kept, path


class UpStage(nn.Module):
    """The blocks of one resolution, attention after the last, and, but for the highest, the way to twice of it."""

    def __init__(
        self, blocks: list[ResidualBlock], attention: Attention | None, beside: nn.Module | None, change: nn.Module | None
    ) -> None:
        super().__init__()
        self.blocks, self.attention, self.beside, self.change = nn.ModuleList(blocks), attention, beside, change

    def forward(self, h: Tensor, kept: list[Tensor], path: Tensor | None, emb: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the maps and the path beside; takes its share of what was kept, from the end."""
        for block in self.blocks:
            h = block(torch.cat([h, kept.pop()], 1), emb)
        if self.attention is not None:
            h = self.attention(h)
        if self.beside is not None:
            h, path = self.beside(h, path)
        return (h if self.change is None else self.change(h, emb)), path
