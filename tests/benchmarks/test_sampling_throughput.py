"""Our samplers against torchdiffeq called directly, same network, solver, steps and noise, in one process."""

import time

import pytest
import torch
from torchdiffeq import odeint

from common.dynamics.paths import uniform_times
from common.dynamics.samplers.ode import torchdiffeq_solver
from common.learning.models import ModelSettings
from common.learning.nets.build import MLPSettings
from common.learning.objective_table import OBJECTIVES

pytestmark = pytest.mark.benchmark
REPEATS = 7


def direct(network, noise, times, method, **options):
    """As torchdiffeq's and torchcfm's examples sample: one call, the state in the network's precision."""
    with torch.no_grad():
        return odeint(lambda t, x: network(x, t.expand(len(x))), noise, times, method=method, **options)[-1]


@pytest.mark.parametrize(("method", "steps"), [("midpoint", 20), ("rk4", 10), ("dopri5", 1)])
def test_sampling_is_no_slower_than_torchdiffeq_called_directly(method, steps, capsys):
    torch.set_num_threads(1)
    backbone = MLPSettings(width=192, blocks=3)
    model = ModelSettings(objective=OBJECTIVES["fm_ot"].objective, backbone=backbone, shape=(1, 8, 8))
    denoiser = model.build(0).eval().requires_grad_(False)
    torch.nn.init.normal_(denoiser.backbone.leave.weight, std=0.02)
    noise, times = torch.randn(500, 1, 8, 8), uniform_times(denoiser.path, steps)
    tolerances = {"rtol": 1e-5, "atol": 1e-5}
    solve = torchdiffeq_solver(method, **tolerances)
    ways = {
        "ours": lambda: solve(denoiser, noise, times).x,
        "direct": lambda: direct(denoiser.backbone, noise, times.float(), method, **tolerances),
    }
    seconds = {name: [] for name in ways}
    ends = {}
    for _ in range(REPEATS):  # in turns, so that the machine's moods hit both
        for name, way in ways.items():
            begin = time.perf_counter()
            ends[name] = way()
            seconds[name].append(time.perf_counter() - begin)
    torch.testing.assert_close(ends["ours"].float(), ends["direct"], rtol=1e-3, atol=1e-3)
    ratio = min(seconds["ours"]) / min(seconds["direct"])
    with capsys.disabled():
        print(f"\n{method}: ours {min(seconds['ours']):.4f} s, direct {min(seconds['direct']):.4f} s, ratio {ratio:.2f}")
    assert ratio < 1.1
