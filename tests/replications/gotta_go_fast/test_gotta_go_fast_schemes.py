"""One step of each scheme: by hand, without noise, and its strong order."""

import math

import pytest
import torch

from replications.gotta_go_fast.schemes import drift_alone, improved_euler

F64 = torch.float64


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(*values):
    return torch.tensor(values, dtype=F64)


def step(scheme, field, x, t, t_next, h, dw):
    return scheme(field, field(x, t), x, t_next, h, dw)


def doubling(x, t):
    return 2 * x, (1 + t)[:, None]


@pytest.mark.parametrize("scheme", [improved_euler(True), drift_alone(True)])
def test_without_noise_the_higher_order_is_heuns_step(scheme):
    """Two samples with times and steps of their own, dx/ds = -1.5 x + t, towards smaller times."""
    x, t, h = rows([1.0, -2.0], [0.5, 3.0]), rows(0.9, 0.4), rows(0.1, 0.2)
    trial = step(scheme, lambda x, t: (-1.5 * x + t[:, None], torch.ones_like(x)), x, t, t - h, h, torch.zeros_like(x))
    size, slope = h[:, None], -1.5 * x + t[:, None]
    euler = x + size * slope
    heun = x + size / 2 * (slope - 1.5 * euler + (t - h)[:, None])
    torch.testing.assert_close(trial.kept, heun)
    torch.testing.assert_close(trial.error, euler - heun)


def test_improved_euler_by_hand():
    """drift = 2 x, g = 1 + t, t = 1 -> 0.5 with dw = 0.3: both stages start from x, and share dw."""
    x, t, h, dw = rows([1.0]), rows(1.0), rows(0.5), rows([0.3])
    higher, lower = (step(improved_euler(extrapolate), doubling, x, t, t - h, h, dw) for extrapolate in (True, False))
    euler = 1 + 0.5 * 2 + 2 * 0.3  # 2.6
    second = 1 + 0.5 * 2 * euler + 1.5 * 0.3  # 4.05
    for trial, (kept, compared) in ((higher, ((euler + second) / 2, euler)), (lower, (euler, (euler + second) / 2))):
        torch.testing.assert_close(trial.kept, rows([kept]))
        torch.testing.assert_close(trial.compared, rows([compared]))
        torch.testing.assert_close(trial.error, rows([(euler - second) / 2]))


def test_drift_alone_by_hand():
    """Its error and what is compared know of no noise, which is added at g(t)."""
    x, t, h, dw = rows([1.0]), rows(1.0), rows(0.5), rows([0.3])
    euler, heun = 1 + 0.5 * 2, 1 + 0.25 * (2 + 2 * 2)
    for extrapolate, mean in ((True, heun), (False, euler)):
        trial = step(drift_alone(extrapolate), doubling, x, t, t - h, h, dw)
        torch.testing.assert_close(trial.compared, rows([mean]))
        torch.testing.assert_close(trial.kept, rows([mean + 2 * 0.3]))
        torch.testing.assert_close(trial.error, rows([euler - heun]))


RATE, STD = 1.5, 0.8


def ornstein_uhlenbeck(steps, n):
    """Increments of n Brownian paths over `steps`, and the exact ends of dx = -RATE x ds + STD dw from 1 on these paths."""
    h = 1 / steps
    # dw and the integral of exp(-RATE (h - s)) dw over a step, jointly
    decay = math.exp(-RATE * h)
    cross, own = (1 - decay) / RATE, (1 - decay**2) / (2 * RATE)
    cov = torch.tensor([[h, cross], [cross, own]], dtype=F64)
    drawn = torch.randn(steps, n, 2, generator=generator(), dtype=F64) @ torch.linalg.cholesky(cov).T
    x = torch.ones(n, dtype=F64)
    for part in drawn:
        x = decay * x + STD * part[:, 1]
    return drawn[..., 0], x


@pytest.mark.parametrize("scheme", [improved_euler(True), improved_euler(False), drift_alone(True)])
def test_strong_order_on_an_ornstein_uhlenbeck_process(scheme):
    """Order 1, because the noise is additive; the paths are those of the exact solution."""
    n, finest = 2000, 64
    increments, exact = ornstein_uhlenbeck(finest, n)
    errors = []
    for steps in (8, 16, 32, 64):
        h = torch.full((n,), 1 / steps, dtype=F64)
        x, t = torch.ones(n, 1, dtype=F64), torch.zeros(n, dtype=F64)
        for dw in increments.reshape(steps, finest // steps, n).sum(1):
            x = step(scheme, lambda x, t: (-RATE * x, torch.full_like(t, STD)[:, None]), x, t, t + h, h, dw[:, None]).kept
        errors.append(float((x[:, 0] - exact).square().mean().sqrt()))
    slope = math.log2(errors[0] / errors[-1]) / 3
    assert slope == pytest.approx(1, abs=0.12), errors


def test_the_error_of_a_step_is_of_order_three_halves():
    """x' - x'' of a noisy step: drift's Jacobian times noise, and g(t) - g(t')."""
    n = 4000
    z, x, t = torch.randn(n, 1, generator=generator(), dtype=F64), torch.ones(n, 1, dtype=F64), torch.ones(n, dtype=F64)
    sizes = []
    for size in (1e-3, 1e-4):
        h = torch.full((n,), size, dtype=F64)
        trial = step(improved_euler(True), lambda x, t: (-2 * x, (1 + t)[:, None]), x, t, t - h, h, size**0.5 * z)
        sizes.append(float(trial.error.square().mean().sqrt()))
    assert math.log10(sizes[0] / sizes[1]) == pytest.approx(1.5, abs=0.02)
