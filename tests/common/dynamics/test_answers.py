import pytest
import torch
from torch import nn

from common.dynamics.answers import QUANTITIES, Answering, Guided, VelocityFlow, convert, require
from common.dynamics.denoiser import Denoiser
from common.dynamics.oracles import gaussian
from common.dynamics.paths import PATHS, Prior, level_times, optimal_transport, ve, vp
from common.errors import UnsupportedModelError

F64 = torch.float64


def conditional(path, x0, t, noise):
    """The four quantities straight from their definitions."""
    score = -(path.perturb(x0, t, noise) - path.alpha(t)[:, None] * x0) / path.sigma(t)[:, None] ** 2
    return {"data": x0, "noise": noise, "score": score, "velocity": path.conditional_velocity(x0, t, noise)}


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("target", QUANTITIES)
@pytest.mark.parametrize("source", QUANTITIES)
def test_conversion_follows_the_definitions_and_is_undone_by_its_inverse(name, source, target, draw):
    path, x0, noise = PATHS[name](), draw(6, 3), draw(6, 3)
    t = torch.tensor([0.01, 0.1, 0.3, 0.5, 0.8, 0.95], dtype=F64)
    x, truth = path.perturb(x0, t, noise), conditional(path, x0, t, noise)
    there = convert(path, source, target, truth[source], x, t)
    torch.testing.assert_close(there, truth[target], rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(convert(path, target, source, there, x, t), truth[source], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_converting_to_itself_rounds_nothing(quantity, draw):
    output = draw(2, 3)
    assert convert(vp(), quantity, quantity, output, draw(2, 3), 0.5) is output


@pytest.mark.parametrize("name", PATHS)
def test_velocity_is_the_probability_flow(name, draw):
    """Song 2021, eq. 13: dx/dt = f x - g^2 score / 2, with f and g^2 that the conversion does not use."""
    path, x, score = PATHS[name](), draw(5, 2), draw(5, 2)
    t = torch.tensor([0.01, 0.2, 0.5, 0.7, 0.95], dtype=F64)
    expected = path.drift_coefficient(t)[:, None] * x - 0.5 * path.diffusion_squared(t)[:, None] * score
    torch.testing.assert_close(convert(path, "score", "velocity", score, x, t), expected, rtol=1e-9, atol=1e-9)


def test_optimal_transport_answers_at_the_noise_end(draw):
    """At t = 1 x is pure noise: a velocity or data prediction still says everything."""
    path, x, velocity = optimal_transport(0.0), draw(3, 2), draw(3, 2)
    torch.testing.assert_close(convert(path, "velocity", "data", velocity, x, 1.0), x - velocity)
    torch.testing.assert_close(convert(path, "data", "noise", velocity, x, 1.0), x)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_function_of_any_quantity_answers_like_the_model_it_came_from(quantity, draw):
    oracle, x = gaussian(vp(), torch.tensor([1.0, -2.0], dtype=F64), 0.5), draw(6, 2)
    model = Answering(vp(), quantity, lambda x, t: oracle.answer(quantity, x, t))
    for asked in QUANTITIES:
        torch.testing.assert_close(model.answer(asked, x, 0.4), oracle.answer(asked, x, 0.4))


def test_guidance_adds_to_the_score_and_shows_in_every_answer(draw):
    """A Gaussian times a Gaussian likelihood is a Gaussian; its score is the sum."""
    path, x = vp(), draw(6, 2)
    oracle = gaussian(path, torch.zeros(2, dtype=F64), 1.0)
    guided = Guided(oracle, lambda x, t: -(x - 1.0))
    torch.testing.assert_close(guided.score(x, 0.4), -x - (x - 1.0))  # N(0, I) is invariant under VP
    torch.testing.assert_close(guided.velocity(x, 0.4), convert(path, "score", "velocity", guided.score(x, 0.4), x, 0.4))


def test_a_velocity_flow_answers_its_velocity_and_says_so_when_asked_for_more(draw):
    flow, x = VelocityFlow(Prior("standard normal", prior_std=1.0), lambda x, t: 2 * x), draw(3, 2)
    torch.testing.assert_close(flow.velocity(x, 0.3), 2 * x)
    require(flow, "Euler")
    for ask in (flow.score, flow.denoised, flow.noise):
        with pytest.raises(UnsupportedModelError, match="knows its velocity only"):
            ask(x, 0.3)
    with pytest.raises(UnsupportedModelError, match=r"PC asks for the score.*velocity only"):
        require(flow, "PC", "score")


def level_network(path, count=10):
    return Denoiser(nn.Identity(), path, "score", known_times=level_times(path, count))


def test_a_level_network_answers_at_its_levels_and_refuses_between(draw):
    x, times = draw(3, 2), level_times(ve(), 10)
    model = Answering(ve(), "score", lambda x, t: x, times)
    torch.testing.assert_close(model.score(x, float(times[3])), x)
    torch.testing.assert_close(model.score(x, times[[0, 3, 9]].float()), x)
    with pytest.raises(UnsupportedModelError, match=r"10 discrete noise levels only.*0\.5"):
        model.score(x, torch.tensor([0.0, 0.5, 1.0]))
    assert not level_network(ve()).state_dict()


def test_a_method_that_visits_the_levels_only_may_run():
    model, times = level_network(ve()), level_times(ve(), 10)
    require(model, "annealed Langevin", "score", times)
    require(model, "every second level", "score", times[::2])
    with pytest.raises(UnsupportedModelError, match=r"Heun.*10 discrete noise levels"):
        require(model, "Heun")
    with pytest.raises(UnsupportedModelError, match=r"reverse diffusion.*t = 0\.25 is none"):
        require(model, "reverse diffusion", "score", torch.tensor([1.0, 0.25, 0.0]))
    require(Denoiser(nn.Identity(), vp(), "score"), "Heun")
