"""The bound: against closed forms of no flow and of a linear Gaussian model, and what its parts are made of."""

import math

import pytest
import torch
from torch import nn

from common.dynamics.paths import STANDARD_NORMAL
from common.errors import SettingsError
from common.learning.nets.mlp import parameter_count
from common.runs.settings import validated
from replications.ffjord.posteriors.posterior_flows import Moved, NoFlow
from replications.ffjord.posteriors.vae import GREY_VALUES, VAE, bits_per_dim, held_out
from replications.ffjord.posteriors.vae_networks import GatedConvolutions, MLPCoders
from replications.ffjord.posteriors.vae_settings import (
    FFJORDSettings,
    IAFSettings,
    NoFlowSettings,
    PlanarSettings,
    SylvesterSettings,
    VAESettings,
)
from replications.ffjord.solving.solve import SolverSettings

SOLVER = SolverSettings(method="rk4", steps=2, rtol=1e-5, atol=1e-5, backward="direct")
FLOWS = {
    "none": NoFlowSettings(),
    "planar": PlanarSettings(flows=2),
    "iaf": IAFSettings(flows=2, hidden=8),
    "sylvester": SylvesterSettings(flows=2, columns=3),
    "ffjord": FFJORDSettings(flows=1, hidden=(8,), rank=2, solver=SOLVER),
    "hypernetwork": FFJORDSettings(flows=1, hidden=(8,), rank=0, amortisation="full", solver=SOLVER),
}
SHAPE = (1, 4, 4)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=6, shape=SHAPE, values=2):
    return torch.randint(values, (n, *shape), generator=generator(), dtype=torch.uint8)


def built(name, pixels="binary", latent=3, shape=SHAPE):
    settings = VAESettings(coders=MLPCoders(hidden=(10, 7)), latent=latent, flow=FLOWS[name], pixels=pixels)
    return settings.build(shape, seed=0).double()


def test_bound_of_no_flow_is_reconstruction_and_the_closed_divergence():
    """KL(N(mu, s^2) || N(0, I)) = 1/2 sum(mu^2 + s^2 - 1 - log s^2); the sampled one comes to it."""
    model, x = built("none"), images(2)
    mean, variance, _ = model.encode(x)
    closed = 0.5 * (mean.square() + variance - 1 - variance.log()).sum(1)
    many = model(x.repeat(20_000, 1, 1, 1), generator(1))
    sampled = many.divergence.unflatten(0, (-1, 2))
    error = 5 * sampled.std(0) / 20_000**0.5
    assert ((sampled.mean(0) - closed).abs() < error).all() and (error < 0.1 * closed).all()


def test_every_part_of_the_bound():
    """-log p(x | z_K) + log q(z_0 | x) - log p(z_K) - log|det|, each by torch's own distributions."""

    class Shift(nn.Module):
        def forward(self, z, feature, generator=None, exact=True):
            return Moved(2 * z + 1, torch.full((len(z),), z.shape[1] * math.log(2), dtype=z.dtype), 7)

    model, x = built("none"), images()
    model.flow = Shift()
    bound = model(x, generator(1))
    mean, variance, _ = model.encode(x)
    z0 = mean + variance.sqrt() * torch.randn(mean.shape, generator=generator(1), dtype=torch.float64)
    z = 2 * z0 + 1
    start = torch.distributions.Normal(mean, variance.sqrt()).log_prob(z0).sum(1)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    logits = model.decoder(z)[:, 0]
    pixels = torch.distributions.Bernoulli(logits=logits).log_prob(x.double()).sum((1, 2, 3))
    torch.testing.assert_close(bound.divergence, start - prior - 3 * math.log(2))
    torch.testing.assert_close(bound.reconstruction, -pixels)
    torch.testing.assert_close(bound.negative_elbo, start - prior - 3 * math.log(2) - pixels)
    assert bound.nfe == 7


class LinearGaussian(VAE):
    """x = W z + noise of variance 1/2: log p(x) is known, and the true posterior is Gaussian."""

    def log_likelihood(self, images, z):
        rest = images.flatten(1).double() - z @ self.weight.T
        return -(rest.square() + 0.5 * math.log(math.pi)).sum(1)


def test_bound_of_a_linear_gaussian_model_is_tight_at_its_posterior():
    """With the exact posterior the bound is -log p(x) for every sample, however a flow gets there; else it is above by the KL."""
    weight = torch.randn(16, 1, generator=generator(3), dtype=torch.float64)
    x = images()
    precision = 1 + 2 * weight.square().sum()
    mean = 2 * x.flatten(1).double() @ weight / precision
    covariance = weight @ weight.T + 0.5 * torch.eye(16, dtype=torch.float64)
    exact = torch.distributions.MultivariateNormal(torch.zeros(16, dtype=torch.float64), covariance).log_prob(
        x.flatten(1).double()
    )

    class ToPosterior(nn.Module):
        def forward(self, z, feature, generator=None, exact=True):
            moved = mean + precision**-0.5 * z
            return Moved(moved, -0.5 * precision.log().expand(len(z)))

    class Start(nn.Module):
        def forward(self, x):
            return x.flatten(1)

    for flow, tight in ((ToPosterior(), True), (NoFlow(), False)):
        model = LinearGaussian(Start(), flow, nn.Identity(), features=16, latent=1, pixels="binary").double()
        model.weight = weight
        model.posterior.weight.data.zero_()
        model.posterior.bias.data = torch.tensor([0.0, math.log(math.e - 1)], dtype=torch.float64)  # softplus gives 1
        bound = model(x, generator(4)).negative_elbo
        if tight:
            torch.testing.assert_close(bound, -exact)
        else:
            many = model(x.repeat(4000, 1, 1, 1), generator(4)).negative_elbo.unflatten(0, (-1, len(x)))
            gap = 0.5 * (precision - 1 + mean[:, 0].square() * precision - precision.log())
            error = 5 * many.std(0) / 4000**0.5
            assert ((many.mean(0) + exact - gap).abs() < error).all() and (error < gap / 4).all()


