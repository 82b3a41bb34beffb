import pytest
import torch
from torch import nn

from common.dynamics.denoiser import Denoiser, convert, require_continuous
from common.dynamics.paths import PATHS, optimal_transport, vp
from common.errors import UnsupportedModelError

F64 = torch.float64
QUANTITIES = ("data", "noise", "score", "velocity")


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


class Recorder(nn.Module):
    """A network that keeps what it was asked and answers x + t."""

    def __init__(self, dtype=None):
        super().__init__()
        if dtype:
            self.weight = nn.Parameter(torch.ones((), dtype=dtype))

    def forward(self, x, t):
        self.x, self.t = x, t
        return x + t[:, None]


@pytest.mark.parametrize(("t", "times"), [(0.3, 1), (torch.tensor(0.3), 1), (torch.full((4,), 0.3, dtype=F64), 4)])
def test_backbone_runs_in_its_own_dtype_and_sees_one_time_or_one_per_sample(t, times, draw):
    net, x = Recorder(torch.float32), draw(4, 2)
    denoiser = Denoiser(net, vp(), "noise")
    answer = denoiser.score(x, t)
    assert (net.x.dtype, net.t.dtype, net.t.shape) == (torch.float32, torch.float32, (times,))
    assert answer.dtype == F64
    # the conversion happens in float64: dividing in float32 would be off by 1e-7
    sigma = vp().sigma(torch.as_tensor(t, dtype=F64)).reshape(-1, 1)
    torch.testing.assert_close(answer, -(x.float() + 0.3).double() / sigma, rtol=1e-14, atol=0)


def test_network_without_parameters_runs_in_the_dtype_of_the_state(draw):
    net = Recorder()
    assert Denoiser(net, vp(), "data").denoised(draw(4, 2), 0.3).dtype == F64
    assert (net.x.dtype, net.t.dtype) == (F64, F64)


@pytest.mark.parametrize("prediction", QUANTITIES)
def test_every_answer_comes_from_one_evaluation(prediction, draw):
    x, denoiser = draw(4, 2), Denoiser(Recorder(), vp(), prediction)
    output = denoiser(x, 0.3)
    for quantity, method in zip(QUANTITIES, ("denoised", "noise", "score", "velocity")):
        torch.testing.assert_close(getattr(denoiser, method)(x, 0.3), convert(vp(), prediction, quantity, output, x, 0.3))


def test_discrete_levels_are_refused_with_a_reason():
    denoiser = Denoiser(nn.Identity(), vp(), "score", levels=torch.linspace(0, 1, 10))
    with pytest.raises(UnsupportedModelError, match=r"Heun.*10 discrete noise levels"):
        require_continuous(denoiser, "Heun")
    require_continuous(Denoiser(nn.Identity(), vp(), "score"), "Heun")
    assert not denoiser.state_dict()
