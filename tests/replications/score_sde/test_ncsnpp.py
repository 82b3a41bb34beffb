"""The networks of score SDE: the official code's outputs from the same weights, published sizes, and what a U-Net must do."""

import json
import math

import pytest
import torch
from score_sde_official import CASES, FILE, SHAPE, built, digest, inputs, summary
from torch import nn

from common.errors import SettingsError
from common.learning.nets.build import build_backbone, check_fits
from common.learning.nets.mlp import parameter_count
from replications.score_sde.networks.attention import Attention
from replications.score_sde.networks.blocks import ResidualBlock, conv, linear
from replications.score_sde.networks.checkpoint import negate_output
from replications.score_sde.networks.embeddings import FourierEmbedding, StepEmbedding
from replications.score_sde.networks.ncsnpp import NCSNppSettings
from replications.score_sde.networks.official_names import places
from replications.score_sde.networks.published import ddpm, ddpmpp, described, ncsnpp, ncsnpp_256, ncsnpp_1024

F64 = torch.float64
OFFICIAL = json.loads(FILE.read_text())
PUBLISHED = {
    "ddpm": (ddpm(), 32, 35_218_947),
    "ddpm++": (ddpmpp(), 32, 61_804_419),
    "ddpm++ deep": (ddpmpp(8), 32, 106_632_579),
    "ncsn++ discrete": (ncsnpp(embedding="sinusoidal"), 32, 62_693_251),
    "ncsn++": (ncsnpp(), 32, 62_758_787),
    "ncsn++ deep": (ncsnpp(8), 32, 107_586_947),
    "ncsn++ 256": (ncsnpp_256(), 256, 65_574_421),
    "ncsn++ 1024": (ncsnpp_1024(), 1024, 105_785_880),
}


