"""Flows of a posterior: from z_0 ~ N(mu(x), sigma^2(x)) to z_K, with log|det dz_K/dz_0|.

A flow is a module `flow(z, feature, generator=None, exact=True) -> Moved`. The encoder's feature amortises its parameters; an
estimate of the determinant draws from `generator`, where not `exact`. Here: none, planar, and the orthogonal Sylvester flow.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn.functional import softplus


class Moved(NamedTuple):
    """z_K, log|det dz_K/dz_0|, and the evaluations of a field that it took (0 where there is none)."""

    z: Float[Tensor, "batch latent"]
    log_det: Float[Tensor, " batch"]
    nfe: int = 0


class NoFlow(nn.Module):
    """The identity: a Gaussian posterior."""

    def forward(
        self, z: Float[Tensor, "batch latent"], feature: Tensor, generator: Generator | None = None, exact: bool = True
    ) -> Moved:
        """Return z itself."""
        return Moved(z, z.new_zeros(len(z)))


class AmortisedPlanar(nn.Module):
    """K planar steps z + û tanh(w . z + b), all of u, w, b linear in the feature (Rezende & Mohamed 2015, eq. 10-12)."""

    def __init__(self, latent: int, features: int, flows: int) -> None:
        super().__init__()
        self.flows, self.sizes = flows, [latent, latent, 1]
        self.amortised = nn.Linear(features, flows * sum(self.sizes))

    def parameters_of(self, feature: Float[Tensor, "batch features"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return û, w [batch, flows, latent], and b and û . w [batch, flows, 1]; û . w > -1 makes a step invertible."""
        u, w, b = self.amortised(feature).unflatten(1, (self.flows, -1)).split(self.sizes, 2)
        overlap = (u * w).sum(2, keepdim=True)
        allowed = softplus(overlap) - 1
        return u + (allowed - overlap) * w / w.square().sum(2, keepdim=True), w, b, allowed

    def forward(
        self, z: Float[Tensor, "batch latent"], feature: Tensor, generator: Generator | None = None, exact: bool = True
    ) -> Moved:
        """Return the steps' image of z, and sum_k log(1 + (1 - tanh^2) û_k . w_k)."""
        u, w, b, overlap = self.parameters_of(feature)
        hidden = []
        for u_k, w_k, b_k in zip(u.unbind(1), w.unbind(1), b.unbind(1)):
            hidden.append(torch.tanh((w_k * z).sum(1, keepdim=True) + b_k))
            z = torch.addcmul(z, u_k, hidden[-1])
        slopes = 1 - torch.stack(hidden, 1).square()
        return Moved(z, torch.log1p(slopes * overlap).sum((1, 2)))


class AmortisedSylvester(nn.Module):
    """K steps z + Q R tanh(R' Q^T z + b), everything amortised (van den Berg et al. 2018, orthogonal flow, eq. 13-14).

    R and R' are upper triangular with diagonals in (-1, 1), which makes a step invertible; above the diagonals they share one
    matrix, R its upper and R' its lower half. Q's `columns` orthonormal columns are those of Gram and Schmidt (by QR), where the
    authors iterate towards an orthogonal matrix: exact, and a tenth of the time.
    """

    def __init__(self, latent: int, features: int, flows: int, columns: int) -> None:
        super().__init__()
        self.flows, self.columns, self.latent = flows, columns, latent
        self.sizes = [latent * columns, columns * columns, columns, columns, columns]
        self.amortised = nn.Linear(features, flows * sum(self.sizes))

    def parameters_of(self, feature: Float[Tensor, "batch features"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return Q [batch, flows, latent, columns], R and R' [batch, flows, columns, columns], b [batch, flows, 1, columns]."""
        q, full, first, second, b = self.amortised(feature).unflatten(1, (self.flows, -1)).split(self.sizes, 2)
        full = full.unflatten(2, (self.columns, -1))
        r, r_inner = full.triu(1) + torch.diag_embed(first.tanh()), full.mT.triu(1) + torch.diag_embed(second.tanh())
        return orthonormal(q.unflatten(2, (self.latent, -1))), r, r_inner, b[:, :, None]

    def forward(
        self, z: Float[Tensor, "batch latent"], feature: Tensor, generator: Generator | None = None, exact: bool = True
    ) -> Moved:
        """Return the steps' image of z, and the sum of log(1 + (1 - tanh^2) r_ii r'_ii) over steps and columns."""
        q, r, r_inner, b = self.parameters_of(feature)
        into, out_of = q @ r_inner.mT, (q @ r).mT  # as rows: z^T Q R'^T and tanh(.)^T R^T Q^T
        row, hidden = z[:, None], []
        for into_k, out_k, b_k in zip(into.unbind(1), out_of.unbind(1), b.unbind(1)):
            hidden.append(torch.tanh(torch.baddbmm(b_k, row, into_k)))
            row = torch.baddbmm(row, hidden[-1], out_k)
        diagonals = r.diagonal(dim1=2, dim2=3) * r_inner.diagonal(dim1=2, dim2=3)
        slopes = 1 - torch.cat(hidden, 1).square()
        return Moved(row[:, 0], torch.log1p(slopes * diagonals).sum((1, 2)))


def orthonormal(matrices: Float[Tensor, "*batch rows columns"]) -> Float[Tensor, "*batch rows columns"]:
    """Return Gram and Schmidt's orthonormal columns, which unlike those of a bare QR do not jump from sign to sign."""
    q, r = torch.linalg.qr(matrices)
    return q * r.diagonal(dim1=-2, dim2=-1).sign()[..., None, :]
