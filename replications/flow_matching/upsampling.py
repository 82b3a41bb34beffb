"""Conditional up-sampling: flow matching whose network also sees the enlarged small image (Section 6.3, Table 2).

The path is the unconditional one, from noise to the large image; only the network's input changes. The rival has the same
network and data and regresses the large image itself, so it answers with the mean of all images that fit: near in every pixel,
and blurred.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from common.learning.objectives import Objective, regression_loss


def shrink_and_enlarge(images: Float[Tensor, "batch c h w"], factor: int) -> Float[Tensor, "batch c h w"]:
    """Return images averaged over factor x factor pixels, each average repeated: the small image at the large one's size."""
    small = F.avg_pool2d(images, factor)
    return small.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)


class Conditioned(nn.Module):
    """A network of twice the channels, given the condition beside the state: `net(x, t)` for one fixed batch of conditions."""

    def __init__(self, network: nn.Module, condition: Float[Tensor, "batch c h w"]) -> None:
        super().__init__()
        self.network, self.condition = network, condition

    def forward(self, x: Float[Tensor, "batch c h w"], t: Float[Tensor, " times"]) -> Float[Tensor, "batch c h w"]:
        """Return the network's answer for x; what it says of the condition is dropped."""
        return self.network(torch.cat([x, self.condition.to(x)], 1), t)[:, : x.shape[1]]


def matching_loss(
    network: nn.Module,
    objective: Objective,
    x0: Float[Tensor, "batch c h w"],
    condition: Float[Tensor, "batch c h w"],
    *,
    t: Float[Tensor, " batch"],
    noise: Float[Tensor, "batch c h w"],
) -> Float[Tensor, ""]:
    """Return the conditional flow-matching loss given the small image."""
    return regression_loss(Conditioned(network, condition), objective, x0, t=t, noise=noise).mean()


def regression(network: nn.Module, condition: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c h w"]:
    """Return the rival's large image: one evaluation, no noise, no time."""
    zeros = torch.zeros_like(condition)
    return Conditioned(network, condition)(zeros, zeros.new_zeros(len(zeros)))


def regressor_loss(
    network: nn.Module, x0: Float[Tensor, "batch c h w"], condition: Float[Tensor, "batch c h w"]
) -> Float[Tensor, ""]:
    """Return the mean squared error of the rival."""
    return (regression(network, condition) - x0).square().mean()


def psnr(images: Float[Tensor, "n c h w"], truth: Float[Tensor, "n c h w"]) -> float:
    """Return the peak signal-to-noise ratio in dB of all images together, for pixels in [-1, 1] (peak 2).

    Of the mean squared error over all pixels: a sample of the true posterior then loses exactly 10 log10(2) = 3.01 dB against the
    posterior's mean, whose squared error is the posterior's variance where the sample's is twice that.
    """
    return float(10 * torch.log10(4 / (images - truth).square().mean()))
