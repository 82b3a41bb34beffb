import math

import torch

from common.learning.nets.build import MLPSettings, build_backbone
from common.learning.objective_table import OBJECTIVES
from replications.flow_matching.upsampling import Conditioned, matching_loss, psnr, regression, regressor_loss, shrink_and_enlarge


def images(n=4, size=4):
    return torch.randn(n, 1, size, size, generator=torch.Generator().manual_seed(n))


def test_small_images_are_means_of_pixels_repeated():
    large = torch.arange(16.0).reshape(1, 1, 4, 4)
    enlarged = shrink_and_enlarge(large, 2)
    assert enlarged[0, 0].tolist() == [[2.5, 2.5, 4.5, 4.5]] * 2 + [[10.5, 10.5, 12.5, 12.5]] * 2
    torch.testing.assert_close(shrink_and_enlarge(enlarged, 2), enlarged)


def test_psnr_of_a_known_error():
    truth = images()
    assert math.isclose(psnr(truth + 0.2, truth), 20.0, rel_tol=1e-5)  # 10 log10(4 / 0.04)


def test_a_sample_of_the_posterior_loses_three_decibels_against_its_mean():
    """Whatever the posteriors' widths: here one image is nearly certain and the others are not."""
    generator = torch.Generator().manual_seed(0)
    width = torch.tensor([0.01, 0.3, 1.0, 0.5]).reshape(4, 1, 1, 1)
    mean, truth, sample = (images(4, 64), *(width * torch.randn(4, 1, 64, 64, generator=generator) for _ in range(2)))
    lost = psnr(mean, mean + truth) - psnr(mean + sample, mean + truth)
    assert math.isclose(lost, 10 * math.log10(2), abs_tol=0.1)


def test_the_network_sees_the_condition_and_answers_for_the_state_alone():
    network = build_backbone(MLPSettings(width=16, blocks=1), (2, 4, 4), seed=0)
    torch.nn.init.normal_(network.leave.weight, generator=torch.Generator().manual_seed(0))
    x, t = images(), torch.full((4,), 0.5)
    first, second = (Conditioned(network, condition)(x, t) for condition in (torch.zeros_like(x), torch.ones_like(x)))
    assert first.shape == x.shape and not torch.allclose(first, second)


def test_losses_of_a_silent_network_are_the_targets_second_moments():
    network = build_backbone(MLPSettings(width=16, blocks=1), (2, 4, 4), seed=0)  # its last layer starts at zero
    x0, noise, t = images(), images(4).flip(0), torch.full((4,), 0.3)
    condition = shrink_and_enlarge(x0, 2)
    objective = OBJECTIVES["fm_ot"].objective.build()
    expected = ((1 - 1e-5) * noise - x0).square().mean()
    loss = matching_loss(network, objective, x0, condition, t=t, noise=noise)
    assert math.isclose(loss.item(), expected.item(), rel_tol=1e-4)
    assert math.isclose(regressor_loss(network, x0, condition).item(), x0.square().mean().item(), rel_tol=1e-6)
    assert regression(network, condition).abs().max() == 0
