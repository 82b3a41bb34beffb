import pytest
import torch
from torch import nn

from common.dynamics import denoiser as denoisers
from common.dynamics.answers import QUANTITIES, Answers, convert, level_of
from common.dynamics.denoiser import Conditioning, Denoiser
from common.dynamics.paths import level_times, optimal_transport, ve, vp
from common.errors import UnsupportedModelError
from common.learning.nets import mlp
from common.learning.nets.mlp import ResidualMLP

F64 = torch.float64


class Recorder(nn.Module):
    """A network that keeps what it was asked and answers x + t."""

    def __init__(self, dtype=None):
        super().__init__()
        if dtype:
            self.weight = nn.Parameter(torch.ones((), dtype=dtype))

    def forward(self, x, t):
        self.x, self.t = x, t
        return x + t[:, None]


class Timed(nn.Linear):
    """A linear layer that adds its time."""

    def __init__(self):
        super().__init__(2, 2)

    def forward(self, x, t):
        return super().forward(x) + t[:, None]


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


def given(conditioning, x, t, path, known_times=None):
    """What the backbone is given."""
    net = Recorder()
    Denoiser(net, path, "noise", known_times, Conditioning(**conditioning))(x, t)
    return net.x, net.t


def test_backbone_is_given_the_time_in_the_form_it_was_trained_with(draw):
    path, x, times = ve(0.01, 50.0), draw(3, 2), level_times(ve(), 10)
    t = times[[0, 4, 9]]
    for kind, expected in {
        "t": t,
        "steps": 999 * t,
        "log_sigma": path.sigma(t).log(),
        "index": torch.tensor([0.0, 4.0, 9.0], dtype=F64),
        "none": torch.zeros(3, dtype=F64),
    }.items():
        torch.testing.assert_close(given({"t": kind}, x, t, path, times)[1], expected)


@pytest.mark.parametrize("path", [vp(), ve(), optimal_transport()])
def test_state_is_scaled_to_unit_variance(path, draw):
    t, x0, noise = torch.tensor([0.02, 0.3, 0.9], dtype=F64), 3.0 * draw(40000, 3), draw(40000, 3)
    x = (path.alpha(t) * x0 + path.sigma(t) * noise).T
    scaled, _ = given({"x": "unit_variance", "data_std": 3.0}, x, t, path)
    torch.testing.assert_close(scaled.std(1), torch.ones(3, dtype=F64), rtol=0.02, atol=0)
    assert given({}, x, t, path)[0] is x


def test_a_states_own_scale_tells_nothing_that_is_not_in_it(draw):
    """Its root mean square over pixels and channels: divided out, and its logarithm given in the time's place."""
    x, scales = draw(3, 2), torch.tensor([0.02, 1.0, 300.0], dtype=F64)
    x = x / x.square().mean(1, keepdim=True).sqrt()
    asked = {"x": "own_scale", "t": "log_own_scale"}
    state, time = given(asked, scales[:, None] * x, torch.tensor(0.3, dtype=F64), ve())
    torch.testing.assert_close(state, x)
    torch.testing.assert_close(time, scales.log())
    other, _ = given(asked, scales[:, None] * x, torch.tensor(0.9, dtype=F64), ve())
    assert torch.equal(other, state)
    nothing, of_nothing = given(asked, torch.zeros(3, 2, dtype=F64), torch.tensor(0.3, dtype=F64), ve())
    assert torch.equal(nothing, torch.zeros_like(nothing)) and of_nothing.isfinite().all()


def test_the_times_of_the_levels_stay_on_the_host_and_what_tells_them_apart_moves(monkeypatch):
    """A number read off a device would make every evaluation wait: the device without values refuses to give one."""
    times = level_times(ve(), 10)
    model = Denoiser(Timed(), ve(), "noise", times, Conditioning(t="index")).to("meta")
    assert model.known_times.device.type == "cpu" and model.levels.device.type == "meta"
    assert "levels" not in model.state_dict() and len(list(model.parameters())) == 2
    x, compared = torch.empty(4, 2, device="meta"), []
    monkeypatch.setattr(denoisers, "level_of", lambda known, t: compared.append(known) or level_of(known, t))
    assert model.score(x, float(times[3])).device.type == "meta"
    assert compared[0].device.type == "meta", "nothing is copied to the device at every evaluation"
    with pytest.raises(UnsupportedModelError, match=r"t = 0\.5 is none"):
        model.score(x, 0.5)
    assert Denoiser(Recorder(), ve(), "noise").levels is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_module_in_another_dtype_still_knows_its_levels(dtype, draw):
    net, times = Recorder(), level_times(ve(), 10)
    model = Denoiser(net, ve(), "noise", times, Conditioning(t="index")).to(dtype)
    for index, t in enumerate(times.tolist()):
        model.noise(draw(3, 2), t)
        assert net.t.tolist() == [index]
    assert model.known_times.dtype == F64


@pytest.mark.parametrize("t", [0.3, (0.1, 0.3, 0.6, 0.9)])
@pytest.mark.parametrize("conditioning", [Conditioning(), Conditioning("unit_variance", "log_sigma", 0.5)])
@pytest.mark.parametrize("prediction", QUANTITIES)
def test_divergence_in_closed_form_is_the_differentiated_one(prediction, conditioning, t, draw, monkeypatch):
    monkeypatch.setattr(mlp, "PUSHED", {"cpu": 24})  # rows of samples at a time, whose last share is smaller
    net, x, t = ResidualMLP((2, 4), 16, 3), draw(4, 2, 4), torch.tensor(t, dtype=F64)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.3)
    denoiser = Denoiser(net.double(), vp(), prediction, conditioning=conditioning)
    torch.testing.assert_close(
        denoiser.velocity_divergence(x, t), Answers.velocity_divergence(denoiser, x, t), rtol=1e-11, atol=1e-11
    )


@pytest.mark.parametrize("conditioning", [Conditioning("own_scale", "none"), Conditioning("raw", "log_own_scale")])
def test_divergence_through_an_own_scale_is_differentiated(conditioning, draw):
    net, x, t = ResidualMLP((3,), 8, 1), draw(4, 3), torch.tensor(0.3, dtype=F64)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.3)
    denoiser = Denoiser(net.double(), vp(), "noise", conditioning=conditioning)
    rows = [torch.func.jacrev(lambda x: denoiser.velocity(x[None], t)[0])(each).trace() for each in x]
    torch.testing.assert_close(denoiser.velocity_divergence(x, t), torch.stack(rows), rtol=1e-11, atol=1e-11)
