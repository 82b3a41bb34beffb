"""The parts of the U-Net against their formulas: its output starts at zero, so nothing else would see what is wrong inside."""

import math

import pytest
import torch
from torch.nn import functional as F

from common.learning.nets.build import UNetSettings, build_backbone
from common.learning.nets.unet import Attention, ResidualBlock


def randomised(module, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return module.double()


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_attention_is_the_formula_for_every_head_in_image_order():
    block, x = randomised(Attention(8, 4)), images(2, 8, 3, 2)
    normed = F.group_norm(x, block.norm.num_groups, block.norm.weight, block.norm.bias)
    qkv = (
        (torch.einsum("oc,bcp->bop", block.qkv.weight.reshape(24, 8), normed.flatten(2)) + block.qkv.bias.reshape(1, -1, 1))
        if (block.qkv.weight.ndim == 4)
        else block.qkv(normed.flatten(2))
    )
    q, k, v = qkv.reshape(2, 3, 2, 4, 6).unbind(1)  # [batch, heads, channels of a head, positions]
    weights = (torch.einsum("bhcp,bhcq->bhpq", q, k) / math.sqrt(4)).softmax(-1)
    mixed = torch.einsum("bhpq,bhcq->bhcp", weights, v).reshape(2, 8, 3, 2)
    torch.testing.assert_close(block(x), x + block.out(mixed))


def test_a_residual_block_is_the_formula():
    block, x, emb = randomised(ResidualBlock(4, 8, 5, dropout=0.0)), images(2, 4, 6, 6), images(2, 5)
    h = block.conv1(F.silu(block.norm1(x)))
    scale, shift = block.time(emb).reshape(2, 2, 8, 1, 1).unbind(1)
    h = block.conv2(F.silu(block.norm2(h) * (1 + scale) + shift))
    torch.testing.assert_close(block(x, emb), block.skip(x) + h)


@pytest.mark.parametrize("how", ["up", "down"])
def test_a_resampling_block_resamples_both_branches(how):
    block, x, emb = randomised(ResidualBlock(4, 4, 5, 0.0, how)), images(2, 4, 6, 6), images(2, 5)

    def resample(y):
        return F.avg_pool2d(y, 2) if how == "down" else y.repeat_interleave(2, -1).repeat_interleave(2, -2)

    h = block.conv1(resample(F.silu(block.norm1(x))))
    scale, shift = block.time(emb).reshape(2, 2, 4, 1, 1).unbind(1)
    h = block.conv2(F.silu(block.norm2(h) * (1 + scale) + shift))
    torch.testing.assert_close(block(x, emb, (12, 12)), resample(x) + h)


def test_every_skip_carries_its_stage():
    """With the way through the bottom cut, what each stage on the way down sent across still reaches the output."""
    settings = UNetSettings(channels=8, multipliers=(1, 2), blocks=1)
    net = randomised(build_backbone(settings, (1, 8, 8), seed=0))
    net.middle[-1].register_forward_hook(lambda module, given, out: torch.zeros_like(out))
    seen = []
    for stage in net.down:
        stage.register_forward_hook(lambda module, given, out: seen.append(out) or out.retain_grad())
    net(images(2, 1, 8, 8), images(1)[:1]).square().sum().backward()
    assert len(seen) == 3 and all(out.grad.abs().sum() > 0 for out in seen)
    kept = net(images(2, 1, 8, 8), images(1)[:1])
    net.down[0].register_forward_hook(lambda module, given, out: torch.zeros_like(out))
    assert (net(images(2, 1, 8, 8), images(1)[:1]) - kept).abs().max() > 1e-6
