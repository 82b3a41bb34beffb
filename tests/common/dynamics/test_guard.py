"""Errors do not rest on anybody's assert: `python -O` gives the same ones."""

import subprocess
import sys

import pytest
import torch

from common.dynamics.guard import LOOK, Guarded
from common.errors import SolverError
from common.runs.settings import ROOT

BLOWS_UP = """
import torch
from common.dynamics.divergence import with_exact_divergence
from common.dynamics.likelihood import flow_log_density
from common.dynamics.paths import vp
field = with_exact_divergence(lambda t, x: 5 + x**2)
ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
flow_log_density(field, torch.zeros(2, 1, dtype=torch.float64), vp().prior_log_density, ends)
"""
FIXED = """
import torch
from replications.neural_ode.solvers import fixed
times = torch.tensor([0.1, 0.7], dtype=torch.float64)
(found,) = fixed("rk4", 20)(lambda t, state: (-state[0],), (torch.ones(1, dtype=torch.float64),), times)
print(float(found[-1]))
"""


def optimised(code):
    return subprocess.run([sys.executable, "-O", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100)


def test_a_likelihood_that_blows_up_raises_without_asserts():
    assert "SolverError" in (said := optimised(BLOWS_UP).stderr) and "underflow" in said, said[-500:]


def test_a_fixed_step_solve_is_right_without_asserts():
    assert float(optimised(FIXED).stdout) == pytest.approx(0.5488116, rel=1e-6)


def test_time_that_stands_still_is_noticed_and_time_that_moves_is_not():
    field = Guarded(lambda t, x: x, "it")
    for step in range(3 * LOOK):
        field(torch.tensor(float(step // 30)), torch.zeros(1))
    with pytest.raises(SolverError, match="it: underflow of the step size at t = 7"):
        for _ in range(2 * LOOK):
            field(torch.tensor(7.0), torch.zeros(1))
    assert field.calls > 3 * LOOK
    with pytest.raises(SolverError, match="underflow of the step size at t = nan"):
        for _ in range(2 * LOOK):
            Guarded.__call__(field, torch.tensor(float("nan")), torch.zeros(1))
