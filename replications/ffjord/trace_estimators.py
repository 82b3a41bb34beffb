"""Unbiased estimates of a trace, and how far they scatter (Grathwohl 2018, Section 3.1).

    Hutchinson    tr A = E[e^T A e],  E[e] = 0, Cov[e] = I                            (eq. 7)
    bottleneck    f = g(h(z)):  tr(df/dz) = E[e^T (dh/dz) (dg/dh) e],  e as wide as h  (eq. 9)

With the symmetric part S = (A + A^T) / 2 the variances are 2 |S|_F^2 for Gaussian e and 2 (|S|_F^2 - sum_i A_ii^2) for random
signs, never more. The bottleneck's are the same of the smaller product A = (dh/dz) (dg/dh).

A probe is drawn once per solve and kept: with a fresh one at every evaluation the right-hand side would be another function each
time, and an adaptive solver would stall.
"""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.divergence import (
    DivergenceField,
    Field,
    gaussian_probe,
    rademacher,
    with_exact_divergence,
    with_hutchinson,
)
from common.errors import SolverError

Noise = Literal["gaussian", "rademacher"]
Inner = Callable[[Tensor, Tensor], Tensor]  # h(t, z) -> hidden [batch, *width], or g(t, hidden) -> dz/dt


def draw(noise: Noise, like: Float[Tensor, "batch *shape"], *, generator: Generator | None) -> Float[Tensor, "batch *shape"]:
    """Return the probe of one solve, of `like`'s shape. Raises `SolverError` without a generator."""
    if generator is None:
        raise SolverError("an estimated trace draws a probe: pass a generator")
    return {"gaussian": gaussian_probe, "rademacher": rademacher}[noise](like, generator=generator)


def with_trace(
    field: Field, z: Float[Tensor, "batch *shape"], trace: Literal["exact"] | Noise, *, generator: Generator | None = None
) -> DivergenceField:
    """Return any field with its trace beside its value, for one solve from z: exact, or by one probe."""
    if trace == "exact":
        return with_exact_divergence(field)
    return with_hutchinson(field, draw(trace, z, generator=generator))


def with_bottleneck(h: Inner, g: Inner, probe: Float[Tensor, "batch *width"]) -> DivergenceField:
    """Return the field g(h(z)) with the bottleneck's estimate beside its value; the probe has the shape of h's value."""
    return lambda t, z: bottleneck_divergence(h, g, t, z, probe)


def bottleneck_divergence(
    h: Inner, g: Inner, t: Tensor, z: Float[Tensor, "batch *shape"], probe: Float[Tensor, "batch *width"]
) -> tuple[Float[Tensor, "batch *shape"], Float[Tensor, " batch"]]:
    """Return g(h(z)) and e^T (dh/dz) (dg/dh) e by two chained vector-Jacobian products, e^T dh/dz first."""
    trained = torch.is_grad_enabled()
    with torch.enable_grad():
        state = z if z.requires_grad else z.detach().requires_grad_()
        hidden = h(t, state)
        value = g(t, hidden)
        probe = probe.to(hidden)
        (through_h,) = torch.autograd.grad(hidden, state, probe, create_graph=trained, retain_graph=True, materialize_grads=True)
        (product,) = torch.autograd.grad(value, hidden, through_h, create_graph=trained, materialize_grads=True)
    return value if trained else value.detach(), (product * probe).flatten(1).sum(1)


def estimate(a: Float[Tensor, "*batch n n"], probes: Float[Tensor, "count *batch n"]) -> Float[Tensor, "count *batch"]:
    """Return e^T A e for every probe."""
    return torch.einsum("...i,...ij,...j->...", probes, a, probes)


def hutchinson_variance(jacobian: Float[Tensor, "*batch n n"], noise: Noise) -> Float[Tensor, "*batch"]:
    """Return the variance of e^T A e."""
    symmetric = (jacobian + jacobian.mT) / 2
    square = symmetric.square().sum((-2, -1))
    if noise == "rademacher":
        square = square - jacobian.diagonal(dim1=-2, dim2=-1).square().sum(-1)
    return 2 * square


def bottleneck_variance(
    of_h: Float[Tensor, "*batch width n"], of_g: Float[Tensor, "*batch n width"], noise: Noise
) -> Float[Tensor, "*batch"]:
    """Return the variance of the bottleneck's estimate, from the Jacobians dh/dz and dg/dh."""
    return hutchinson_variance(of_h @ of_g, noise)
