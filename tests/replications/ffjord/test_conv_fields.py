"""Convolutional fields against sums written out, and their divergence against that of common."""

import pytest
import torch

from common.dynamics.divergence import exact_divergence, hutchinson_divergence
from replications.ffjord.images.conv_fields import TimeConvolution, encoder_decoder, same_grid
from replications.ffjord.images.conv_tape import ProbedField
from replications.ffjord.trace_estimators import bottleneck_divergence

F64 = torch.float64
T = torch.tensor(0.3, dtype=F64)
FIELDS = {"same_grid": lambda: same_grid(2, (3, 5)), "encoder_decoder": lambda: encoder_decoder(2, (3, 4, 4, 1))}


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


@pytest.fixture(params=FIELDS)
def field(request):
    torch.manual_seed(0)
    return FIELDS[request.param]().double()


def written_out(layer, resample, t, h):
    """The convolution of [t; h] as a sum over pairs of points that a weight joins."""
    h = torch.cat([torch.full_like(h[:, :1], t), h], dim=1)
    up = resample == "double"
    weight = torch.cat([layer.time, layer.state], dim=0 if up else 1)
    kernel, stride = (3, 1) if resample == "none" else (4, 2)
    size, new = h.shape[2], {"none": h.shape[2], "halve": h.shape[2] // 2, "double": 2 * h.shape[2]}[resample]
    out = layer.bias.view(1, -1, 1, 1).repeat(len(h), 1, new, new)
    large, small = (new, size) if up else (size, new)
    for i in range(small):
        for j in range(small):
            for p in range(kernel):
                for q in range(kernel):
                    y, x = stride * i + p - 1, stride * j + q - 1
                    if not (0 <= y < large and 0 <= x < large):
                        continue
                    if up:
                        out[:, :, y, x] += h[:, :, i, j] @ weight[:, :, p, q]
                    else:
                        out[:, :, i, j] += h[:, :, y, x] @ weight[:, :, p, q].T
    return out


@pytest.mark.parametrize("resample", ["none", "halve", "double"])
def test_a_layer_is_the_convolution_of_time_and_maps(resample):
    torch.manual_seed(0)
    layer, h = TimeConvolution(2, 3, resample).double(), normal(2, 2, 4, 4)
    torch.testing.assert_close(layer(T, h), written_out(layer, resample, T, h), rtol=1e-12, atol=1e-12)


def test_a_layer_starts_as_a_convolution_of_all_its_channels_starts():
    """Torch's bound is 1 / sqrt(fan-in), and the time channel is one of those that come in."""
    torch.manual_seed(0)
    layer = TimeConvolution(15, 500)
    for weight in (layer.time, layer.state, layer.bias):
        assert float(weight.detach().abs().max()) == pytest.approx(1 / (16 * 9) ** 0.5, rel=0.01)


def test_softplus_stands_between_layers_and_not_after_the_last():
    torch.manual_seed(0)
    field, z = same_grid(1, (3,)).double(), normal(2, 1, 4, 4)
    first, last = field.layers
    expected = last(T, (1 + first(T, z).exp()).log())
    torch.testing.assert_close(field(T, z), expected, rtol=1e-12, atol=1e-12)


def test_an_encoder_decoder_goes_down_to_a_quarter_of_the_grid_and_back():
    field = encoder_decoder(1, (3, 4, 5, 6))
    z, shapes = torch.zeros(2, 1, 8, 8), []
    for layer in field.layers:
        layer.register_forward_hook(lambda layer, args, out: shapes.append(tuple(out.shape[1:])))
    assert field(torch.tensor(0.0), z).shape == z.shape
    assert shapes == [(3, 8, 8), (4, 4, 4), (5, 4, 4), (6, 2, 2), (5, 4, 4), (4, 4, 4), (3, 8, 8), (1, 8, 8)]
    assert [layer.outputs for layer in field.layers] == [channels for channels, _, _ in shapes]


def test_every_layer_sees_the_time(field):
    """By hand, for the gradient in t says nothing of a layer alone: take the time from one layer, and the field changes."""
    z = normal(2, 2, 8, 8)
    before = field(T, z)
    assert not torch.allclose(before, field(2 * T, z))
    for layer in (module for module in field.modules() if isinstance(module, TimeConvolution)):
        kept = layer.time.data.clone()
        layer.time.data.zero_()
        assert not torch.allclose(before, field(T, z), rtol=1e-9, atol=1e-9)
        layer.time.data = kept


def test_the_estimate_is_that_of_a_vector_jacobian_product(field):
    z, probe = normal(3, 2, 8, 8), normal(3, 2, 8, 8, seed=1)
    for found, expected in zip(ProbedField(field, probe, (2, 8, 8))(T, z), hutchinson_divergence(field, T, z, probe)):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_estimates_train_as_those_of_a_vector_jacobian_product_do(field):
    z, probe, parameters = normal(3, 2, 8, 8).requires_grad_(), normal(3, 2, 8, 8, seed=1), list(field.parameters())

    def gradients(both):
        value, divergence = both(T, z)
        return torch.autograd.grad((value * probe).sum() + divergence.sum(), [z, *parameters])

    expected = gradients(lambda t, z: hutchinson_divergence(field, t, z, probe))
    for found, wanted in zip(gradients(ProbedField(field, probe, (2, 8, 8))), expected):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


BOTTLENECKS = {
    "none": (lambda: encoder_decoder(2, (3, 4, 4, 1)), (2, 4, 4)),
    "one grid": (lambda: same_grid(2, (3, 5)), (2, 4, 4)),
    "a quarter": (lambda: encoder_decoder(2, (3, 4, 4, 2), bottleneck=True), (2, 1, 1)),
    "half": (lambda: encoder_decoder(2, (4, 3), bottleneck=True), (3, 2, 2)),
}


@pytest.mark.parametrize("kind", BOTTLENECKS)
def test_estimates_over_unit_probes_add_up_to_the_trace(kind):
    """Between encoder and decoder there are fewer of them; they add up to the same trace (eq. 9)."""
    torch.manual_seed(0)
    make, shape = BOTTLENECKS[kind]
    field, z = make().double(), normal(1, 2, 4, 4)
    assert tuple(field.traced_maps(z).shape) == (1, *shape)
    units = torch.eye(torch.Size(shape).numel(), dtype=F64).view(-1, *shape)
    value, estimates = ProbedField(field, units, (2, 4, 4))(T, z.expand(len(units), 2, 4, 4))
    expected, trace = exact_divergence(field, T, z)
    torch.testing.assert_close(estimates.sum(), trace[0], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(value[:1], expected, rtol=1e-12, atol=1e-12)


def test_the_bottlenecks_estimate_is_that_of_chained_products():
    torch.manual_seed(0)
    field, z, probe = encoder_decoder(2, (3, 2), bottleneck=True).double(), normal(3, 2, 4, 4), normal(3, 2, 2, 2, seed=1)
    first, second, *rest = field.layers

    def h(t, z):
        return torch.nn.functional.softplus(second(t, torch.nn.functional.softplus(first(t, z))))

    def g(t, hidden):
        return rest[1](t, torch.nn.functional.softplus(rest[0](t, hidden)))

    for found, expected in zip(ProbedField(field, probe, (2, 4, 4))(T, z), bottleneck_divergence(h, g, T, z, probe)):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
