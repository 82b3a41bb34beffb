import pytest
import torch

from common.errors import SettingsError
from common.nets.build import MLPSettings, UNetSettings, build_backbone
from common.nets.embedding import FourierEmbedding, SinusoidalEmbedding
from common.nets.mlp import parameter_count

MLP = MLPSettings(width=32, blocks=2)
UNET = UNetSettings(channels=32, multipliers=(1, 2), blocks=1, attention=(7,), head_channels=16)
CASES = [
    (MLP, (2,)),
    (MLP, (1, 8, 8)),
    (UNET, (1, 8, 8)),
    (UNET, (3, 16, 16)),
    (UNetSettings(channels=32, multipliers=(1, 2, 2), blocks=1), (1, 28, 28)),
    (UNetSettings(channels=32, multipliers=(1, 2, 2), blocks=1), (1, 7, 5)),
]


def randomised(net):
    """Zero-initialised layers hide errors behind them: give every parameter a value."""
    generator = torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        parameter.data = 0.2 * torch.randn(parameter.shape, generator=generator)
    return net


@pytest.mark.parametrize(("settings", "shape"), CASES)
def test_shape_gradient_to_every_parameter_and_dependence_on_time(settings, shape):
    net = randomised(build_backbone(settings, shape, seed=0))
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    t = torch.tensor([0.1, 0.5, 0.9])
    out = net(x, t)
    assert out.shape == x.shape
    out.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in net.parameters())
    with torch.no_grad():
        assert (net(x, t + 0.05) - out).abs().max() > 1e-4
        torch.testing.assert_close(net(x[1:2], t[1:2]), out[1:2], msg="samples of a batch do not mix")


@pytest.mark.parametrize(("settings", "shape"), CASES[:3])
def test_weights_depend_on_the_seed_alone_and_start_at_zero_output(settings, shape):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (build_backbone(settings, shape, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters())]
    assert all(same) and any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters()))
    assert first(torch.ones(1, *shape), torch.ones(1)).abs().max() == 0


def test_attention_sits_where_it_is_asked_for():
    def count(attention):
        settings = UNetSettings(channels=32, multipliers=(1, 2), blocks=1, attention=attention)
        return sum(type(module).__name__ == "Attention" for module in build_backbone(settings, (1, 8, 8), seed=0).modules())

    # always one in the middle; one per block on the way down, one more per block on the way up
    assert [count(()), count((8,)), count((4,)), count((8, 4))] == [1, 4, 4, 7]


def test_parameter_counts_are_pinned():
    assert parameter_count(build_backbone(MLPSettings(width=192, blocks=3), (1, 8, 8), seed=0)) == 288_192
    assert parameter_count(build_backbone(MLPSettings(width=96, blocks=3), (2,), seed=0)) == 78_946


def test_unet_needs_images():
    with pytest.raises(SettingsError, match=r"backbone\.kind: a U-Net needs images, but samples have shape \[2\]; use kind: mlp"):
        build_backbone(UNET, (2,), seed=0)


@pytest.mark.parametrize("embedding", [SinusoidalEmbedding(8, fastest=50.0), FourierEmbedding(8)])
def test_embeddings_are_points_on_circles(embedding):
    values = embedding(torch.tensor([0.0, 0.3, 1.0]))
    cosines, sines = values.chunk(2, dim=1)
    torch.testing.assert_close(cosines.square() + sines.square(), torch.ones(3, 4))
    torch.testing.assert_close(values[0], torch.tensor([1.0] * 4 + [0.0] * 4))


def test_sinusoidal_frequencies_run_from_one_to_the_fastest():
    frequencies = SinusoidalEmbedding(6, fastest=100.0).frequencies
    torch.testing.assert_close(frequencies, torch.tensor([1.0, 10.0, 100.0]))
