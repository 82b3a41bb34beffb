"""Score SDE's predictor-corrector sampling against its authors' code: the same samples, and the time of a step.

The authors' repository (github.com/yang-song/score_sde_pytorch) is no dependency: RETRACE_SCORE_SDE_OFFICIAL names a checkout.
Architecture, weights, noise levels, starts and noise are the same; both run on two threads, in turns, fastest each. A step is one
of the Langevin corrector and one of the reverse-diffusion predictor: two evaluations of NCSN++ at one noise level.
"""

import os
import time
from importlib import import_module

import pytest
import torch
from score_sde_official import fill, official_network

from replications.score_sde.correctors import langevin
from replications.score_sde.networks.checkpoint import negate_output
from replications.score_sde.networks.ncsnpp import NCSNppSettings
from replications.score_sde.networks.official_names import places
from replications.score_sde.networks.published import described
from replications.score_sde.predictor_corrector import predictor_corrector, scales
from replications.score_sde.predictors import reverse_diffusion

CHECKOUT = os.environ.get("RETRACE_SCORE_SDE_OFFICIAL")
pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(
        not CHECKOUT, reason="RETRACE_SCORE_SDE_OFFICIAL names no checkout of github.com/yang-song/score_sde_pytorch"
    ),
]
ROUNDS, STEPS, SNR, EPS = 5, 4, 0.16, 1e-5
NCSNPP = {"multipliers": (1, 2, 2, 2), "attention": (16,), "input": "residual", "embedding": "fourier", "centred": False}
# channels, blocks per resolution, images sampled together
SIZES = {"narrow": (16, 1, 1), "batch of 4": (64, 2, 4), "batch of 8": (32, 1, 8)}


def both(channels, blocks, batch):
    """Return functions that draw a batch of images from torch's own random numbers: the official sampler and ours."""
    case, shape = {**NCSNPP, "channels": channels, "blocks": blocks}, (3, 32, 32)
    network = official_network(CHECKOUT, case, shape, scale_by_sigma=True).eval()
    model = described(NCSNppSettings(**case), "ve", shape).build(0).eval()
    fill(network.parameters())
    fill(places(model.backbone).values())
    negate_output(model.backbone)
    sampling, sde = import_module("sampling"), import_module("sde_lib").VESDE(sigma_min=0.01, sigma_max=50, N=STEPS)
    predictor, corrector = sampling.get_predictor("reverse_diffusion"), sampling.get_corrector("langevin")
    options = {"continuous": True, "denoise": True, "eps": EPS, "device": "cpu"}
    official = sampling.get_pc_sampler(sde, (batch, *shape), predictor, corrector, lambda x: x, SNR, **options)
    sampler, times = predictor_corrector(reverse_diffusion, langevin(SNR)), scales(model.path, STEPS, t_min=EPS)

    def ours():
        start = model.path.prior_std * torch.randn(batch, *shape)
        return sampler(model, start, times, generator=torch.default_generator).x

    return lambda: official(network)[0], ours


def timed(draw):
    torch.manual_seed(0)
    begin = time.perf_counter()
    images = draw()
    return images, (time.perf_counter() - begin) / STEPS


@pytest.mark.parametrize("name", SIZES)
def test_a_step_is_no_slower_than_the_authors(name, capsys):
    official, ours = both(*SIZES[name])
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        pairs = [(timed(official), timed(ours)) for _ in range(ROUNDS)]
    finally:
        torch.set_num_threads(threads)
    (expected, _), (found, _) = pairs[0]
    # the official steps go between levels of its own table, which are 1e-5 away from its times
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
    theirs, mine = (min(seconds for _, seconds in each) for each in zip(*pairs))
    with capsys.disabled():
        print(f"\nNCSN++, {name}: official {theirs:.4f} s a step, ours {mine:.4f} s, ratio {mine / theirs:.2f}")
    assert mine < 1.05 * theirs
