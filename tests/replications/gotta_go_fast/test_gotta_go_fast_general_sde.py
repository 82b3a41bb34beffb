"""Roberts' scheme and the adaptive solver on SDEs whose solutions are known."""

import math

import pytest
import torch

from common.errors import SolverError
from replications.gotta_go_fast.general_sde import general_sde, roberts
from replications.gotta_go_fast.schemes import improved_euler
from replications.gotta_go_fast.step_size import Control

F64 = torch.float64
GROWTH, NOISE = 0.5, 0.6


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def step(scheme, field, x, t, t_next, h, dw):
    return scheme(field, field(x, t), x, t_next, h, dw)


def geometric(x, t):
    return GROWTH * x, NOISE * x


def with_signs(dw, seed=9):
    return torch.cat([dw, torch.randn(len(dw), 1, generator=generator(seed), dtype=F64)], 1)


@pytest.mark.parametrize("ito", [True, False])
def test_strong_order_one_on_geometric_brownian_motion(ito):
    """exp((a - b^2/2) T + b W_T) for Ito, exp(a T + b W_T) for Stratonovich."""
    n, finest = 4000, 128
    dw = torch.randn(finest, n, generator=generator(), dtype=F64) / finest**0.5
    exact = torch.exp(GROWTH - ito * NOISE**2 / 2 + NOISE * dw.sum(0))
    errors = []
    for steps in (8, 32, 128):
        x, t = torch.ones(n, 1, dtype=F64), torch.zeros(n, dtype=F64)
        h = torch.full((n,), 1 / steps, dtype=F64)
        for number, part in enumerate(dw.reshape(steps, finest // steps, n).sum(1)):
            x = step(roberts(ito), geometric, x, t, t + h, h, with_signs(part[:, None], 100 + number)).kept
        errors.append(float((x[:, 0] - exact).square().mean().sqrt()))
    assert math.log2(errors[0] / errors[-1]) / 4 == pytest.approx(1, abs=0.1), errors


def test_a_step_by_hand():
    """f = x, g = x + t, from x = 1, t = 1 over h = 0.25 with dw = 0.3 and S = -1."""
    h, dw = 0.25, torch.tensor([[0.3, -2.0]], dtype=F64)
    one = torch.ones(1, dtype=F64)
    trial = step(roberts(True), lambda x, t: (x, x + t[:, None]), one[:, None], one, 0.75 * one, h * one, dw)
    first = h * 1 + (0.3 + 0.5) * 2
    second = h * (1 + first) + (0.3 - 0.5) * (1 + first + 0.75)
    lower = 1 + h + 2 * 0.3
    higher = 1 + (first + second) / 2
    for found, expected in zip(trial, (higher, lower, lower - higher)):
        torch.testing.assert_close(found, torch.tensor([[expected]], dtype=F64))


def test_with_stratonovich_and_additive_noise_it_is_improved_euler():
    x, t, h = torch.rand(5, 2, generator=generator(), dtype=F64), torch.ones(5, dtype=F64), torch.full((5,), 0.1, dtype=F64)
    dw = torch.randn(5, 2, generator=generator(1), dtype=F64)
    field = lambda x, t: (-x * t[:, None], (1 + t)[:, None])  # noqa: E731
    for found, expected in zip(
        step(roberts(False), field, x, t, t - h, h, with_signs(dw)), step(improved_euler(True), field, x, t, t - h, h, dw)
    ):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("calculus", ["ito", "stratonovich"])
def test_the_mean_of_geometric_brownian_motion_forwards(calculus):
    n = 8000
    integrate = general_sde(
        lambda x, t: GROWTH * x, lambda x, t: NOISE * x, Control(0.05, 0.01), calculus=calculus, noise="bridge"
    )
    found = integrate(torch.ones(n, 1, dtype=F64), torch.tensor([0.0, 1.0], dtype=F64), generator=generator())
    mean = math.exp(GROWTH + (calculus == "stratonovich") * NOISE**2 / 2)
    error = mean * math.sqrt((math.exp(NOISE**2) - 1) / n)
    assert float(found.x.mean()) == pytest.approx(mean, abs=4 * error + 0.01)
    assert (found.nfe % 2 == 0).all() and (found.nfe > 0).all()


def test_an_ornstein_uhlenbeck_process_backwards():
    """dx = x dt + dw run from t = 1 to 0 shrinks: x_0 has mean exp(-1) and variance (1 - exp(-2)) / 2."""
    n = 4000
    integrate = general_sde(lambda x, t: x, lambda x, t: torch.ones_like(x), Control(0.01, 0.002), noise="bridge")
    x = integrate(torch.ones(n, 2, dtype=F64), torch.tensor([1.0, 0.0], dtype=F64), generator=generator()).x
    assert float(x.mean()) == pytest.approx(math.exp(-1), abs=0.025)
    assert float(x.var()) == pytest.approx((1 - math.exp(-2)) / 2, abs=0.025)


@pytest.mark.parametrize("rtol", [0.05, 0.01])
def test_noise_that_is_redrawn_is_too_small_in_few_dimensions_at_any_tolerance(rtol):
    """The process above: where the error is that of one number, an accepted increment is one whose square is small."""
    options = {"calculus": "stratonovich", "noise": "redrawn"}
    redrawn = general_sde(lambda x, t: x, lambda x, t: torch.ones_like(x), Control(rtol, rtol / 5), **options)
    times, exact = torch.tensor([1.0, 0.0], dtype=F64), (1 - math.exp(-2)) / 2
    found = redrawn(torch.ones(2000, 1, dtype=F64), times, generator=generator()).x
    assert float(found.var()) < 0.8 * exact
    many = redrawn(torch.ones(20, 400, dtype=F64), times, generator=generator()).x
    assert float(many.var(1).mean()) == pytest.approx(exact, rel=0.06)


def test_a_way_of_no_length_is_refused():
    integrate = general_sde(lambda x, t: x, lambda x, t: x, Control(0.05, 0.01))
    with pytest.raises(SolverError, match="start and end are the same time, 1"):
        integrate(torch.ones(2, 1), torch.ones(2), generator=generator())
