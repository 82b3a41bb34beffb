"""The residual MLP's divergence in closed form against as many vector-Jacobian products; one thread, in turns, fastest each.

The network is the laptop level's of the digits, the images as many as flow matching's table solves jointly. The rival takes its
products in shares that fit the cache, as it does wherever a backbone has no closed form.
"""

import time

import pytest
import torch

from common.dynamics.answers import Answers
from common.dynamics.denoiser import Denoiser
from common.dynamics.paths import vp
from common.learning.nets.build import MLPSettings, build_backbone

pytestmark = pytest.mark.benchmark
IMAGES, ROUNDS, CACHED = 375, 15, 16


def seconds(divergence, *arguments, **options):
    """Return what a call gives and the seconds that it takes."""
    begin = time.perf_counter()
    with torch.no_grad():
        found = divergence(*arguments, **options)
    return found, time.perf_counter() - begin


def test_closed_form_takes_two_thirds_of_the_products_time(capsys):
    generator = torch.Generator().manual_seed(0)
    backbone = build_backbone(MLPSettings(width=128, blocks=3), (1, 8, 8), seed=0)
    for layer in (backbone.leave, backbone.skip):  # they start at zero
        torch.nn.init.normal_(layer.weight, std=0.1, generator=generator)
    model = Denoiser(backbone, vp(), "noise")
    x, t = torch.randn(IMAGES, 1, 8, 8, generator=generator, dtype=torch.float64), torch.tensor(0.4, dtype=torch.float64)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rounds = [
            (seconds(model.velocity_divergence, x, t), seconds(Answers.velocity_divergence, model, x, t, chunk=CACHED))
            for _ in range(ROUNDS)
        ]
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(*(found for found, _ in rounds[0]), rtol=1e-4, atol=1e-4)
    closed, products = (min(each[index][1] for each in rounds) for index in (0, 1))
    with capsys.disabled():
        print(f"\nclosed form {1e3 * closed:.0f} ms, products {1e3 * products:.0f} ms, ratio {closed / products:.2f}")
    assert closed / products < 0.75
