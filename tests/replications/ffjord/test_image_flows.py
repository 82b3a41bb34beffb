"""Flows on images: sizes, density against autograd's Jacobian, inverse, probes, bits per dimension."""

import math

import numpy as np
import pytest
import torch

from common.errors import SettingsError, SolverError
from replications.ffjord.images import image_flows
from replications.ffjord.images.conv_fields import ConvolutionalField, TimeConvolution
from replications.ffjord.images.image_flows import ImageFlowSettings, bits_per_dim, dequantised
from replications.ffjord.images.logit import logit
from replications.ffjord.solving.solve import SolverSettings

F64 = torch.float64
DIGITS = (1, 8, 8)
RATE = 0.25  # exact in float32
FINE = SolverSettings(method="dopri5", rtol=1e-8, atol=1e-8)
KINDS = {
    "multiscale": ImageFlowSettings(shape=DIGITS, widths=(3, 3), flows=1),
    "single scale": ImageFlowSettings(shape=DIGITS, field="encoder_decoder", widths=(3, 3), flows=1, scales=1),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal_log_density(z):
    return torch.distributions.Normal(0.0, 1.0).log_prob(z).flatten(1).sum(1)


def pixels(n):
    return torch.rand(n, *DIGITS, generator=generator(), dtype=F64)


@pytest.fixture(params=KINDS)
def flow(request):
    """Weights a good deal larger than at first, so that the flows do something."""
    flow = KINDS[request.param].build(3).double()
    for parameter in flow.parameters():
        parameter.data *= 2
    return flow


def standing_still(settings=KINDS["multiscale"]):
    flow = settings.build(0).double()
    for parameter in flow.parameters():
        parameter.data.zero_()
    return flow


@pytest.mark.parametrize(
    ("shape", "widths", "flows", "parameters", "millions"),
    [
        ((3, 32, 32), (64, 64), 14, 833_812, 0.834),
        ((3, 32, 32), (64, 64, 64), 14, 1_358_868, 1.359),
        ((1, 28, 28), (64, 64), 10, 425_596, 0.426),
        ((1, 28, 28), (64, 64, 64), 10, 800_636, 0.801),
    ],
)
def test_the_papers_flows_have_the_papers_sizes(shape, widths, flows, parameters, millions):
    flow = ImageFlowSettings(shape=shape, widths=widths).build(0)
    found = sum(parameter.numel() for parameter in flow.parameters())
    assert sum(len(stage) for stage in [*flow.flows.before, *flow.flows.after]) == flows
    assert found == parameters
    assert round(found / 1e6, 3) == millions


def test_weights_depend_on_the_seed_alone():
    state = torch.get_rng_state()
    first, same, other = (next(KINDS["multiscale"].build(seed).parameters()) for seed in (0, 0, 1))
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state())


def test_log_determinant_is_that_of_autograds_jacobian(flow):
    x, solver = pixels(1), SolverSettings(method="rk4", steps=4)
    with torch.no_grad():
        found = flow.encode(x, solver, trace="exact").log_det[0]
    # row i of the Jacobian from copy i of the image
    copies = x.repeat(64, 1, 1, 1).requires_grad_()
    latent = flow.encode(copies, solver, generator=generator()).latent
    (jacobian,) = torch.autograd.grad(latent.diagonal().sum(), copies)
    torch.testing.assert_close(found, torch.linalg.slogdet(jacobian.flatten(1)).logabsdet, rtol=0, atol=2e-4)
    # the flows' own part of it is not small
    assert abs(float(found - logit(x)[1])) > 0.1


@pytest.mark.parametrize("trace", ["exact", "rademacher"])
def test_linear_flows_have_the_closed_form(monkeypatch, trace):
    """dz/dt = rate z: its flow multiplies by exp(rate), its divergence is rate times the dimension.

    There are three flows, of which the 32 numbers that are given after the second miss the third. Rademacher probes are exact for
    multiples of the identity.
    """

    def scaling(settings, shape):
        layer = TimeConvolution(shape[0], shape[0])
        for parameter in layer.parameters():
            parameter.data.zero_()
        layer.state.data[range(shape[0]), range(shape[0]), 1, 1] = RATE
        return ConvolutionalField([layer])

    monkeypatch.setattr(ImageFlowSettings, "field_on", scaling)
    flow, x = KINDS["multiscale"].build(0).double(), pixels(3)
    y, log_det = logit(x, 1e-6)
    encoded = flow.encode(x, FINE, trace=trace, generator=generator())
    torch.testing.assert_close(encoded.log_det, log_det + RATE * (64 + 64 + 32), rtol=0, atol=1e-6)
    torch.testing.assert_close(encoded.latent.square().sum(1), sum_of_squares(y), rtol=1e-6, atol=0)


def sum_of_squares(y):
    lower, upper = y[:, :, 1::2].square().sum((1, 2, 3)), y[:, :, ::2].square().sum((1, 2, 3))
    return math.exp(4 * RATE) * lower + math.exp(6 * RATE) * upper


def test_flows_that_stand_still_leave_normal_logits():
    x = pixels(2)
    y, log_det = logit(x, 1e-6)
    expected = normal_log_density(y) + log_det
    torch.testing.assert_close(standing_still().log_density(x, FINE, trace="exact"), expected, rtol=1e-10, atol=1e-10)


