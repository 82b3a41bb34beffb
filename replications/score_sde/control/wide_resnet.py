"""The wide residual network that tells classes of noisy images (Zagoruyko & Komodakis 2016, as in Song 2021, App. I.1).

Three groups of blocks at full, half and quarter resolution, of 16, 32 and 64 times `width` channels; `depth` counts convolutions,
6 n + 4 of them with n blocks in a group. Group normalisation stands for batch normalisation, so that an image's logits do not
depend on its neighbours; images are standardised one by one, which hides how noisy they are, and ln sigma tells every block.
"""

from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from replications.score_sde.networks.embeddings import FourierEmbedding

FREQUENCIES, TOLD = 128, 512  # of the embedding of ln sigma, and its size after two layers


def normalised(channels: int) -> nn.GroupNorm:
    """Return the group normalisation of four channels a group, at most 32 groups."""
    return nn.GroupNorm(min(channels // 4, 32), channels)


class WideBlock(nn.Module):
    """Two 3x3 convolutions behind normalisation and ReLU; the shortcut is averaged to the new size and padded with zeros."""

    def __init__(self, inputs: int, channels: int, stride: int, *, first: bool) -> None:
        super().__init__()
        self.stride, self.missing, self.first = stride, channels - inputs, first
        self.norm1, self.norm2 = normalised(inputs), normalised(channels)
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.told = nn.Linear(TOLD, channels)
        for convolution in (self.conv1, self.conv2):
            nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Float[Tensor, "n a h w"], told: Float[Tensor, "times m"]) -> Float[Tensor, "n b y x"]:
        """Return the block's output; the network's first block activates before its shortcut branches off."""
        h = F.relu(self.norm1(x))
        shortcut = h if self.first else x
        h = self.conv1(h) + self.told(F.silu(told))[:, :, None, None]
        h = self.conv2(F.relu(self.norm2(h)))
        if self.stride > 1:
            shortcut = F.avg_pool2d(shortcut, self.stride, ceil_mode=True)
        return h + F.pad(shortcut, (0, 0, 0, 0, 0, self.missing))


class WideResNet(nn.Module):
    """`net(x, ln sigma)`: logits of images of any size."""

    def __init__(self, channels: int, classes: int, *, depth: int, width: int) -> None:
        super().__init__()
        self.embed = FourierEmbedding(2 * FREQUENCIES, scale=16.0)
        self.told = nn.Sequential(nn.Linear(2 * FREQUENCIES, TOLD), nn.SiLU(), nn.Linear(TOLD, TOLD))
        self.enter = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.blocks, inputs = nn.ModuleList(), 16
        for outputs, stride in ((16 * width, 1), (32 * width, 2), (64 * width, 2)):
            for number in range((depth - 4) // 6):
                first = len(self.blocks) == 0
                self.blocks.append(WideBlock(inputs, outputs, stride if number == 0 else 1, first=first))
                inputs = outputs
        self.norm = normalised(inputs)
        self.classify = nn.Linear(inputs, classes)

    def forward(self, x: Float[Tensor, "n c h w"], log_sigma: Float[Tensor, " times"]) -> Float[Tensor, "n classes"]:
        """Return the logits; log_sigma is each image's, or [1], that of all."""
        told, h = self.told(self.embed(log_sigma)), self.enter(standardised(x))
        for block in self.blocks:
            h = block(h, told)
        return self.classify(F.relu(self.norm(h)).mean((2, 3)))


def standardised(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Return every image with mean 0 and standard deviation 1; a flat one is not blown up."""
    centred = x - x.mean((1, 2, 3), keepdim=True)
    std = torch.sqrt(centred.square().mean((1, 2, 3), keepdim=True))
    return centred / std.clamp(min=prod(x.shape[1:]) ** -0.5)
