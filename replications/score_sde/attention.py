"""Self-attention over the positions of a feature map, with one head as wide as the map."""

import torch
from torch import nn
from torch.nn import functional as F

from replications.score_sde.blocks import NOTHING, conv, initialise, merged, norm
from replications.score_sde.fir import Maps


class Attention(nn.Module):
    """norm - queries, keys and values - attention - 1x1 convolution, plus the input."""

    def __init__(self, channels: int, *, rescale: bool) -> None:
        super().__init__()
        self.rescale, self.norm = rescale, norm(channels)
        self.qkv = conv(channels, 3 * channels, kernel=1)
        # three layers of `channels` outputs each, in one product
        initialise(self.qkv, 0.1 / channels)
        self.out = conv(channels, channels, kernel=1, scale=NOTHING)

    def forward(self, x: Maps) -> Maps:
        """Return x plus what its positions attend to."""
        q, k, v = self.qkv(self.norm(x)).flatten(2).transpose(1, 2).unsqueeze(1).chunk(3, dim=-1)
        mixed: torch.Tensor = F.scaled_dot_product_attention(q, k, v)
        return merged(x, self.out(mixed.squeeze(1).transpose(1, 2).reshape(x.shape)), self.rescale)