def test_samples_of_flows_that_stand_still_have_normal_logits():
    samples = standing_still().sample(200, FINE, generator=generator())
    assert samples.shape == (200, *DIGITS) and samples.dtype == F64
    logits = logit(samples)[0]
    assert abs(float(logits.mean())) < 5 / (200 * 64) ** 0.5
    assert float(logits.std()) == pytest.approx(1, abs=5 / (2 * 200 * 64) ** 0.5)


def test_decoding_undoes_encoding(flow):
    x = pixels(3)
    latent = flow.encode(x, FINE, generator=generator()).latent
    torch.testing.assert_close(flow.decode(latent, FINE), x, rtol=0, atol=1e-6)
    # the float32 that is trained in, at the tolerance that is trained at
    flow, solver = flow.float(), SolverSettings(method="dopri5", rtol=1e-5, atol=1e-5)
    latent = flow.encode(x.float(), solver, generator=generator()).latent
    torch.testing.assert_close(flow.decode(latent, solver), x.float(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("trace", ["rademacher", "gaussian"])
def test_estimates_are_right_on_average(flow, trace):
    close_to_the_exact_one(flow, trace)


def close_to_the_exact_one(flow, trace, draws=500):
    """The mean over many probes within four standard errors."""
    x, solver = pixels(1), SolverSettings(method="rk4", steps=1)
    with torch.no_grad():
        exact = float(flow.log_density(x, solver, trace="exact"))
        many = flow.log_density(x.expand(draws, *DIGITS), solver, trace=trace, generator=generator())
    standard_error = float(many.std()) / draws**0.5
    assert standard_error > 1e-4
    assert abs(float(many.mean()) - exact) < 4 * standard_error


def test_every_solve_of_every_flow_draws_one_probe(monkeypatch):
    drawn, draw = [], image_flows.draw
    monkeypatch.setattr(image_flows, "draw", lambda *args, **more: drawn.append(draw(*args, **more)) or drawn[-1])
    flow, source = KINDS["multiscale"].build(0), generator()
    nfe = flow.encode(pixels(2).float(), SolverSettings(), generator=source).nfe
    assert [tuple(probe.shape) for probe in drawn] == [(2, 1, 8, 8), (2, 4, 4, 4), (2, 2, 4, 4)]
    assert len(nfe) == 3 and min(nfe) > 3 and flow.evaluations.forward == sum(nfe)
    flow.encode(pixels(2).float(), SolverSettings(), generator=source)
    assert len(drawn) == 6 and not torch.equal(drawn[0], drawn[3])
    assert not torch.equal(drawn[1].flatten()[:64], drawn[0].flatten()[:64])


def test_the_same_generator_gives_the_same_estimate(flow):
    x, solver = pixels(2), SolverSettings(method="rk4", steps=1)
    first, same, other = (flow.log_density(x, solver, generator=generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_estimates_without_a_generator_are_refused(flow):
    with pytest.raises(SolverError, match="pass a generator"):
        flow.log_density(pixels(1), FINE)


def test_everything_is_trained(flow):
    flow.log_density(pixels(4), SolverSettings(method="rk4", steps=1), generator=generator()).mean().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in flow.parameters())


def test_grids_that_an_encoder_cannot_halve_are_refused():
    with pytest.raises(SettingsError, match=r"4 widths .* by 4, which 14 x 14 is no multiple of"):
        ImageFlowSettings(shape=(1, 14, 14), field="encoder_decoder", widths=(4, 4, 4, 4), scales=1).build(0)


def test_a_bottleneck_needs_an_encoder():
    with pytest.raises(SettingsError, match="bottleneck: true is for an encoder"):
        ImageFlowSettings(shape=DIGITS, widths=(4,), bottleneck=True).build(0)


def test_traces_at_the_bottleneck_are_right_on_average():
    settings = ImageFlowSettings(shape=DIGITS, field="encoder_decoder", widths=(4, 2), flows=1, scales=1, bottleneck=True)
    close_to_the_exact_one(settings.build(0).double(), "gaussian")


@pytest.mark.parametrize("grey_values", [17, 256])
def test_dequantised_pixels_lie_in_their_cells(grey_values):
    values = torch.arange(grey_values).repeat(40).view(-1, 1, 1, 1)
    x = dequantised(values, grey_values, generator=generator())
    assert x.min() > 0 and x.max() < 1
    assert torch.equal((x.double() * grey_values).floor().long(), values)
    inside = x.double() * grey_values - values
    assert float(inside.mean()) == pytest.approx(0.5, abs=5 * (1 / 12 / len(values)) ** 0.5)


@pytest.mark.parametrize(("grey_values", "expected"), [(256, 8.0), (17, math.log2(17))])
def test_a_uniform_density_costs_all_the_bits(grey_values, expected):
    np.testing.assert_allclose(bits_per_dim(torch.zeros(3, dtype=F64), 64, grey_values), expected, rtol=0, atol=1e-12)
    # a density of 2 in every dimension saves a bit in each
    np.testing.assert_allclose(bits_per_dim(torch.full((1,), 64 * math.log(2)), 64, grey_values), expected - 1, atol=1e-6)
