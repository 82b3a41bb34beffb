import pytest
import torch
from torch import nn

from common.dynamics.divergence import exact_divergence, gaussian_probe, hutchinson_divergence, rademacher

F64 = torch.float64
T = torch.tensor(0.3, dtype=F64)


def network(dim, seed=1):
    net = nn.Sequential(nn.Linear(dim, 16), nn.Tanh(), nn.Linear(16, dim)).double()
    weights = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5, generator=weights)
    return net


def field_of(net):
    return lambda t, x: net(x.flatten(1)).reshape(x.shape) * (1 + t)


def traces(field, x):
    """Traces by autograd, one Jacobian per sample."""
    jacobians = [torch.autograd.functional.jacobian(lambda row: field(T, row[None])[0], row, create_graph=True) for row in x]
    return torch.stack([jacobian.reshape(row.numel(), -1).trace() for jacobian, row in zip(jacobians, x)])


@pytest.mark.parametrize("chunk", [None, 1, 4, 100])
@pytest.mark.parametrize("shape", [(5,), (1, 2, 3)])
def test_exact_divergence_is_the_trace_of_the_jacobian(shape, chunk, draw):
    x = draw(3, *shape)
    field = field_of(network(x[0].numel()))
    value, divergence = exact_divergence(field, T, x, chunk=chunk)
    torch.testing.assert_close(value, field(T, x))
    torch.testing.assert_close(divergence, traces(field, x))


def test_linear_field(draw):
    matrix, x = draw(4, 4), draw(6, 4)
    _, divergence = exact_divergence(lambda t, state: state @ matrix.T, T, x)
    torch.testing.assert_close(divergence, matrix.trace().expand(6))
    probe = draw(6, 4)
    value, estimate = hutchinson_divergence(lambda t, state: state @ matrix.T, T, x, probe)
    torch.testing.assert_close(value, x @ matrix.T)
    torch.testing.assert_close(estimate, torch.einsum("bi,ij,bj->b", probe, matrix, probe))


@pytest.mark.parametrize("probe_of", [rademacher, gaussian_probe])
def test_hutchinson_is_unbiased_with_the_known_variance(probe_of, rng, draw):
    """Var = 2 |S|_F^2 with S the symmetric part of J; without S's diagonal for random signs."""
    matrix, n = draw(4, 4), 40000
    x = torch.zeros(n, 4, dtype=F64)
    _, estimates = hutchinson_divergence(lambda t, state: state @ matrix.T, T, x, probe_of(x, generator=rng))
    symmetric = (matrix + matrix.T) / 2
    if probe_of is rademacher:
        symmetric = symmetric - symmetric.diagonal().diag()
    variance = 2 * symmetric.square().sum()
    assert abs(estimates.mean() - matrix.trace()) < 4 * (variance / n).sqrt()
    assert estimates.var() == pytest.approx(float(variance), rel=0.1)


def test_probes(rng):
    x = torch.zeros(1000, 1, 2, 2)
    signs = rademacher(x, generator=rng)
    assert (signs.shape, signs.dtype) == (x.shape, x.dtype)
    assert torch.equal(signs.abs(), torch.ones_like(x))
    assert abs(signs.mean()) < 4 / 4000**0.5
    state = torch.get_rng_state()
    assert torch.equal(rademacher(x, generator=rng.manual_seed(3)), rademacher(x, generator=rng.manual_seed(3)))
    assert gaussian_probe(x, generator=rng).std() == pytest.approx(1, abs=0.05)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("estimator", ["exact", "hutchinson"])
def test_divergence_can_be_trained_on(estimator, draw):
    net, x = network(3), draw(4, 3)
    field, parameters = field_of(net), list(net.parameters())
    if estimator == "exact":
        loss, expected = exact_divergence(field, T, x)[1].sum(), traces(field, x).sum()
    else:
        probe = draw(4, 3)
        loss = hutchinson_divergence(field, T, x, probe)[1].sum()
        rows = [torch.autograd.functional.jacobian(lambda row: field(T, row[None])[0], row, create_graph=True) for row in x]
        expected = sum(p @ jacobian @ p for p, jacobian in zip(probe, rows))
    # the last bias moves the value, not the divergence
    for ours, theirs in zip(torch.autograd.grad(loss, parameters[:3]), torch.autograd.grad(expected, parameters[:3])):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("grad", [True, False])
def test_fused_attention_is_no_obstacle(grad, draw):
    x = draw(2, 4, 8, 4).float()

    def attention(t, state):
        return nn.functional.scaled_dot_product_attention(state, state, state)

    with torch.set_grad_enabled(grad):
        _, divergence = exact_divergence(attention, T, x, chunk=16)
    torch.testing.assert_close(
        divergence, traces(lambda t, row: attention(t, row.double()), x.double()).float(), rtol=1e-4, atol=1e-4
    )
