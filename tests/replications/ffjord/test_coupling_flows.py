"""Coupling flows against autograd's determinants, their own inverse and quadrature."""

import math

import pytest
import torch
from torch.nn.functional import logsigmoid

from common.errors import SettingsError
from replications.ffjord.rivals.coupling_flows import CouplingSettings

KINDS = [(linear, scale) for linear in (False, True) for scale in ("sigmoid", "tanh")]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def trained(dim, linear, scale="tanh", layers=4, hidden=(7, 5)):
    """A flow with weights that training could have led to: none is zero, and no two networks are alike."""
    flow = CouplingSettings(linear=linear, layers=layers, hidden=hidden, scale=scale).build(dim, generator=generator()).double()
    with torch.no_grad():
        for each in flow.parameters():
            each += 0.3 * torch.randn(each.shape, generator=generator(each.numel()), dtype=torch.float64)
    return flow


def points(n, dim):
    return 1.5 * torch.randn(n, dim, generator=generator(1), dtype=torch.float64)


def jacobian(flow, x):
    return torch.func.vmap(torch.func.jacrev(lambda point: flow.to_base(point[None])[0][0]))(x)


@pytest.mark.parametrize(("linear", "scale"), KINDS)
@pytest.mark.parametrize(("dim", "layers"), [(2, 4), (3, 1), (5, 3)])
def test_log_determinants_are_autograds(linear, scale, dim, layers):
    flow, x = trained(dim, linear, scale, layers), points(6, dim)
    torch.testing.assert_close(flow.to_base(x)[1], torch.linalg.slogdet(jacobian(flow, x)).logabsdet)


@pytest.mark.parametrize(("linear", "scale"), KINDS)
@pytest.mark.parametrize("dim", [2, 5])
def test_there_and_back(linear, scale, dim):
    flow, x = trained(dim, linear, scale), points(50, dim)
    torch.testing.assert_close(flow.from_base(flow.to_base(x)[0]), x, rtol=0, atol=1e-9)


@pytest.mark.parametrize("linear", [False, True])
def test_a_float32_flow_of_ten_layers_comes_back(linear):
    flow = CouplingSettings(linear=linear).build(8, generator=generator())
    x = points(50, 8).float()
    assert (flow.from_base(flow.to_base(x)[0]) - x).abs().max() < 1e-5


@pytest.mark.parametrize(("linear", "scale"), KINDS)
def test_the_density_integrates_to_one(linear, scale):
    flow = trained(2, linear, scale)
    sample = flow.sample(2000, generator=generator(3))
    centre, spread = sample.mean(0), sample.std(0)
    along = torch.linspace(-8, 8, 801, dtype=torch.float64)
    grid = centre + spread * torch.cartesian_prod(along, along)
    total = flow.log_density(grid).exp().sum() * spread.prod() * (along[1] - along[0]) ** 2
    assert abs(total.item() - 1) < 2e-3


def test_a_coupling_keeps_one_half_and_moves_the_other_by_it():
    one, two = (jacobian(trained(5, linear=False, layers=layers), points(1, 5))[0] != 0 for layers in (1, 2))
    even, odd = [0, 2, 4], [1, 3]
    expected = torch.zeros(5, 5, dtype=torch.bool)
    expected[range(3), even] = True  # the base's first half is the columns of even number, untouched
    expected[3:, even] = True
    expected[[3, 4], odd] = True
    assert torch.equal(one, expected)
    assert two[:3, odd].all() and two[3:].sum() == expected[3:].sum(), "the second layer moves the first half"


def test_one_coupling_by_hand():
    """b' = exp(l(a)) b + t(a) with a two-layer network, for both scales."""
    x = points(9, 2)
    for scale, log_scale in (("sigmoid", lambda s, g: logsigmoid(s + 2)), ("tanh", lambda s, g: g * torch.tanh(s))):
        flow = trained(2, False, scale, layers=1, hidden=(7,))
        (first, second), (b1, b2) = flow.networks[0].weights, flow.networks[0].biases
        s, t = (torch.relu(x[:, :1] @ first[0] + b1[0]) @ second[0] + b2[0]).unbind(1)
        expected = log_scale(s, flow.networks[0].factor[0, 0])
        z, log_det = flow.to_base(x)
        torch.testing.assert_close(z[:, 1], x[:, 1] * expected.exp() + t)
        torch.testing.assert_close(log_det, expected)


def test_how_training_begins():
    x = points(9, 5)
    z, log_det = CouplingSettings(linear=False).build(5, generator=generator()).double().to_base(x)
    torch.testing.assert_close(z, x[:, [0, 2, 4, 1, 3]])
    assert log_det.abs().max() == 0
    glow = CouplingSettings(linear=True, layers=3).build(5, generator=generator()).double()
    matrices = glow.matrices()
    eye = torch.eye(5, dtype=torch.float64).expand(3, 5, 5)
    torch.testing.assert_close(matrices @ matrices.transpose(1, 2), eye, rtol=0, atol=1e-5)
    assert (matrices[0] - matrices[1]).abs().max() > 0.1
    contracting = CouplingSettings(linear=False, layers=3, scale="sigmoid").build(5, generator=generator()).double()
    torch.testing.assert_close(
        contracting.to_base(x)[1], torch.full((9,), (2 + 3 + 2) * math.log(1 / (1 + math.exp(-2)))).double()
    )


def test_matrices_know_their_determinants():
    matrices = trained(4, linear=True).matrices
    torch.testing.assert_close(matrices.log_det(), torch.linalg.slogdet(matrices()).logabsdet.sum())


@pytest.mark.parametrize("linear", [False, True])
def test_a_sample_is_the_image_of_the_generators_normal_draws(linear):
    flow, before = trained(3, linear), torch.get_rng_state()
    drawn = flow.sample(200, generator=generator(5))
    torch.testing.assert_close(flow.to_base(drawn)[0], torch.randn(200, 3, generator=generator(5), dtype=torch.float64))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("linear", [False, True])
def test_weights_follow_from_the_generator_alone(linear):
    settings, before = CouplingSettings(linear=linear), torch.get_rng_state()
    one, same, other = (settings.build(3, generator=generator(seed)).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["networks.0.weights.0"], other["networks.0.weights.0"])
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("linear", "scale"), KINDS)
def test_every_weight_is_trained(linear, scale):
    flow = trained(4, linear, scale)
    (-flow.log_density(points(20, 4)).mean()).backward()
    # of every layer, as the first dimension has them
    assert all(each.grad.flatten(1).any(1).all() for each in flow.parameters() if each.requires_grad)
    still = {name for name, each in flow.named_parameters() if not each.requires_grad}
    assert still == ({"networks.0.factor", "networks.1.factor"} if scale == "sigmoid" else set())


def test_one_matrix_learns_a_gaussian_down_to_its_entropy():
    stretch = torch.tensor([[2.0, 1.9], [0.0, 0.3]], dtype=torch.float64)
    x = torch.randn(4000, 2, generator=generator(2), dtype=torch.float64) @ stretch
    entropy = 1 + math.log(2 * math.pi) + math.log(0.6)
    flow = CouplingSettings(linear=True, layers=1, hidden=(2,)).build(2, generator=generator()).double()
    optimiser = torch.optim.Adam(flow.parameters(), 0.05)
    for _ in range(300):
        optimiser.zero_grad()
        loss = -flow.log_density(x).mean()
        loss.backward()
        optimiser.step()
    assert abs(loss.item() - entropy) < 0.05


def test_one_column_has_no_halves():
    with pytest.raises(SettingsError, match="it needs 2 columns, not 1"):
        CouplingSettings(linear=False).build(1, generator=generator())
