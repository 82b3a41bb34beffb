"""The adaptive SDE solver against a plain implementation of the published algorithm; one thread, in turns, fastest each.

The score networks are the suite's of digits on the VP path; 1000 samples from the same starts at the same tolerances. The rival
is written from the algorithm as it is published: the whole batch goes on until its slowest sample ends, those that have arrived
take steps of length zero, and noise is drawn for all of them. It has what costs nothing: the network itself without a denoiser
around it, beta as two operations, products and sums in one, in place where they may be, no gradients. Given the same noise, both
find the same samples in the same steps.

Ours evaluates who is on the way, so its gain grows with the spread of the samples' numbers of steps, which grows with the
tolerance; and, with `reuse`, not again where a rejected step had started. No more can be gained than the rival's evaluations over
ours, which is printed. The perceptron is so small that a seventh of the time is spent beside it; beside the U-Net it is little.
"""

import copy
import time
from functools import cache

import pytest
import torch
from torch import nn

from common.dynamics.paths import vp
from common.dynamics.samplers.noise import SampleStreams
from common.learning.data.training import training_batches
from common.learning.models import ModelSettings
from common.learning.nets.build import MLPSettings, UNetSettings
from common.learning.objective_table import OBJECTIVES
from common.learning.objectives import draw_times, regression_loss
from replications.gotta_go_fast.adaptive_sde import adaptive_sde

pytestmark = pytest.mark.benchmark
SAMPLES, EPS, ATOL = 1000, 1e-3, 2 / 256
TOLERANCES = (0.1, 0.2, 0.5)
PERCEPTRON, UNET = MLPSettings(width=128, blocks=3), UNetSettings(channels=8, multipliers=(1, 2, 2), blocks=1)


@cache
def trained(backbone, steps):
    """The digits' score network: the perceptron as at laptop level, or a U-Net as at gpu level with few channels."""
    settings = ModelSettings(objective=OBJECTIVES["score_vp"].objective, backbone=backbone, shape=(1, 8, 8))
    denoiser, objective = settings.build(0), settings.objective.build()
    draw, generator = (
        training_batches("digits", 128, 0, torch.device("cpu"), (-1.0, 1.0), replicate=0),
        torch.Generator().manual_seed(0),
    )
    optimiser = torch.optim.Adam(denoiser.parameters(), lr=2e-3)
    for step in range(steps):
        x0 = draw(step, generator)
        t = draw_times(objective.path, len(x0), generator=generator, dtype=x0.dtype, device=x0.device)
        loss = regression_loss(denoiser, objective, x0, t=t, noise=torch.randn(x0.shape, generator=generator)).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
        optimiser.step()
    return denoiser.eval().requires_grad_(False)


@torch.no_grad()
def plain(network, x, rtol, noise):
    """Algorithm 1 on the VP SDE, batch synchronous: the samples, and the evaluations until each had arrived."""

    def moved(x, at, t, h, noise):
        """From x by drift and diffusion at (at, t)."""
        beta = (0.1 + 19.9 * t)[:, None, None, None]
        drift = (0.5 * beta * at).addcmul_(beta, network(at, t))
        return torch.addcmul(x, h, drift).addcmul_(beta.sqrt(), noise)

    t, h, before = torch.ones(len(x), dtype=x.dtype), torch.full((len(x),), 0.01, dtype=x.dtype), x
    nfe = torch.zeros(len(x), dtype=torch.int64)
    while bool((going := (t - EPS).abs() > 1e-6).any()):
        nfe += 2 * going
        wide = h[:, None, None, None]
        dw = wide.sqrt() * noise(x)
        lower = moved(x, x, t, wide, dw)
        higher = moved(x, lower, t - h, wide, dw).add_(lower).mul_(0.5)
        delta = torch.maximum(lower.abs(), before.abs()).mul_(rtol).clamp_(min=ATOL)
        error = (lower - higher).div_(delta).flatten(1).square().mean(1).sqrt()
        accepted = error <= 1
        x = torch.where(accepted[:, None, None, None], higher, x)
        before = torch.where(accepted[:, None, None, None], lower, before)
        t = torch.where(accepted, t - h, t)
        h = torch.where(h == 0, h, torch.minimum((t - EPS).clamp(min=0), 0.9 * h * error**-0.9))
    return x, nfe


def timed(run):
    begin = time.perf_counter()
    found = run()
    return found, time.perf_counter() - begin


def starts(count, dtype):
    x = vp().prior_sample((count, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=dtype)
    return x, torch.tensor([1.0, EPS], dtype=torch.float64)


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("rtol", [0.01, *TOLERANCES])
def test_given_the_same_noise_both_find_the_same_samples(rtol, reuse):
    x, ends = starts(100, torch.float64)
    exact = copy.deepcopy(trained(PERCEPTRON, 1100)).double()
    ours = adaptive_sde(rtol, ATOL, reuse=reuse)(exact, x, ends, generator=SampleStreams(range(100)))
    theirs, nfe = plain(exact.backbone, x, rtol, SampleStreams(range(100)).normal)
    torch.testing.assert_close(ours.x, theirs, rtol=1e-7, atol=1e-7)
    assert torch.equal(ours.nfe + reuse * ours.rejected, nfe)


def compared(model, rtol, rounds):
    """Samples and least seconds, in turns: of ours with reuse, of ours without, of the rival's."""
    (x, ends), draws = starts(SAMPLES, torch.float32), torch.Generator().manual_seed(2)
    thrifty, published = (adaptive_sde(rtol, ATOL, reuse=reuse) for reuse in (True, False))
    ways = (
        lambda: thrifty(model, x, ends, generator=draws),
        lambda: published(model, x, ends, generator=draws),
        lambda: plain(model.backbone, x, rtol, lambda x: torch.randn(x.shape, generator=draws)),
    )
    return [min(runs, key=lambda run: run[1]) for runs in zip(*([timed(way) for way in ways] for _ in range(rounds)))]


@pytest.mark.parametrize(
    ("backbone", "steps", "rounds", "least"), [(PERCEPTRON, 1100, 7, (1.15, 1.2, 1.2)), (UNET, 300, 1, (1.1, 1.2, 1.2))]
)
def test_a_batch_costs_its_mean_sample_and_not_its_slowest(backbone, steps, rounds, least, capsys):
    threads, found = torch.get_num_threads(), []
    torch.set_num_threads(1)
    try:
        for rtol in TOLERANCES:
            (thrifty, fast), (ours, seconds), ((_, nfe), slow) = compared(trained(backbone, steps), rtol, rounds)
            (few, mean), most = (float(way.nfe.double().mean()) for way in (thrifty, ours)), int(nfe.max())
            found.append((int(ours.nfe.max()) / mean, slow / fast))
            with capsys.disabled():
                print(
                    f"\n{backbone.kind}, rtol {rtol:g}, spread {found[-1][0]:.2f}: {mean:.0f} evaluations a sample, {few:.0f} "
                    f"with reuse, {most} of the slowest; {fast:.3f} s with reuse, {seconds:.3f} s without, {slow:.3f} s plain; "
                    f"plain over ours {slow / fast:.2f} (at most {most / few:.2f}), "
                    f"without reuse {slow / seconds:.2f} ({most / mean:.2f})"
                )
    finally:
        torch.set_num_threads(threads)
    spreads, gains = zip(*found)
    assert spreads == tuple(sorted(spreads)) and gains == tuple(sorted(gains)), "the gain grows with the spread"
    assert all(gain > bar for gain, bar in zip(gains, least))
