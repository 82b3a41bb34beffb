"""FFJORD's training step on 8 Gaussians against a plain implementation of the published recipe; one thread, in turns.

Both begin at the same weights and see the same batches of 100: concatsquash layers 2-64-64-64-2 with tanh, exact trace, dopri5
at rtol = atol = 1e-5 over [0, 0.5], Adam at 1e-3. The rival is written from the equations as the paper's set-up says: the trace
by one reverse pass per dimension, whose graph is kept, and gradients by torchdiffeq's `odeint_adjoint`. Held-out points are
judged by one solve at a tolerance ten times tighter, for both the same.
"""

import copy
import time

import pytest
import torch
from torch import nn
from torchdiffeq import odeint_adjoint

from common.learning.data.densities import eight_gaussians
from replications.ffjord.free_form_flow import FlowSettings
from replications.ffjord.solving.solve import SolverSettings

pytestmark = pytest.mark.benchmark
STEPS, BATCH, TOLERANCE = 250, 100, 1e-5


class PlainField(nn.Module):
    """dz/dt = f(t, z) and d log p / dt = -tr(df/dz), the trace by one vector-Jacobian product per dimension."""

    def __init__(self, field):
        super().__init__()
        self.layers, self.calls = field.layers, 0

    def forward(self, t, state):
        self.calls += 1
        with torch.enable_grad():
            z = state[0].requires_grad_(True)
            h = z
            for i, layer in enumerate(self.layers):
                gate = torch.sigmoid(layer.gate(t.view(1, 1)))
                h = layer.linear(h) * gate + layer.shift(t.view(1, 1))
                h = torch.tanh(h) if i < len(self.layers) - 1 else h
            trace = sum(torch.autograd.grad(h[:, i].sum(), z, create_graph=True)[0][:, i] for i in range(z.shape[1]))
        return h, -trace[:, None]


def plain_log_density(plain, flow, x):
    times = torch.tensor([0.0, flow.end_time])
    z, change = odeint_adjoint(plain, (x, x.new_zeros(len(x), 1)), times, rtol=TOLERANCE, atol=TOLERANCE, method="dopri5")
    return flow.prior.prior_log_density(z[-1]) - change[-1, :, 0]


def step(log_density, optimiser, x):
    """One optimiser step; return its loss and its seconds."""
    begin = time.perf_counter()
    optimiser.zero_grad(set_to_none=True)
    loss = -log_density(x).mean()
    loss.backward()
    optimiser.step()
    return float(loss.detach()), time.perf_counter() - begin


def test_step_is_three_times_faster_than_the_plain_recipe(capsys):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    ours = FlowSettings(hidden=(64, 64, 64)).build(2, seed=0)
    theirs = copy.deepcopy(ours)
    plain, solver = PlainField(theirs.fields[0]), SolverSettings(rtol=TOLERANCE, atol=TOLERANCE)
    densities = {"ours": lambda x: ours.log_density(x, solver), "plain": lambda x: plain_log_density(plain, theirs, x)}
    optimisers = {"ours": torch.optim.Adam(ours.parameters(), lr=1e-3), "plain": torch.optim.Adam(theirs.parameters(), lr=1e-3)}
    losses, seconds = ({name: [] for name in densities} for _ in range(2))
    try:
        for _ in range(STEPS):
            x = eight_gaussians(BATCH, generator=generator)
            for name, density in densities.items():
                loss, took = step(density, optimisers[name], x)
                losses[name].append(loss)
                seconds[name].append(took)
    finally:
        torch.set_num_threads(threads)
    held_out, tight = eight_gaussians(5000, generator=generator), SolverSettings(rtol=TOLERANCE / 10, atol=TOLERANCE / 10)
    with torch.no_grad():
        nll = {name: -float(flow.log_density(held_out, tight).mean()) for name, flow in (("ours", ours), ("plain", theirs))}
    counted = {"ours": ours.evaluations, "plain": plain.calls}
    total = {name: sum(took) for name, took in seconds.items()}
    late = {name: sorted(took[-STEPS // 4 :])[STEPS // 8] for name, took in seconds.items()}
    with capsys.disabled():
        print()
        for name in densities:
            print(
                f"{name:6s} {1e3 * total[name] / STEPS:7.1f} ms a step on average, {1e3 * late[name]:7.1f} late, "
                f"held-out NLL {nll[name]:.4f}, evaluations of all steps {counted[name]}"
            )
        print(f"ratio of the times: {total['plain'] / total['ours']:.1f}, late {late['plain'] / late['ours']:.1f}")
    assert losses["ours"][0] == pytest.approx(losses["plain"][0], abs=1e-4)
    assert nll["ours"] == pytest.approx(nll["plain"], abs=0.02)
    assert total["plain"] > 3 * total["ours"]
