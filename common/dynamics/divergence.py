"""The divergence of a field, exactly or by Hutchinson's estimator, with the field's value from the same pass.

    exact       sum_i e_i^T J e_i, one vector-Jacobian product per dimension, batched by vmap
    Hutchinson  v^T J v with E[v v^T] = I: unbiased, one product whatever the dimension (Hutchinson 1989; FFJORD, eq. 7)

Reverse mode evaluates the field once for all products, and unlike forward mode knows fused attention. Both can be differentiated,
as training a flow needs.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Generator, Tensor

Field = Callable[[Tensor, Tensor], Tensor]  # field(t, x) -> dx/dt, x [batch, *shape]
DivergenceField = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # field(t, x) -> dx/dt and its divergence


def with_exact_divergence(field: Field, *, chunk: int | None = None) -> DivergenceField:
    """Return a field that gives its exact divergence beside its value."""
    return lambda t, x: exact_divergence(field, t, x, chunk=chunk)


def with_hutchinson(field: Field, probe: Float[Tensor, "batch *shape"]) -> DivergenceField:
    """Return a field that gives Hutchinson's estimate beside its value, by the one probe of a solve."""
    return lambda t, x: hutchinson_divergence(field, t, x, probe.to(x))


def exact_divergence(
    field: Field, t: Tensor, x: Float[Tensor, "batch *shape"], *, chunk: int | None = None
) -> tuple[Float[Tensor, "batch *shape"], Float[Tensor, " batch"]]:
    """Return field(t, x) and its divergence; `chunk` bounds how many dimensions are held in memory at once."""
    dim = x[0].numel()
    basis = torch.eye(dim, dtype=x.dtype, device=x.device).reshape(dim, 1, *x.shape[1:])
    value, pull_back = torch.func.vjp(lambda state: field(t, state), x)

    def partial(direction: Tensor) -> Tensor:
        (product,) = pull_back(direction.expand_as(x))
        return (product * direction).flatten(1).sum(1)

    return value, torch.func.vmap(partial, chunk_size=chunk)(basis).sum(0)


def hutchinson_divergence(
    field: Field, t: Tensor, x: Float[Tensor, "batch *shape"], probe: Float[Tensor, "batch *shape"]
) -> tuple[Float[Tensor, "batch *shape"], Float[Tensor, " batch"]]:
    """Return field(t, x) and v^T J v. The probe must stay the same for all evaluations of one solve."""
    trained = torch.is_grad_enabled()
    with torch.enable_grad():
        state = x if x.requires_grad else x.detach().requires_grad_()
        value = field(t, state)
        # not torch.func.vjp: its wrapped tensors cost a tenth of an evaluation, and its import more than a second
        (product,) = torch.autograd.grad(value, state, probe, create_graph=trained, materialize_grads=True)
    return value if trained else value.detach(), (product * probe).flatten(1).sum(1)


def rademacher(x: Float[Tensor, "batch *shape"], *, generator: Generator) -> Float[Tensor, "batch *shape"]:
    """Return random signs of x's shape, dtype and device; their estimator never has more variance than Gaussian probes'."""
    bits = torch.randint(0, 2, x.shape, generator=generator, device=generator.device)
    return (2 * bits - 1).to(x)


def gaussian_probe(x: Float[Tensor, "batch *shape"], *, generator: Generator) -> Float[Tensor, "batch *shape"]:
    """Return standard normal probes of x's shape, dtype and device."""
    return torch.randn(x.shape, generator=generator, device=generator.device, dtype=x.dtype).to(x)