@pytest.mark.parametrize("case", CASES)
def test_outputs_are_the_official_codes(case):
    net, (x, t) = built(case), inputs(CASES[case]["embedding"])
    with torch.no_grad():
        out = net(x, t)
    torch.testing.assert_close(summary(out), OFFICIAL["outputs"][case], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_names_shapes_and_order_are_the_official_codes(case):
    with torch.device("meta"):
        net = NCSNppSettings(**CASES[case]).build(SHAPE)
    assert digest(places(net)) == OFFICIAL["digests"][case]
    assert sum(view.numel() for name, view in places(net).items() if not name.endswith(".0.W")) == parameter_count(net)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_have_the_official_weights(name):
    settings, size, count = PUBLISHED[name]
    with torch.device("meta"):
        net = settings.build((3, size, size))
    assert parameter_count(net) == count
    assert [digest(places(net)), count] == OFFICIAL["published"][name]
    if settings.embedding == "fourier":
        assert net.embed[0].frequencies.numel() == settings.channels


@pytest.mark.parametrize(
    ("key", "case", "path", "times"),
    [
        ("ve", "ncsn++", "ve", (0.25, 0.7)),
        ("vp", "ddpm++", "vp", (0.25, 0.7)),
        ("sub_vp", "ddpm++", "sub_vp", (0.25, 0.7)),
        ("ve, levels", "ncsn++, discrete", "ve", (1 - 300 / 999, 1 - 4 / 999)),
    ],
)
def test_a_denoiser_of_it_answers_with_the_official_score(key, case, path, times):
    """With sigma where the official model, or its score function, divides by it."""
    model = described(NCSNppSettings(**CASES[case]), path, SHAPE).build(0)
    model.backbone = built(case)
    if path == "ve":
        negate_output(model.backbone)
    x, _ = inputs(CASES[case]["embedding"])
    with torch.no_grad():
        score = model.score(x, torch.tensor(times, dtype=F64))
    torch.testing.assert_close(summary(score), OFFICIAL["scores"][key], rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    "case", ["small ddpm", "ddpm++", "ncsn++", "ncsn++, large", "image as channels", "residual both ways", "output alone"]
)
def test_shape_gradient_to_every_parameter_and_dependence_on_time(case):
    net, (x, t) = built(case), inputs(CASES[case]["embedding"])
    x = torch.cat([x, x[..., :4]], -1)  # not square
    out = net(x, t)
    assert out.shape == x.shape
    out.square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad.abs().max() > 1e-9, name
    with torch.no_grad():
        assert ((net(x, t.roll(1)) - out).abs().amax((1, 2, 3)) > 1e-4).all()
        torch.testing.assert_close(net(x[1:], t[1:]), out[1:], msg="samples of a batch do not mix")
        torch.testing.assert_close(net(x, t[1:]), net(x, t[1:].expand(2)), msg="one time for all samples")


def test_described_models_know_their_pixels_levels_and_noise():
    continuous, discrete = described(ncsnpp(), "ve", sigma_max=90.0), described(ncsnpp(embedding="sinusoidal"), "ve")
    vp = described(ddpmpp(), "vp")
    assert [model.pixel_range for model in (continuous, discrete, vp)] == [(0.0, 1.0), (0.0, 1.0), (-1.0, 1.0)]
    assert [model.conditioning.t for model in (continuous, discrete, vp)] == ["log_sigma", "index", "steps"]
    assert [model.objective.noise_levels for model in (continuous, discrete, vp)] == [None, 1000, None]
    assert [model.objective.build().path.prior_std for model in (continuous, discrete, vp)] == [90.0, 50.0, 1.0]


def test_steps_are_embedded_as_sines_and_cosines():
    t = torch.tensor([0.0, 641.0], dtype=F64)
    frequencies = [1.0, 10_000 ** (-1 / 3), 10_000 ** (-2 / 3), 1e-4]
    expected = [[f(w * step) for f in (math.sin, math.cos) for w in frequencies] for step in (0, 641)]
    torch.testing.assert_close(StepEmbedding(8)(t), torch.tensor(expected, dtype=F64))


def test_fourier_frequencies_are_fixed_normal_numbers_of_their_scale():
    embedding = build_seeded(lambda: FourierEmbedding(20_000, 16.0)).double()
    assert not list(embedding.parameters()) and "frequencies" in embedding.state_dict()
    w = embedding.frequencies
    assert w.std() == pytest.approx(16, rel=0.03) and w.abs().median() == pytest.approx(16 * 0.6745, rel=0.05)
    out = embedding(torch.tensor([-1.5], dtype=F64))
    torch.testing.assert_close(out[0], torch.cat([(2 * math.pi * -1.5 * w).sin(), (2 * math.pi * -1.5 * w).cos()]))


def build_seeded(build):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build()


@pytest.mark.parametrize(
    ("layer", "variance"),
    [
        (lambda: conv(40, 60), 1 / (9 * 50)),
        (lambda: conv(40, 60, kernel=1, scale=0.1), 0.1 / 50),
        (lambda: linear(40, 360), 1 / 200),
        (lambda: Attention(64, rescale=False).qkv, 0.1 / 64),
        (lambda: Attention(64, rescale=False).out, 1e-10 / 64),
        (lambda: block("ddpm", 64, 128).skip, 0.1 / 96),
        (lambda: block("biggan", 64, 128).skip, 1 / 96),
        (lambda: block("biggan", 64, 64).conv2, 1e-10 / (9 * 64)),
        (lambda: block("biggan", 64, 128).time, 1 / 80),
    ],
)
def test_initial_weights_are_uniform_with_the_published_variance(layer, variance):
    layer = build_seeded(layer)
    assert layer.weight.var().item() == pytest.approx(variance, rel=0.06)
    assert layer.weight.abs().max().item() == pytest.approx(math.sqrt(3 * variance), rel=0.01)
    assert not layer.bias.any()


def block(kind, channels, out):
    return ResidualBlock(channels, out, embedding=32, dropout=0.0, kind=kind, rescale=True)


@pytest.mark.parametrize("output", ["none", "output_skip", "residual"])
def test_an_untrained_network_answers_with_nearly_nothing(output):
    settings = NCSNppSettings(**{**CASES["ncsn++"], "output": output})
    out = build_backbone(settings, SHAPE, seed=0)(torch.randn(2, *SHAPE), torch.zeros(2))
    assert 0 < out.abs().max() < 1e-3


def test_dropout_is_for_training_only():
    net, (x, t) = built("ncsn++"), inputs("fourier")
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.3
    with torch.no_grad():
        assert torch.equal(net(x, t), net(x, t)) and not torch.equal(net.train()(x, t), net(x, t))
    blocks = [
        module
        for module in NCSNppSettings(**CASES["ncsn++"], dropout=0.3).build(SHAPE).modules()
        if isinstance(module, ResidualBlock)
    ]
    assert all(each.dropout.p == 0.3 for each in blocks)


@pytest.mark.parametrize(
    ("change", "shape", "message"),
    [
        ({}, (2,), r"backbone\.kind: NCSN\+\+ needs images, but samples have shape \[2\]; use kind: mlp"),
        ({"multipliers": (1, 1, 1)}, (1, 6, 8), r"backbone\.multipliers: 3 resolutions halve images of \[6, 8\] pixels 2 times"),
        ({"attention": (8, 3)}, (1, 8, 8), r"backbone\.attention: no resolution has height \[3\]; the heights are \[8, 4\]"),
        (
            {"channels": 36, "multipliers": (1, 5)},
            (1, 8, 8),
            r"backbone\.channels: maps of 180 features do not split into 32 groups",
        ),
    ],
)
def test_settings_that_do_not_fit_are_named(change, shape, message):
    settings = NCSNppSettings(**{**CASES["ncsn++"], **change})
    with pytest.raises(SettingsError, match=message):
        check_fits(settings, shape)
