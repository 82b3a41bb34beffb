"""The adaptive SDE solver against a plain implementation of the published algorithm; one thread, in turns, fastest each.

The score network is the suite's of digits on the VP path, 1000 samples from the same starts at the same tolerances. The rival is
written from the algorithm as it is published: the whole batch goes on until its slowest sample ends, those that have arrived take
steps of length zero, and noise is drawn for all of them. Given the same noise, both find the same samples with the same numbers of
evaluations. Three norms and tolerances show how the gain grows with the spread of these numbers.
"""

import time

import pytest
import torch
from torch import nn

from common.dynamics.paths import vp
from common.dynamics.samplers.noise import SampleStreams
from common.learning.data.training import training_batches
from common.learning.models import ModelSettings
from common.learning.nets.build import MLPSettings
from common.learning.objective_table import OBJECTIVES
from common.learning.objectives import draw_times, regression_loss
from replications.gotta_go_fast.adaptive_sde import adaptive_sde

pytestmark = pytest.mark.benchmark
SAMPLES, ROUNDS, STEPS, EPS, ATOL = 1000, 5, 1100, 1e-3, 2 / 256
CASES = {"rtol 0.05": (0.05, "rms"), "rtol 0.01": (0.01, "rms"), "rtol 0.05, maximum norm": (0.05, "max")}


@pytest.fixture(scope="module")
def model():
    """The digits' score network, trained as at laptop level."""
    settings = ModelSettings(
        objective=OBJECTIVES["score_vp"].objective, backbone=MLPSettings(width=128, blocks=3), shape=(1, 8, 8)
    )
    denoiser, objective = settings.build(0), settings.objective.build()
    draw, generator = (
        training_batches("digits", 128, 0, torch.device("cpu"), (-1.0, 1.0), replicate=0),
        torch.Generator().manual_seed(0),
    )
    optimiser = torch.optim.Adam(denoiser.parameters(), lr=2e-3)
    for step in range(STEPS):
        x0 = draw(step, generator)
        t = draw_times(objective.path, len(x0), generator=generator, dtype=x0.dtype, device=x0.device)
        loss = regression_loss(denoiser, objective, x0, t=t, noise=torch.randn(x0.shape, generator=generator)).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
        optimiser.step()
    return denoiser.eval().requires_grad_(False)


@torch.no_grad()
def plain(network, x, rtol, norm, noise):
    """Algorithm 1 on the VP SDE, batch synchronous: the samples, and the evaluations until each had arrived."""

    def reverse(x, t):
        beta = (0.1 + 19.9 * t)[:, None, None, None]
        return -0.5 * beta * x - beta * network(x, t), beta.sqrt()

    t, h, before = torch.ones(len(x)), torch.full((len(x),), 0.01), x
    nfe = torch.zeros(len(x), dtype=torch.int64)
    while bool(((t - EPS).abs() > 1e-6).any()):
        nfe += 2 * ((t - EPS).abs() > 1e-6)
        z, wide = noise(x), h[:, None, None, None]
        drift, g = reverse(x, t)
        lower = x - wide * drift + wide.sqrt() * g * z
        drift, g = reverse(lower, t - h)
        higher = 0.5 * (lower + x - wide * drift + wide.sqrt() * g * z)
        delta = torch.maximum(rtol * torch.maximum(lower.abs(), before.abs()), torch.tensor(ATOL))
        ratio = ((lower - higher) / delta).flatten(1)
        error = ratio.abs().amax(1) if norm == "max" else ratio.square().mean(1).sqrt()
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


def test_given_the_same_noise_both_find_the_same_samples(model):
    x = torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    ends = torch.tensor([1.0, EPS], dtype=torch.float64)
    for rtol, norm in CASES.values():
        ours = adaptive_sde(rtol, ATOL, norm=norm)(model, x, ends, generator=SampleStreams(range(200)))
        theirs, nfe = plain(model.backbone, x, rtol, norm, SampleStreams(range(200)).normal)
        # an error within rounding of 1 may be accepted by one and not by the other, and the sample then goes another way
        same = (ours.x - theirs).flatten(1).abs().amax(1) < 1e-3
        assert same.double().mean() > 0.95 and (ours.nfe == nfe).double().mean() > 0.95
        assert torch.equal(ours.nfe[same], nfe[same])


def test_a_batch_costs_its_mean_sample_and_not_its_slowest(model, capsys):
    x, ends = vp().prior_sample((SAMPLES, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.float32), [1.0, EPS]
    ends, threads, rows = torch.tensor(ends, dtype=torch.float64), torch.get_num_threads(), []
    torch.set_num_threads(1)
    try:
        for name, (rtol, norm) in CASES.items():
            sample, draws = adaptive_sde(rtol, ATOL, norm=norm), torch.Generator().manual_seed(2)
            runs = [
                (
                    timed(lambda: sample(model, x, ends, generator=draws)),
                    timed(lambda: plain(model.backbone, x, rtol, norm, lambda x: torch.randn(x.shape, generator=draws))),
                )
                for _ in range(ROUNDS)
            ]
            mine, theirs = (min(runs, key=lambda pair: pair[k][1])[k] for k in (0, 1))
            nfe = mine[0].nfe.double()
            rows.append((name, float(nfe.mean()), int(nfe.max()), int(theirs[0][1].max()), mine[1], theirs[1]))
    finally:
        torch.set_num_threads(threads)
    with capsys.disabled():
        print()
        for name, mean, most, rivals, mine, theirs in rows:
            print(
                f"{name:24s} NFE mean {mean:5.0f}, largest {most} and {rivals}, spread {most / mean:.2f}: "
                f"ours {mine:.2f} s, plain {theirs:.2f} s, ratio {theirs / mine:.2f}"
            )
    by_spread = sorted((most / mean, theirs / mine) for _, mean, most, _, mine, theirs in rows)
    assert all(ratio > 1.2 for _, ratio in by_spread)
    assert [ratio for _, ratio in by_spread] == sorted(ratio for _, ratio in by_spread)
