"""Amortised fields: layers against their formula, traces against autograd, gradients through the solve to the encoder."""

import pytest
import torch

from common.dynamics.divergence import exact_divergence, hutchinson_divergence, rademacher
from replications.ffjord.posteriors import amortised_layers
from replications.ffjord.posteriors.amortised_field import ACTIVATIONS, AmortisedField, probe_row, unit_rows
from replications.ffjord.posteriors.amortised_flow import AmortisedFFJORD
from replications.ffjord.posteriors.amortised_layers import FullLayers, LowRankLayers
from replications.ffjord.solving.solve import SolverSettings

LATENT, FEATURES, BATCH = 3, 4, 5
TIME = torch.tensor(0.3, dtype=torch.float64)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def built(hidden, rank=2, full=False):
    widths = (LATENT, *hidden, LATENT)
    layers = (FullLayers(widths, FEATURES) if full else LowRankLayers(widths, FEATURES, rank)).double()
    for number, parameter in enumerate(layers.parameters()):
        parameter.data = 0.5 * drawn(*parameter.shape, seed=number)
    return layers


@pytest.fixture(params=[4, 0], ids=["merged", "apart"])
def small(request, monkeypatch):
    monkeypatch.setattr(amortised_layers, "SMALL", request.param)
    return request.param


def test_low_rank_layer_is_the_papers(small):
    """sigma((W + U V^T) h + w t + b + b(x)), U, V and b(x) read off the one linear map of the feature."""
    module, feature, h = built((6,)), drawn(BATCH, FEATURES, seed=9), drawn(BATCH, 1, LATENT, seed=8)
    u, v, b, *_ = module.amortised(feature).split([6 * 2, LATENT * 2, 6, LATENT * 2, 6 * 2, LATENT], 1)
    u, v = u.reshape(BATCH, 6, 2), v.reshape(BATCH, LATENT, 2)
    shared = module.shared[0]
    expected = []
    for i in range(BATCH):
        weight = shared.weight[:, :LATENT] + u[i] @ v[i].T
        expected.append(weight @ h[i, 0] + TIME * shared.weight[:, LATENT] + shared.bias + b[i])
    first, last = module(feature)
    assert (first.left is None) == bool(small), "both ways are tested"
    torch.testing.assert_close(first.at(TIME, h)[:, 0], torch.stack(expected))
    assert first.at(TIME, h).shape == (BATCH, 1, 6) and last.linear(first.linear(h)).shape == (BATCH, 1, LATENT)


def test_full_layer_is_the_features_alone():
    module, feature, h = built((6,), full=True), drawn(BATCH, FEATURES, seed=9), drawn(BATCH, 1, LATENT, seed=8)
    own = module.amortised(feature)
    weight, time, bias = own[:, : 6 * LATENT].reshape(BATCH, 6, LATENT), own[:, 18:24], own[:, 24:30]
    expected = torch.einsum("boi,bi->bo", weight, h[:, 0]) + TIME * time + bias
    torch.testing.assert_close(module(feature)[0].at(TIME, h)[:, 0], expected)


def test_a_hypernetwork_starts_at_the_size_of_shared_layers():
    torch.manual_seed(0)
    shared, full = LowRankLayers((16, 64, 16), 32, 0), FullLayers((16, 64, 16), 32)
    for mine, other in zip(full(torch.randn(50, 32)), shared(torch.zeros(50, 32))):
        assert 0.7 < mine.weight.std() / other.weight.std() < 2
        assert mine.weight.std(0).min() > 0


@pytest.mark.parametrize("hidden", [(6,), (6, 5), (6, 5, 7)])
@pytest.mark.parametrize("full", [False, True])
def test_transposed_is_the_transpose(hidden, full, small):
    for layer in built(hidden, full=full)(drawn(BATCH, FEATURES, seed=9)):
        outputs, inputs = layer.weight.shape[-2:]
        h, g = drawn(BATCH, 1, inputs), drawn(BATCH, 1, outputs, seed=1)
        torch.testing.assert_close((layer.linear(h) * g).sum((1, 2)), (h * layer.transposed(g)).sum((1, 2)))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_and_its_derivatives(name):
    a = (4 * drawn(50)).requires_grad_()
    value = ACTIVATIONS[name].value(a)
    slope = ACTIVATIONS[name].slope(a, value)
    torch.testing.assert_close(value, torch.tanh(a) if name == "tanh" else torch.log1p(a.exp()))
    torch.testing.assert_close(slope, torch.autograd.grad(value.sum(), a, retain_graph=True)[0])
    torch.testing.assert_close(ACTIVATIONS[name].curvature(value, slope), torch.autograd.grad(slope.sum(), a)[0])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(6,), (6, 5), (6, 5, 7)])
@pytest.mark.parametrize("full", [False, True])
def test_trace_is_autograds(hidden, activation, full, small):
    layers, z = built(hidden, full=full)(drawn(BATCH, FEATURES, seed=9)), drawn(BATCH, LATENT)
    field = AmortisedField(layers, unit_rows(z), activation)
    velocity, trace = field(TIME, z)
    with torch.no_grad():
        expected = exact_divergence(lambda t, state: field(t, state)[0], TIME, z)
    torch.testing.assert_close((velocity, trace), expected)
    probe = rademacher(z, generator=generator(3))
    field = AmortisedField(layers, probe[:, None], activation)
    estimate = hutchinson_divergence(lambda t, state: field(t, state)[0], TIME, z, probe)
    torch.testing.assert_close(field(TIME, z), estimate)
    assert (estimate[1] - trace).abs().min() > 1e-3


