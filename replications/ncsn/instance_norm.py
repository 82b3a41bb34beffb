"""InstanceNorm++ of each noise level (NCSN, appendix A.1): an instance norm that does not forget the means of its maps."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import SettingsError

EPS = 1e-5


class InstanceNormPlus(nn.Module):
    """z_k = gamma_k ((x_k - mu_k) / s_k + alpha_k (mu_k - m) / v) + beta_k with gamma, alpha, beta of the noise level.

    mu_k, s_k: mean and standard deviation of map k over its pixels; m, v: those of the means mu over the channels of the sample,
    the variance under v being the unbiased one. As the authors trained it, alpha is multiplied by gamma too, which their
    equation does not do. A norm that knows no noise level is one of one level. Raises `SettingsError` for one channel, which has
    no variance of means.
    """

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        if channels < 2:
            raise SettingsError(f"backbone.filters: InstanceNorm++ compares the means of channels, so it needs 2, not {channels}")
        self.table = nn.Embedding(levels, 3 * channels)
        nn.init.normal_(self.table.weight[:, : 2 * channels], mean=1.0, std=0.02)
        nn.init.zeros_(self.table.weight[:, 2 * channels :])

    def forward(
        self, x: Float[Tensor, "batch channels height width"], level: Int[Tensor, " times"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Return x normalised; level is the index of each sample's noise level, or [1], the level of all."""
        batch, channels, height, width = x.shape
        gamma, alpha, beta = self.table(level).chunk(3, dim=1)
        # not x.mean: the way back through a sum copies nothing
        mu = x.sum((2, 3)) / (height * width)
        variance, m = torch.var_mean(mu, 1, keepdim=True)
        shift = torch.addcmul(beta, gamma * alpha, (mu - m) * torch.rsqrt(variance + EPS))
        # every map of every sample is a group with its own scale and shift, so that one pass over the pixels does all of it
        maps, scale = x.reshape(1, batch * channels, height, width), gamma.expand(batch, channels).reshape(-1)
        return F.group_norm(maps, batch * channels, scale, shift.reshape(-1), EPS).reshape(x.shape)
