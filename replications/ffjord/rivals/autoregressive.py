"""The autoregressive rival, MAF (Papamakarios et al. 2017) as zuko has it, and what every flow must beat: one Gaussian.

Both have the two functions of the flows: `log_density` in nats and `sample`.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Generator, Tensor, nn

from common.dynamics.paths import STANDARD_NORMAL
from common.errors import DataError
from common.learning.nets.build import seeded
from common.runs.settings import Settings


class MAFSettings(Settings):
    """Masked autoregressive transforms one after another, the columns' order reversed between them."""

    transforms: PositiveInt = 5
    hidden: tuple[PositiveInt, ...] = (64, 64)

    def build(self, dim: int, *, generator: Generator) -> "MAF":
        """Return an untrained flow on `dim` columns; the global random state stays as it was."""
        seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
        return seeded(seed, lambda: MAF(dim, self))


class MAF(nn.Module):
    """A masked autoregressive flow: one pass for a density, one per column for a sample."""

    def __init__(self, dim: int, settings: MAFSettings) -> None:
        super().__init__()
        from zuko.flows import MAF

        self.dim = dim
        self.flow = MAF(dim, transforms=settings.transforms, hidden_features=settings.hidden)

    def log_density(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, " batch"]:
        """Return the log-density at x in nats."""
        return self.flow().log_prob(x)

    @torch.no_grad()
    def sample(self, n: int, *, generator: Generator) -> Float[Tensor, "n dim"]:
        """Return n points drawn from the flow."""
        like = next(self.parameters())
        z = torch.randn(n, self.dim, generator=generator, device=generator.device, dtype=like.dtype)
        return self.flow().transform.inv(z.to(like.device))


@dataclass(frozen=True)
class Gaussian:
    """N(mean, factor factor^T), factor lower triangular: the linear autoregressive flow."""

    mean: Float[Tensor, " dim"]
    factor: Float[Tensor, "dim dim"]

    def log_density(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, " batch"]:
        """Return the log-density at x in nats."""
        z = torch.linalg.solve_triangular(self.factor, (x.to(self.mean) - self.mean).T, upper=False).T
        return STANDARD_NORMAL.prior_log_density(z) - self.factor.diagonal().log().sum()

    def sample(self, n: int, *, generator: Generator) -> Float[Tensor, "n dim"]:
        """Return n points drawn from it."""
        z = torch.randn(n, len(self.mean), generator=generator, device=generator.device, dtype=self.mean.dtype)
        return self.mean + z.to(self.mean.device) @ self.factor.T


def fit_gaussian(x: Float[Tensor, "batch dim"]) -> Gaussian:
    """Return the Gaussian of greatest likelihood, in float64: the rows' mean and covariance.

    Raises `DataError` where the covariance is singular.
    """
    rows = x.double()
    factor, failed = torch.linalg.cholesky_ex(rows.T.cov(correction=0).reshape(x.shape[1], -1))
    # the diagonal is what a column has that those before it do not say; what rounding leaves of nothing is no variance
    if failed or not (factor.diagonal() > 1e-7 * rows.std(0)).all():
        raise DataError(
            f"no Gaussian has the covariance of {len(x)} rows of {x.shape[1]} columns: some column follows from others"
        )
    return Gaussian(rows.mean(0), factor)
