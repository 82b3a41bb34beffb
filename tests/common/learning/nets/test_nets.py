import pytest
import torch

from common.errors import SettingsError
from common.learning.nets.build import MLPSettings, UNetSettings, build_backbone, check_fits
from common.learning.nets.embedding import FourierEmbedding, SinusoidalEmbedding
from common.learning.nets.mlp import parameter_count

MLP = MLPSettings(width=32, blocks=2)
UNET = UNetSettings(channels=32, multipliers=(1, 2), blocks=1, attention=(8,), head_channels=16)
THREE_LEVELS = UNetSettings(channels=32, multipliers=(1, 2, 2), blocks=1, resample="convolution")
# the flow matching paper's network for CIFAR-10 (its table of hyper-parameters)
PAPER = UNetSettings(channels=256, multipliers=(1, 2, 2, 2), blocks=2, attention=(16,), head_channels=64)
CASES = [
    (MLP, (2,)),
    (MLP, (1, 8, 8)),
    (UNET, (1, 8, 8)),
    (UNET, (3, 16, 16)),
    (THREE_LEVELS, (1, 28, 28)),
    (THREE_LEVELS, (1, 7, 5)),
    (THREE_LEVELS.model_copy(update={"resample": "residual", "attention": (7,)}), (1, 28, 28)),
    (THREE_LEVELS.model_copy(update={"resample": "residual", "attention": (4, 2)}), (1, 7, 5)),
    (UNET.model_copy(update={"multipliers": (1, 1, 1, 2)}), (3, 32, 32)),
    (UNET.model_copy(update={"multipliers": (1, 1, 1, 1)}), (3, 64, 64)),
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
        torch.testing.assert_close(net(x, t[1:2]), net(x, t[1:2].expand(3)), msg="one time for all samples")


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
    assert parameter_count(build_backbone(MLPSettings(width=192, blocks=3), (1, 8, 8), seed=0)) == 288_257
    assert parameter_count(build_backbone(MLPSettings(width=96, blocks=3), (2,), seed=0)) == 79_011
    assert parameter_count(build_backbone(UNET, (1, 8, 8), seed=0)) == 788_897
    with torch.device("meta"):
        assert parameter_count(build_backbone(PAPER, (3, 32, 32), seed=0)) == 171_268_099


def test_groups_of_a_norm_are_32_as_published_and_never_single_channels():
    groups = {
        module.num_channels: module.num_groups
        for channels in (32, 96, 128, 256)
        for module in build_backbone(UNET.model_copy(update={"channels": channels}), (1, 8, 8), seed=0).modules()
        if isinstance(module, torch.nn.GroupNorm)
    }
    assert {c: groups[c] for c in (32, 64, 96, 128, 256, 512)} == {32: 8, 64: 16, 96: 16, 128: 32, 256: 32, 512: 32}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attention": (7,)}, r"backbone\.attention: no resolution has height \[7\]; the heights are \[8, 4\]"),
        ({"head_channels": 10}, r"backbone\.head_channels: 32 features do not split into heads of 10"),
    ],
)
def test_settings_that_do_not_fit_are_named(change, message):
    with pytest.raises(SettingsError, match=message):
        build_backbone(UNET.model_copy(update=change), (1, 8, 8), seed=0)


def test_memory_format_changes_nothing():
    net = randomised(build_backbone(UNET, (3, 8, 8), seed=0)).double()
    x, t = (
        torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64),
        torch.tensor([0.2, 0.7]).double(),
    )
    expected = net(x, t)
    torch.testing.assert_close(net.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last), t), expected)


def test_dropout_acts_in_training_only():
    net = randomised(build_backbone(UNET.model_copy(update={"dropout": 0.5}), (1, 8, 8), seed=0))
    x, t = torch.ones(1, 1, 8, 8), torch.ones(1)
    assert not torch.equal(net(x, t), net(x, t))
    net.eval()
    assert torch.equal(net(x, t), net(x, t))


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


@pytest.mark.parametrize(("width", "message"), [(10**6, r"parameters takes .* GiB of memory"), (10**12, "make it smaller")])
def test_a_network_that_no_memory_holds_is_found_before_it_is_built(width, message):
    with pytest.raises(SettingsError, match=message):
        check_fits(MLPSettings(width=width, blocks=1), (1, 8, 8))
    check_fits(MLPSettings(width=64, blocks=1), (1, 8, 8))


def test_the_perceptrons_time_varies_slowly():
    """Adaptive solvers follow every wiggle in time: the fastest frequency is a choice that evaluations depend on."""
    assert float(build_backbone(MLPSettings(width=8, blocks=1), (2,), seed=0).embed[0].frequencies.max()) == pytest.approx(20.0)
