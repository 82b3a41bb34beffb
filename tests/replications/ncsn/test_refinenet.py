"""The blocks of NCSN's network against their formulas, and how the network puts them together."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from common.dynamics.paths import level_times, ve
from common.errors import SettingsError
from common.learning.models import ConditioningSettings, ModelSettings, ObjectiveSettings, load_denoiser
from common.learning.nets.build import build_backbone, check_fits
from common.learning.nets.mlp import parameter_count
from common.runs.folders import Outcome, write_run
from replications.ncsn.instance_norm import InstanceNormPlus
from replications.ncsn.refinenet import ChainedPooling, ConvUnit, Fusion, RefineBlock, RefineNetSettings, ResidualBlock

F64 = torch.float64
SMALL, SINGLE = RefineNetSettings(filters=4, levels=3), RefineNetSettings(filters=4, levels=None)
LEVEL = torch.tensor([2, 0])


class Shift(nn.Module):
    """A norm that normalises nothing: sees no neighbours, and adds the level."""

    def __init__(self, channels):
        super().__init__()

    def forward(self, x, level):
        return x + level.to(x).reshape(-1, 1, 1, 1)


def draw(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def randomised(module):
    """Every parameter a value of its own, in float64."""
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return module.double()


def normed(channels):
    return InstanceNormPlus(channels, 3)


def elu(x):
    return torch.where(x > 0, x, x.exp() - 1)


def layer(layer, x, dilation=1):
    """norm, ELU, convolution, written out."""
    return F.conv2d(elu(layer.norm(x, LEVEL)), layer.conv.weight, layer.conv.bias, padding=dilation, dilation=dilation)


def mean_of_four(x):
    return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4


def unit(unit, x):
    return x + layer(unit.layers[1], layer(unit.layers[0], x))


@pytest.mark.parametrize(
    ("down", "dilation", "out", "kernel"), [(False, 1, 4, 0), (False, 2, 4, 0), (True, 1, 8, 1), (True, 2, 4, 3), (True, 4, 4, 3)]
)
def test_a_residual_block_is_the_formula(down, dilation, out, kernel):
    block, x = randomised(ResidualBlock(normed, 4, out, down=down, dilation=dilation)), draw(2, 4, 12, 10)
    h = layer(block.layers[1], layer(block.layers[0], x, dilation), dilation)
    shortcut = x
    if kernel:
        assert block.shortcut.kernel_size == (kernel, kernel)
        padding = dilation if kernel == 3 else 0
        shortcut = F.conv2d(x, block.shortcut.weight, block.shortcut.bias, padding=padding, dilation=dilation)
    if down and dilation == 1:
        h, shortcut = mean_of_four(h), mean_of_four(shortcut)
    torch.testing.assert_close(block(x, LEVEL), h + shortcut)


def test_odd_sizes_are_halved_upwards_by_means_of_the_pixels_there_are():
    block, x = randomised(ResidualBlock(normed, 4, 8, down=True)), draw(2, 4, 7, 5)
    found = block(x, LEVEL)
    assert found.shape == (2, 8, 4, 3)
    h = F.conv2d(x, block.shortcut.weight, block.shortcut.bias) + layer(block.layers[1], layer(block.layers[0], x))
    torch.testing.assert_close(found[..., -1, -1], h[..., -1, -1])
    torch.testing.assert_close(found[..., -1, 0], h[..., -1, :2].mean(-1))


def test_a_convolution_unit_is_the_formula():
    block, x = randomised(ConvUnit(normed, 4)), draw(2, 4, 6, 5)
    assert all(layer.conv.bias is None for layer in block.layers)
    torch.testing.assert_close(block(x, LEVEL), unit(block, x))


def test_chained_pooling_is_the_formula():
    block, x = randomised(ChainedPooling(normed, 4)), draw(2, 4, 6, 7)
    first = second = elu(x)
    found = []
    for norm, conv in zip(block.norms, block.convs):
        padded = F.pad(norm(second, LEVEL), (2, 2, 2, 2))
        means = torch.stack([padded[..., i : i + 6, j : j + 7] for i in range(5) for j in range(5)]).sum(0) / 25
        assert conv.bias is None
        second = F.conv2d(means, conv.weight, padding=1)
        found.append(second)
    torch.testing.assert_close(block(x, LEVEL), first + found[0] + found[1])


@pytest.mark.parametrize(("height", "width"), [(4, 3), (7, 5)])
def test_fusion_is_the_formula(height, width):
    block, several = randomised(Fusion(normed, [4, 6], 5)), [draw(2, 4, 7, 5), draw(2, 6, height, width, seed=2)]
    first, second = (
        F.conv2d(norm(x, LEVEL), conv.weight, conv.bias, padding=1) for x, norm, conv in zip(several, block.norms, block.convs)
    )
    torch.testing.assert_close(block(several, LEVEL), first + bilinear(second, 7, 5))


def bilinear(x, height, width):
    """As a product with the hat functions of evenly spaced pixels whose first and last are corners."""
    for axis, size in ((-2, height), (-1, width)):
        old = x.shape[axis]
        at = torch.linspace(0, old - 1, size, dtype=F64)[:, None]
        hats = (1 - (at - torch.arange(old)).abs()).clamp(min=0)
        x = torch.einsum("ij,bcjw->bciw" if axis == -2 else "ij,bchj->bchi", hats, x)
    return x


@pytest.mark.parametrize("units", [1, 3])
def test_a_refinement_block_is_its_parts_in_order(units):
    block, several = randomised(RefineBlock(normed, [4, 4], 6, units)), [draw(2, 4, 7, 5), draw(2, 4, 4, 3, seed=2)]
    adapted = [unit(chain[1], unit(chain[0], x)) for chain, x in zip(block.adapt, several)]
    expected = block.pool(block.fuse(adapted, LEVEL), LEVEL)
    assert len(block.finish) == units and all(len(chain) == 2 for chain in block.adapt)
    for each in block.finish:
        expected = unit(each, expected)
    torch.testing.assert_close(block(several, LEVEL), expected)


def test_one_input_needs_no_fusion():
    block, x = randomised(RefineBlock(normed, [4], 4)), draw(2, 4, 6, 5)
    expected = unit(block.finish[0], block.pool(unit(block.adapt[0][1], unit(block.adapt[0][0], x)), LEVEL))
    torch.testing.assert_close(block([x], LEVEL), expected)


def test_stages_see_as_far_as_their_dilations():
    """Without norms, which see everything: two blocks of two convolutions reach four dilations far, in steps of one."""
    net = randomised(SMALL.build((1, 8, 8)))
    for module in net.modules():
        if hasattr(module, "norm"):
            module.norm = Shift(0)
    for stage, dilation, channels in ((net.stages[0], 1, 4), (net.stages[2], 2, 8), (net.stages[3], 4, 8)):
        x = draw(1, channels, 40, 40).requires_grad_()
        stage(x, LEVEL[:1])[0, 0, 20, 20].backward()
        seen = x.grad.abs().amax((0, 1)) > 0
        for line in (seen.any(0), seen.any(1)):
            assert (line.nonzero().flatten() - 20).tolist() == list(range(-4 * dilation, 4 * dilation + 1, dilation))


def test_the_network_puts_its_blocks_together_as_published():
    net, x = randomised(SMALL.build((3, 8, 8))), torch.rand(2, 3, 8, 8, dtype=F64)
    outputs, given = {}, {}

    def watch(name, module):
        def keep(module, inputs, out):
            given[name], outputs[name] = inputs, out

        module.register_forward_hook(keep)

    watch("enter", net.enter)
    watch("leave", net.leave)
    for k in range(4):
        watch(f"stage{k}", net.stages[k])
        watch(f"refine{k}", net.refine[k])
    found = net(x, LEVEL.double())
    torch.testing.assert_close(given["enter"][0], 2 * x - 1)
    for k, before in enumerate(("enter", "stage0", "stage1", "stage2")):
        assert given[f"stage{k}"][0] is outputs[before]
    assert [len(given[f"refine{k}"][0]) for k in range(4)] == [1, 2, 2, 2]
    for k in range(4):
        assert given[f"refine{k}"][0][0] is outputs[f"stage{3 - k}"]
        assert k == 0 or given[f"refine{k}"][0][1] is outputs[f"refine{k - 1}"]
    assert given["leave"][0] is outputs["refine3"] and found is outputs["leave"]
    assert [tuple(outputs[f"stage{k}"].shape[1:]) for k in range(4)] == [(4, 8, 8), (8, 4, 4), (8, 4, 4), (8, 4, 4)]
    assert [tuple(outputs[f"refine{k}"].shape[1:]) for k in range(4)] == [(8, 4, 4), (8, 4, 4), (4, 4, 4), (4, 8, 8)]
    torch.testing.assert_close(found, layer(net.leave, outputs["refine3"]))


# those of the networks that the authors published: for MNIST, for CIFAR-10 and CelebA, for the baseline of a single noise level
@pytest.mark.parametrize(
    ("filters", "levels", "shape", "count"),
    [(64, 10, (1, 28, 28), 7_638_657), (128, 10, (3, 32, 32), 30_117_635), (64, None, (1, 28, 28), 7_443_393)],
)
def test_parameter_counts(filters, levels, shape, count):
    with torch.device("meta"):
        assert parameter_count(RefineNetSettings(filters=filters, levels=levels).build(shape)) == count


@pytest.mark.parametrize("settings", [SMALL, SINGLE])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 8, 8), (1, 7, 7), (2, 7, 5), (1, 3, 1)])
def test_shape_gradient_to_every_parameter_and_dependence_on_the_level(settings, shape):
    net = build_backbone(settings, shape, seed=0).double()
    x, t = draw(3, *shape), torch.tensor([0.0, 1.0, 2.0], dtype=F64)
    out = net(x, t)
    assert out.shape == x.shape
    out.square().sum().backward()
    for name, parameter in net.named_parameters():
        # one row for each level: every one of them
        rows = parameter.grad if "table" in name else parameter.grad[None]
        assert rows.flatten(1).abs().amax(1).min() > 1e-9, name
    with torch.no_grad():
        assert ((net(x, t.roll(1)) - out).abs().amax((1, 2, 3)) > 1e-4).all() == (settings is SMALL)
        torch.testing.assert_close(net(x[1:2], t[1:2]), out[1:2], msg="samples of a batch do not mix")
        torch.testing.assert_close(net(x, t[1:2]), net(x, t[1:2].expand(3)), msg="one level for all samples")


def test_one_level_for_all_is_looked_up_once():
    net, looked_up = SMALL.build((1, 8, 8)), []
    for module in net.modules():
        if isinstance(module, nn.Embedding):
            module.register_forward_hook(lambda _, inputs, out: looked_up.append(tuple(inputs[0].shape)))
    net(torch.rand(5, 1, 8, 8), torch.tensor([2.0]))
    assert len(looked_up) == sum(isinstance(module, InstanceNormPlus) for module in net.modules()) and set(looked_up) == {(1,)}


def test_the_second_derivative_that_sliced_score_matching_takes():
    """v . (d score / d x) v, its gradient in a weight against a difference."""
    net = randomised(SMALL.build((1, 5, 5)))
    x, v, t = torch.rand(2, 1, 5, 5, dtype=F64, generator=torch.Generator().manual_seed(0)), draw(2, 1, 5, 5), LEVEL.double()
    weight = net.stages[1][0].layers[0].conv.weight

    def curvature():
        inputs = x.clone().requires_grad_()
        return (torch.autograd.grad((net(inputs, t) * v).sum(), inputs, create_graph=True)[0] * v).sum()

    slope = torch.autograd.grad(curvature(), weight)[0]
    direction, step = draw(*weight.shape, seed=3), 1e-5
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            weight += sign * step * direction
        ends.append(curvature().item())
        with torch.no_grad():
            weight -= sign * step * direction
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx((slope * direction).sum().item(), rel=1e-5)


def model_settings(backbone, levels, t):
    return ModelSettings(
        objective=ObjectiveSettings(
            path="ve", path_options={"sigma_min": 0.01, "sigma_max": 1.0}, prediction="score", noise_levels=levels
        ),
        conditioning=ConditioningSettings(t=t),
        pixel_range=(0.0, 1.0),
        backbone=backbone,
        shape=(1, 8, 8),
    )


@pytest.mark.parametrize(("backbone", "levels", "t"), [(SMALL, 3, "index"), (SINGLE, 1, "none")])
def test_a_denoiser_of_it_is_saved_and_loaded_and_asked_by_level(backbone, levels, t, tmp_path):
    settings = model_settings(backbone, levels, t)
    denoiser = settings.build(0)
    outcome = Outcome([], weights=denoiser.backbone.state_dict(), model=settings.model_dump(mode="json"))
    write_run(tmp_path, outcome, dict.fromkeys(("paper", "experiment", "variant", "seed", "level", "device", "commit"), ""))
    loaded = load_denoiser(tmp_path, backbones=[RefineNetSettings])
    x, times = torch.rand(2, 1, 8, 8, dtype=F64), level_times(ve(0.01, 1.0), levels)
    for index, time in enumerate(times):
        score = loaded.score(x, time)
        torch.testing.assert_close(score, denoiser.score(x, time), rtol=0, atol=0)
        # the output is the score, with no sigma in it
        torch.testing.assert_close(score, denoiser.backbone(x.float(), torch.tensor([float(index)])).double(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("settings", "shape", "message"),
    [
        (SMALL, (2,), r"backbone\.kind: a RefineNet needs images, but samples have shape \[2\]; use kind: mlp"),
        (SMALL, (3, 2, 2), r"backbone\.kind: a RefineNet halves the resolution, and \[3, 2, 2\] leaves one pixel; use kind: mlp"),
        (SMALL.model_copy(update={"filters": 1}), (1, 8, 8), r"backbone\.filters: .* needs 2, not 1"),
    ],
)
def test_settings_that_do_not_fit_are_named(settings, shape, message):
    with pytest.raises(SettingsError, match=message):
        check_fits(settings, shape)