@pytest.mark.parametrize("name", FLOWS)
def test_gradients_reach_every_parameter_also_through_the_amortised_ones(name):
    model, x = built(name), images()
    model(x, generator(1), exact=False).negative_elbo.mean().backward()
    still = [key for key, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert not still
    if name == "none":
        return
    model.zero_grad()
    # by no other way than the flow's parameters
    with torch.no_grad():
        mean = model.encode(x)[0]
    feature = model.encode(x)[2]
    moved = model.flow(mean, feature, generator(1), False)
    (STANDARD_NORMAL.prior_log_density(moved.z) + moved.log_det).sum().backward()
    assert all(parameter.grad.any() for parameter in model.encoder.parameters())


@pytest.mark.parametrize("name", FLOWS)
def test_bounds_of_grey_images_are_those_of_256_classes(name):
    model, x = built(name, "categorical"), images(values=256)
    bound = model(x, generator(1))
    mean, variance, feature = model.encode(x)
    assert (variance >= 0.01).all() and (variance <= 7).all()
    torch.testing.assert_close(feature, model.encoder(x.double() / 255))
    z0 = mean + variance.sqrt() * torch.randn(mean.shape, generator=generator(1), dtype=torch.float64)
    z = model.flow(z0, feature).z
    chances = model.decoder(z).log_softmax(1).movedim(1, -1)
    expected = chances.gather(-1, x.long()[..., None]).sum((1, 2, 3, 4))
    torch.testing.assert_close(bound.reconstruction, -expected)


def test_a_decoder_that_knows_nothing_needs_8_bits():
    model = built("none", "categorical")
    model.decoder[-2].weight.data.zero_()
    model.decoder[-2].bias.data.zero_()
    bits = bits_per_dim(model(images(values=256), generator()).reconstruction, 16)
    torch.testing.assert_close(bits, torch.full((6,), math.log2(GREY_VALUES), dtype=torch.float64))


def test_held_out_takes_the_mean_over_samples_in_the_images_order():
    model, x = built("planar"), images(7)
    means, nfe = held_out(model, x, samples=3, batch=7, generator=generator(2))
    draw = generator(2)
    with torch.no_grad():
        drawn = [model(x, draw).negative_elbo for _ in range(3)]
    torch.testing.assert_close(means, torch.stack(drawn).mean(0))
    solved = built("ffjord")
    assert nfe == 0 and held_out(solved, x, samples=1, batch=4, generator=generator())[1] == solved(x, generator()).nfe
    assert held_out(model, x, samples=1, batch=2, generator=generator())[0].shape == (7,)


def test_all_posteriors_start_from_the_same_networks():
    states = [built(name).state_dict() for name in FLOWS]
    for state in states[1:]:
        assert all(state[key].equal(value) for key, value in states[0].items())


def test_building_leaves_the_global_random_state():
    before = torch.get_rng_state()
    built("ffjord")
    assert torch.get_rng_state().equal(before)


@pytest.mark.parametrize(("shape", "pixels"), [((1, 8, 8), "binary"), ((1, 28, 20), "categorical"), ((3, 12, 8), "binary")])
def test_gated_convolutions_of_any_grid_that_halves_twice(shape, pixels):
    coders = GatedConvolutions(filters=2, kernel=3, features=5)
    model = VAESettings(coders=coders, latent=3, flow=FLOWS["none"], pixels=pixels).build(shape, seed=0)
    x = images(2, shape)
    assert model.encode(x)[2].shape == (2, 5)
    outputs = 256 if pixels == "categorical" else 1
    assert model.decoder(torch.zeros(2, 3)).shape == (2, outputs, *shape)
    assert model(x, generator()).negative_elbo.shape == (2,)


def test_the_papers_networks_have_their_sizes():
    """Counted by hand: kernel^2 * inputs * 2 outputs + 2 outputs per gated convolution."""
    coders = GatedConvolutions()
    plan = [(25, 1, 32), (25, 32, 32), (25, 32, 64), (25, 64, 64), (25, 64, 64), (49, 64, 256)]
    assert parameter_count(coders.encoder((1, 28, 28))) == sum(2 * k * i * o + 2 * o for k, i, o in plan)
    back = [(49, 64, 64), (25, 64, 64), (25, 64, 32), (25, 32, 32), (25, 32, 32), (25, 32, 32)]
    assert parameter_count(coders.decoder(64, (1, 28, 28), 1)) == sum(2 * k * i * o + 2 * o for k, i, o in back) + 32 + 1


def test_a_grid_that_does_not_halve_is_refused():
    with pytest.raises(SettingsError, match=r"halve the grid twice .* kernel 5 on \[10, 8\] pixels; use kind: mlp"):
        GatedConvolutions().encoder((1, 10, 8))


def test_settings_from_a_file():
    raw = {
        "coders": {"kind": "mlp", "hidden": [8]},
        "latent": 2,
        "flow": {"kind": "ffjord", "flows": 1, "hidden": [8], "rank": 1, "solver": SOLVER.model_dump()},
    }
    settings = validated(VAESettings, raw, where="settings.yaml")
    assert settings.flow == FFJORDSettings(flows=1, hidden=(8,), rank=1, solver=SOLVER)
    with pytest.raises(SettingsError, match="flow"):
        validated(VAESettings, raw | {"flow": {"kind": "glow"}}, where="settings.yaml")
