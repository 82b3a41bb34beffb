"""Chains of images in either range of pixels, what is kept of them, and known pixels that are put back."""

import pytest
import torch
from ncsn_stand_ins import F64, MEAN, RANGES, SHAPE, STD, generator, level_network

from common.dynamics.answers import Answering
from common.dynamics.denoiser import Conditioning, Denoiser
from common.dynamics.paths import level_times, ve
from common.dynamics.samplers import loop
from common.dynamics.samplers.result import Samples
from common.learning.data.scale import rescaled
from common.learning.nets.mlp import ResidualMLP
from common.runs.experiment import Context
from replications.ncsn.chains import OUT, at_every_level, noise_of_chains, run_chains, starts
from replications.ncsn.inpainting import keeping, masks
from replications.ncsn.networks import Trained, levels_of

LEVELS = 5


def start_of(n):
    return torch.rand(n, *SHAPE, generator=generator(1), dtype=F64)


@pytest.fixture
def context(tmp_path):
    return Context("ncsn", "samples", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu"))


def test_levels_are_named_for_pixels_between_0_and_1():
    ladder = 0.01 ** torch.linspace(0, 1, LEVELS, dtype=F64)
    for pixel_range in RANGES.values():
        torch.testing.assert_close(levels_of(level_network(pixel_range, LEVELS)), ladder.round(decimals=6))


def test_both_ranges_of_pixels_give_the_same_chains():
    half, unit = (
        run_chains(level_network(each, LEVELS), start_of(6), rho=0.2, steps=7, generator=generator(), keep_every=3)
        for each in RANGES.values()
    )
    torch.testing.assert_close(half.images, unit.images, rtol=0, atol=1e-12)
    torch.testing.assert_close(half.kept, unit.kept, rtol=0, atol=1e-12)
    assert half.nfe == unit.nfe == 7 * LEVELS and half.diverged == unit.diverged == 0
    assert half.kept.shape == (11, 6, *SHAPE)


@pytest.mark.parametrize("pixel_range", RANGES.values())
def test_chains_reach_the_data(pixel_range):
    """The variance goes from step to step as v <- (1 - a / S)^2 v + 2 a with S = s^2 + sigma^2 and a = rho sigma^2."""
    found = run_chains(level_network(pixel_range, LEVELS), start_of(4000), rho=0.2, steps=60, generator=generator())
    variance = 1 / 3  # of uniform noise on [-1, 1]
    for level in 0.01 ** torch.linspace(0, 1, LEVELS, dtype=F64).repeat_interleave(60):
        a = 0.2 * (2 * level) ** 2
        variance = (1 - a / (STD**2 + (2 * level) ** 2)) ** 2 * variance + 2 * a
    assert float((found.images.flatten(1).mean(0) - MEAN).abs().max()) < 5 * STD / 4000**0.5
    assert float(found.images.flatten(1).var(0).mean()) == pytest.approx(float(variance), rel=0.03)


@pytest.mark.parametrize("pixel_range", RANGES.values())
def test_the_start_is_told_in_the_networks_range(pixel_range):
    seen = []
    network = level_network(pixel_range, LEVELS)
    model = Answering(
        network.model.path, "score", lambda x, t: seen.append(x.clone()) or torch.zeros_like(x), network.model.known_times
    )
    run_chains(network, start_of(3), rho=0.2, steps=1, generator=generator(), model=model)
    low, high = pixel_range
    torch.testing.assert_close(seen[0], low + (high - low) * start_of(3))


def test_what_is_kept_is_the_state_after_every_few_steps():
    network, seen = level_network(RANGES["half"], LEVELS), []
    found = run_chains(
        network,
        start_of(2),
        rho=0.2,
        steps=4,
        generator=generator(),
        keep_every=2,
        callback=lambda n, t, x: seen.append(x.clone()),
    )
    assert len(seen) == 4 * LEVELS and len(found.kept) == 2 * LEVELS
    for k, kept in enumerate(found.kept):
        torch.testing.assert_close(kept, 2 * seen[2 * k + 1] - 1)
    torch.testing.assert_close(found.kept[-1], found.images)
    assert run_chains(network, start_of(2), rho=0.2, steps=4, generator=generator()).kept.shape == (0, 2, *SHAPE)


def test_a_callback_replaces_the_state():
    network = level_network(RANGES["half"], LEVELS)
    found = run_chains(
        network,
        start_of(2),
        rho=0.2,
        steps=1,
        generator=generator(),
        callback=lambda n, t, x: torch.full_like(x, 0.75),
        keep_every=1,
    )
    assert found.images.unique().tolist() == [0.5] and found.kept.unique().tolist() == [0.5]


def test_batches_follow_one_another_in_the_stream_of_noise():
    network, start, more = level_network(RANGES["unit"], LEVELS), start_of(5), {"rho": 0.2, "steps": 2, "keep_every": 2}
    found, noise = run_chains(network, start, generator=generator(), batch=2, **more), generator()
    parts = [run_chains(network, part, generator=noise, **more) for part in start.split(2)]
    torch.testing.assert_close(found.images, torch.cat([part.images for part in parts]), rtol=0, atol=0)
    torch.testing.assert_close(found.kept, torch.cat([part.kept for part in parts], 1), rtol=0, atol=0)
    assert found.nfe == 2 * LEVELS and found.kept.shape == (LEVELS, 5, *SHAPE)


def explosive(pixel_range, comes_back):
    """Doubles the distance from grey, at the first of two levels, of images that are brighter; draws all others to grey."""
    low, high = pixel_range
    path, known = ve(0.01 * (high - low), 0.02 * (high - low)), torch.tensor([1.0, 0.0], dtype=F64)

    def score(x, t):
        away = x - (low + high) / 2
        bright = away.flatten(1).mean(1) > 0.2 * (high - low)
        factor = torch.where(bright if t == 1 or not comes_back else bright & False, 5.0, -1.0)
        return factor.reshape(-1, 1, 1, 1) * away / path.sigma(torch.tensor(t, dtype=F64)) ** 2

    return Trained(Answering(path, "score", score, known), pixel_range)


@pytest.mark.parametrize("comes_back", [False, True])
@pytest.mark.parametrize("batch", [1000, 2])
@pytest.mark.parametrize("pixel_range", RANGES.values())
def test_chains_that_diverge_are_held_and_counted(pixel_range, batch, comes_back):
    start = torch.tensor([0.5, 0.9, 0.4, 0.1, 0.6], dtype=F64).reshape(5, 1, 1, 1).expand(5, *SHAPE)
    network = explosive(pixel_range, comes_back)
    found = run_chains(network, start, rho=0.2, steps=40, generator=generator(), batch=batch, keep_every=40)
    assert found.diverged == 1 / 5
    assert found.kept[0, 1].unique().tolist() == [pytest.approx(2 * OUT, rel=1e-3)]
    assert (found.images[1].min() < 10) == comes_back
    assert found.images[[0, 2, 3, 4]].abs().max() < 0.3


def test_one_level_stands_for_all():
    """The baseline's prediction of the noise, over the width that the level is said to have."""
    path, single = ve(0.01, 1.0), ve(0.01, 0.01)
    asked = []

    def score(x, t):
        asked.append(t)
        return 3 * x

    network = Trained(Answering(single, "score", score, level_times(single, 1)), (0.0, 1.0))
    model = at_every_level(network, level_network((0.0, 1.0), LEVELS))
    x = start_of(2)
    assert torch.equal(model.known_times, level_times(path, LEVELS)) and model.path.prior_std == 1.0
    for t in level_times(path, LEVELS).tolist():
        sigma = path.sigma(torch.tensor(t, dtype=F64))
        torch.testing.assert_close(model.noise(x, t), -0.01 * 3 * x)
        torch.testing.assert_close(model.score(x, t), 0.01 * 3 * x / sigma)
    assert set(asked) == {1.0}


def test_starts_and_noise_are_the_replicates_own(context):
    x = starts(5, SHAPE, context)
    assert x.shape == (5, *SHAPE) and x.min() >= 0 and x.max() < 1 and torch.equal(x, starts(5, SHAPE, context))
    first, second = (torch.randn(3, generator=noise_of_chains(context)) for _ in range(2))
    assert torch.equal(first, second)


# inpainting


def ladder_of(network):
    return network.model.path.sigma(network.model.known_times)


def test_known_pixels_are_as_noisy_as_their_level_with_one_draw_for_each():
    sigmas, known, mask = (
        torch.tensor([2.0, 0.5, 0.01], dtype=F64),
        start_of(3),
        torch.rand(3, *SHAPE, generator=generator(2)) < 0.5,
    )
    put_back, draws = keeping(known, mask, sigmas, 4, generator=generator()), generator()
    for level in range(3):
        noise = torch.randn(known.shape, generator=draws, dtype=F64)
        for step in range(4):
            x = torch.full_like(known, 7.0 + step)
            found = put_back(4 * level + step, 0.0, x)
            torch.testing.assert_close(found[mask], (known + sigmas[level] * noise)[mask], rtol=0, atol=0)
            assert (found[~mask] == 7.0 + step).all() and (x == 7.0 + step).all()


def test_masks():
    found = masks((3, 8, 8), generator=generator())
    assert list(found) == ["half", "centre", "random"] and all(
        mask.shape == (3, 8, 8) and mask.dtype == torch.bool for mask in found.values()
    )
    for mask in found.values():
        assert (mask == mask[:1]).all(), "a pixel is known in all channels or in none"
    assert found["half"][0, :, :4].all() and not found["half"][0, :, 4:].any()
    assert not found["centre"][0, 2:6, 2:6].any() and int((~found["centre"][0]).sum()) == 16
    assert 16 < int(found["random"][0].sum()) < 48
    odd = masks((1, 7, 5), generator=generator())
    assert int(odd["half"].sum()) == 7 * 2 and not odd["centre"][0, 3, 2] and odd["centre"][0, 0].all()
    assert not torch.equal(found["random"], masks((3, 8, 8), generator=generator(1))["random"])


@pytest.mark.parametrize("pixel_range", RANGES.values())
def test_known_pixels_end_within_the_least_noise_and_the_others_follow_the_data(pixel_range):
    network, n = level_network(pixel_range, LEVELS), 500
    truth = (MEAN.reshape(1, *SHAPE) + STD * torch.randn(n, *SHAPE, generator=generator(3), dtype=F64)).clamp(-1, 1)
    mask = masks(SHAPE, generator=generator())["half"].expand(n, *SHAPE)
    known = rescaled(truth, (-1.0, 1.0), pixel_range)
    callback = keeping(known, mask, ladder_of(network), 60, generator=generator(4))
    free, kept = (
        run_chains(network, start_of(n), rho=0.2, steps=60, generator=generator(), callback=each) for each in (None, callback)
    )
    least = 0.02  # for pixels in [-1, 1]
    error = (kept.images - truth)[mask]
    assert float((error.abs() <= 3 * least).double().mean()) == pytest.approx(0.9973, abs=0.003)
    assert float(error.std()) == pytest.approx(least, rel=0.05)
    # pixels of this model do not depend on one another: the hole is what it is without a callback
    torch.testing.assert_close(kept.images[~mask], free.images[~mask], rtol=0, atol=1e-12)


def test_neither_clamp_nor_callback_waits_for_a_device(monkeypatch):
    known_times = level_times(ve(0.01, 1.0), 10)
    with torch.device("meta"):
        net = ResidualMLP(SHAPE, 8, 1)
    model = Denoiser(net, ve(0.01, 1.0), "noise", known_times, Conditioning("unit_variance", "index", 0.5)).to("meta")
    monkeypatch.setattr(loop, "normal", lambda x, *_: torch.empty_like(x))
    monkeypatch.setattr(
        loop, "finished", lambda what, x, calls: done.append(calls) or Samples(x, torch.tensor([calls]), torch.zeros(1))
    )
    done, start = [], torch.empty(4, *SHAPE, device="meta")
    callback = keeping(
        start, torch.ones(4, *SHAPE, dtype=torch.bool, device="meta"), ve(0.01, 1.0).sigma(known_times), 2, generator=None
    )
    found = run_chains(
        Trained(model, (0.0, 1.0)), start, rho=0.2, steps=2, generator=generator(), callback=callback, keep_every=2
    )
    assert done == [20] and found.stayed.is_meta and found.kept.shape == (10, 4, *SHAPE)
    with pytest.raises(RuntimeError, match="meta"):
        found.diverged  # noqa: B018 - whoever asks for a number waits for it
