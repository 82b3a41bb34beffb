"""Self-attention over the positions of a feature map, with one head as wide as the map."""

from torch import nn
from torch.nn import functional as F

from replications.score_sde.networks.blocks import NOTHING, initialise, linear, merged, norm
from replications.score_sde.networks.fir import Maps


class Attention(nn.Module):
    """norm - queries, keys and values - attention - linear layer, plus the input."""

    def __init__(self, channels: int, *, rescale: bool) -> None:
        super().__init__()
        self.rescale, self.norm = rescale, norm(channels)
        self.qkv, self.out = linear(channels, 3 * channels), linear(channels, channels)
        # three layers of `channels` outputs each, in one product
        initialise(self.qkv, 0.1 / channels)
        initialise(self.out, NOTHING / channels)

    def forward(self, x: Maps) -> Maps:
        """Return x plus what its positions attend to."""
        positions = self.norm(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(positions).unsqueeze(1).chunk(3, dim=-1)
        mixed = F.scaled_dot_product_attention(q, k, v).squeeze(1)
        return merged(x, self.out(mixed).transpose(1, 2).reshape(x.shape), self.rescale)