def test_the_estimate_is_unbiased():
    layers, z = built((6, 5))(drawn(1, FEATURES, seed=9)), drawn(1, LATENT)
    signs = torch.cartesian_prod(*3 * [torch.tensor([-1.0, 1.0], dtype=torch.float64)])  # all probes there are
    estimates = [AmortisedField(layers, row[None, None], "tanh")(TIME, z)[1] for row in signs]
    torch.testing.assert_close(torch.stack(estimates).mean(0), AmortisedField(layers, unit_rows(z), "tanh")(TIME, z)[1])
    assert probe_row(drawn(BATCH, LATENT), generator=generator()).abs().eq(1).all()


def flow(hidden=(6,), rank=2, amortisation="low_rank", **solver):
    made = AmortisedFFJORD(
        LATENT, FEATURES, 2, hidden, rank=rank, amortisation=amortisation, activation="tanh", solver=SolverSettings(**solver)
    ).double()
    for number, parameter in enumerate(made.parameters()):
        parameter.data = 0.35 * drawn(*parameter.shape, seed=number)
    return made


EXACT = {"method": "dopri5", "rtol": 1e-8, "atol": 1e-8, "steps": 4, "backward": "direct"}


@pytest.mark.parametrize("amortisation", ["low_rank", "full"])
def test_log_determinant_of_the_flow_is_autograds(amortisation):
    made, z, feature = flow(amortisation=amortisation, **EXACT), drawn(BATCH, LATENT), drawn(BATCH, FEATURES, seed=9)
    # items share the adaptive steps, but not their coordinates; a solve is pulled back once
    state = z.requires_grad_()
    rows = [torch.autograd.grad(made(state, feature).z[:, j].sum(), state)[0] for j in range(LATENT)]
    moved = made(z, feature)
    torch.testing.assert_close(moved.log_det, torch.linalg.slogdet(torch.stack(rows, 1))[1], rtol=1e-6, atol=1e-6)
    assert moved.log_det.abs().min() > 1e-2 and moved.nfe > 2 * 8


@pytest.mark.parametrize(
    ("activation", "hidden", "amortisation", "exact"),
    [
        ("tanh", (6,), "low_rank", True),
        ("softplus", (6, 5), "low_rank", True),
        ("tanh", (6, 5), "low_rank", False),
        ("softplus", (6, 5), "full", False),
    ],
)
def test_gradients_of_the_flow_are_numerical_ones(activation, hidden, amortisation, exact, small):
    """Along one direction of everything that it depends on: the solver's stages and the tape's closed forms."""
    made = flow(hidden, amortisation=amortisation, **EXACT | {"method": "rk4", "steps": 3})
    made.activation = activation
    inputs = [drawn(BATCH, LATENT).requires_grad_(), drawn(BATCH, FEATURES, seed=9).requires_grad_(), *made.parameters()]
    weights, of_log_det = drawn(BATCH, LATENT, seed=7), drawn(BATCH, seed=6)

    def loss():
        moved = made(inputs[0], inputs[1], generator(5), exact)
        return (moved.z * weights).sum() + (moved.log_det * of_log_det).sum()

    found = torch.autograd.grad(loss(), inputs)
    for number, (part, gradient) in enumerate(zip(inputs, found)):
        direction, step = drawn(*part.shape, seed=20 + number), 1e-6
        ends = []
        for sign in (1, -1):
            part.data += sign * step * direction
            ends.append(loss().detach())
            part.data -= sign * step * direction
        expected = (ends[0] - ends[1]) / (2 * step)
        torch.testing.assert_close((gradient * direction).sum(), expected, rtol=1e-6, atol=1e-6)
        assert expected.abs() > 1e-4


def test_the_adjoint_gives_the_amortised_parameters_their_gradients():
    gradients = []
    for backward in ("direct", "adjoint"):
        made, feature = flow((6, 5), **EXACT | {"backward": backward}), drawn(BATCH, FEATURES, seed=9).requires_grad_()
        moved = made(drawn(BATCH, LATENT), feature)
        (moved.z.square().sum(1) - moved.log_det).sum().backward()
        gradients.append([feature.grad, *(parameter.grad for parameter in made.parameters())])
    assert all(float(each.abs().max()) > 1e-4 for each in gradients[0])
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-5, atol=1e-6)


def test_rank_0_is_the_flow_without_amortisation():
    """The same weights, and a low rank whose map gives nothing: the same flow, for any feature."""
    plain, ranked = flow(rank=0, **EXACT), flow(rank=2, **EXACT)
    ranked.load_state_dict(plain.state_dict(), strict=False)
    for layers in ranked.layers:
        layers.amortised.weight.data.zero_()
        layers.amortised.bias.data.zero_()
    z = drawn(BATCH, LATENT)
    some, other = (plain(z, drawn(BATCH, FEATURES, seed=seed)) for seed in (8, 9))
    torch.testing.assert_close(some, other)
    torch.testing.assert_close(ranked(z, drawn(BATCH, FEATURES, seed=9)), plain(z, drawn(BATCH, FEATURES)))
    assert (flow(rank=2, **EXACT)(z, drawn(BATCH, FEATURES)).z - some.z).abs().max() > 1e-2


def test_a_probe_is_drawn_for_every_solve():
    made, z, feature = flow(**EXACT), drawn(BATCH, LATENT), drawn(BATCH, FEATURES, seed=9)
    one, same = (made(z, feature, generator(5), exact=False) for _ in range(2))
    torch.testing.assert_close(one, same)
    draw = generator(5)
    first, second = (made(z, feature, draw, exact=False) for _ in range(2))
    assert (first.log_det - second.log_det).abs().min() > 1e-4
    torch.testing.assert_close(first.z, second.z, atol=1e-6, rtol=0)
