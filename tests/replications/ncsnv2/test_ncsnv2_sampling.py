"""NCSNv2's sampler, on networks whose answers are known by hand."""

import pytest
import torch
from ncsn_stand_ins import F64, MEAN, RANGES, SHAPE, STD, draw, generator, level_network
from ncsnv2_stand_ins import scattered, shared_model, written_out

from common.dynamics.answers import Answering
from common.errors import UnsupportedModelError
from replications.ncsn.networks import Trained
from replications.ncsn.sampler_step import Step
from replications.ncsnv2.networks import ratio_of
from replications.ncsnv2.refinenets import RefineNetV2Settings, description
from replications.ncsnv2.sampling import at_any_level, chosen_step, samples
from replications.ncsnv2.step_size import best_step_size

START = torch.rand(5, *SHAPE, generator=generator(), dtype=F64)


def exact(x, sigma):
    """The score of the stand-in's Gaussian pixels, in [-1, 1]."""
    return (MEAN.reshape(SHAPE) - x) / (STD**2 + sigma**2)


@pytest.mark.parametrize("pixel_range", RANGES.values())
@pytest.mark.parametrize("batch", [2, 1000])
def test_every_step_written_out(pixel_range, batch):
    """Three levels, of 1, 0.1 and 0.01 of the pixels' range, two steps at each, then x + sigma_L^2 s once."""
    found = samples(level_network(pixel_range), START, Step(steps=2, rho=0.3), generator=generator(5), batch=batch)
    expected = written_out(START, generator(5), [2.0, 0.2, 0.02], 2, 0.3, exact, batch)
    torch.testing.assert_close(torch.stack([found.noisy, found.denoised]), expected, rtol=1e-6, atol=1e-6)
    assert (found.denoised - found.noisy).abs().max() > 1e-4 and found.nfe == 6 and found.diverged == 0
    assert {name: nfe for name, (_, nfe) in found.either.items()} == {"not denoised": 6, "denoised": 7}
    assert found.either["denoised"][0] is found.denoised and found.either["not denoised"][0] is found.noisy


@pytest.mark.parametrize("pixel_range", RANGES.values())
def test_samples_are_clipped_at_the_end_alone(pixel_range):
    """A network that is sure of 1.5 in all pixels is asked there: clipping on the way would bring its chains back to 1."""
    low, high = pixel_range
    aim, asked = low + (high - low) * 1.25, []

    def score(x, t):
        asked.append(float(x.mean()))
        return (aim - x) / (0.01 * (high - low)) ** 2

    network = level_network(pixel_range, score=score)
    found = samples(network, START, Step(steps=9, rho=0.5), generator=generator(), levels=network.model.known_times[-1:])
    assert asked[-1] == pytest.approx(aim, abs=0.01) and found.noisy.min() == found.denoised.min() == 1


@pytest.mark.parametrize("pixel_range", RANGES.values())
def test_the_last_step_is_at_the_last_level_that_is_visited(pixel_range):
    times = level_network(pixel_range).model.known_times[:2]
    found = samples(level_network(pixel_range), START, Step(steps=2, rho=0.3), generator=generator(5), levels=times)
    expected = written_out(START, generator(5), [2.0, 0.2], 2, 0.3, exact)
    torch.testing.assert_close(torch.stack([found.noisy, found.denoised]), expected, rtol=1e-6, atol=1e-6)


def test_another_model_answers_in_the_networks_place():
    """In every step and in the last one: a model that is sure of an image gives that image."""
    network = level_network((-1.0, 1.0), score=lambda x, t: torch.full_like(x, torch.nan))
    path = network.model.path
    sure = Answering(path, "score", lambda x, t: (0.25 - x) / path.sigma(torch.tensor(t, dtype=F64)) ** 2)
    found = samples(network, START, Step(steps=9, rho=0.5), generator=generator(), model=sure)
    torch.testing.assert_close(found.denoised, torch.full_like(START, 0.25))
    assert float((found.noisy - 0.25).std()) == pytest.approx(0.02 / 0.75**0.5, rel=0.2)


def test_chains_that_diverge_are_counted():
    def score(x, t):
        return torch.tensor([1e9, 0.0, 0.0, 1e9, 0.0]).reshape(5, 1, 1, 1) * torch.ones_like(x)

    found = samples(level_network((0.0, 1.0), score=score), START, Step(steps=2, rho=0.3), generator=generator())
    assert found.diverged == 0.4 and found.noisy.isfinite().all()


@pytest.mark.parametrize("pixel_range", RANGES.values())
@pytest.mark.parametrize(("levels", "ratio"), [(3, 10.0), (5, 10**0.5), (21, 10**0.1)])
def test_the_step_follows_from_the_ratio_of_the_levels(levels, ratio, pixel_range):
    network = level_network(pixel_range, levels=levels)
    assert ratio_of(network) == pytest.approx(ratio, rel=1e-9)
    step = chosen_step(network, 4)
    assert step.steps == 4 and step.rho == pytest.approx(best_step_size(ratio, 4, 0.01).rho, rel=1e-6)


def told_no_level(kind):
    """Return the suite's network or the paper's, which is told no level, with random weights."""
    if kind == "shared":
        return Trained(scattered(shared_model("ncsnv2").build(0)), (-1.0, 1.0)), (1, 8, 8)
    model = description("digits", "ncsnv2", RefineNetV2Settings(filters=2), sigma_max=2.0, levels=4)
    return Trained(scattered(model.build(0)), (0.0, 1.0)), (1, 8, 8)


@pytest.mark.parametrize("kind", ["shared", "refinenet_v2"])
def test_told_no_level_a_network_answers_at_any(kind):
    """At the levels that it learned as itself, and between them by its one prediction of the noise over sigma."""
    network, shape = told_no_level(kind)
    anywhere, x = at_any_level(network), draw(2, *shape).float()
    with torch.no_grad():
        noise = network.model.noise(x, 1.0)
        assert noise.abs().max() > 1e-3
        for t in (1.0, float(network.model.known_times[1]), 0.0):
            torch.testing.assert_close(anywhere.score(x, t), network.model.score(x, t), rtol=1e-5, atol=1e-6)
        for t in (0.87, 0.123):
            sigma = float(network.model.path.sigma(torch.tensor(t)))
            torch.testing.assert_close(anywhere.score(x, t), -noise / sigma, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(anywhere.denoised(x, t), x - sigma * noise, rtol=1e-4, atol=1e-5)
            with pytest.raises(UnsupportedModelError, match="discrete noise levels"):
                network.model.score(x, t)
    assert anywhere.known_times is None
