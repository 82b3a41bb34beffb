"""One training step of the latent ODE against the same model through torchdiffeq's adjoint; one thread, in turns, fastest each.

The rival solves as torchdiffeq's examples do: the whole batch at once, for all times at which anything was observed (the union of
the series' irregular times, here the 100 points of the window), gradients by `odeint_adjoint`. Encoder, decoder and loss are ours
in both, so only the solve differs.

    equal evaluations   both take one Runge-Kutta step of four evaluations between neighbouring times, forwards and backwards
    as in the examples  the rival's dopri5 at its default tolerances, against the steps that our training takes
"""

import time

import pytest
import torch
from torch import nn
from torchdiffeq import odeint_adjoint

from common.runs.settings import resolve
from replications.neural_ode.autonomous_solve import Hermite
from replications.neural_ode.latent_ode import LatentODE, negative_elbo, observed_mask
from replications.neural_ode.spirals import NOISE, STEP, WINDOW, observation_indices, spirals, times

pytestmark = pytest.mark.benchmark
ROUNDS, BATCH, OBSERVED = 12, 100, 30
SPAN = STEP * (WINDOW - 1)


class Field(nn.Module):
    """The model's field as the module that `odeint_adjoint` asks for."""

    def __init__(self, model):
        super().__init__()
        self.model, self.calls = model, 0

    def forward(self, t, z):
        self.calls += 1
        return self.model.field(z)


def ours(model, steps):
    grid = Hermite(times(0, WINDOW), span=SPAN, steps=steps)
    return lambda z: grid(model.solve(z, span=SPAN, steps=steps))


def torchdiffeqs(field, **options):
    weights = [field.model.w1, field.model.b1, field.model.w2, field.model.b2]
    return lambda z: odeint_adjoint(field, z, times(0, WINDOW).float(), adjoint_params=weights, **options)


def step(model, solve, x, indices, mask, noise):
    """Return the loss and the seconds of one step, without the optimiser."""
    model.zero_grad(set_to_none=True)
    begin = time.perf_counter()
    posterior = model.encode(model.inputs(x, indices))
    loss = negative_elbo(model.decode(solve(posterior.sample(noise))), x, mask, posterior, NOISE).sum()
    loss.backward()
    return float(loss.detach()), time.perf_counter() - begin, model.w1.grad.clone()


def test_step_is_faster_than_through_torchdiffeqs_adjoint(capsys):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    series = spirals(BATCH, generator=generator)
    indices = [observation_indices(BATCH, OBSERVED, generator=generator)]
    model = LatentODE(1, generator=generator)
    noise, mask = torch.randn(1, BATCH, model.latent, generator=generator), observed_mask(indices, WINDOW)
    training = resolve("replications.neural_ode", "latent_spirals", "laptop").solver_steps
    field = Field(model)
    solves = {
        "ours, equal": ours(model, WINDOW - 1),
        "torchdiffeq, equal": torchdiffeqs(field, method="rk4"),
        "ours, training": ours(model, training),
        "torchdiffeq, dopri5": torchdiffeqs(field),
    }
    try:
        found, calls = {name: [] for name in solves}, {}
        for number in range(ROUNDS):
            for name, solve in solves.items():
                # dopri5 at its default tolerances takes seconds
                if number < 3 or name != "torchdiffeq, dopri5":
                    field.calls = 0
                    found[name].append(step(model, solve, series.observed, indices, mask, noise))
                    calls[name] = field.calls
    finally:
        torch.set_num_threads(threads)
    best = {name: min(seconds for _, seconds, _ in steps) for name, steps in found.items()}
    equal, examples = best["torchdiffeq, equal"] / best["ours, equal"], best["torchdiffeq, dopri5"] / best["ours, training"]
    with capsys.disabled():
        print()
        for name, steps in found.items():
            print(f"{name:20s} {1e3 * best[name]:8.1f} ms  loss {steps[0][0]:.4f}  evaluations by torchdiffeq {calls[name]}")
        print(f"ratio at equal evaluations {equal:.1f}, as in the examples {examples:.1f}")
    exact = found["torchdiffeq, dopri5"][0]
    for steps in found.values():
        assert steps[0][0] == pytest.approx(exact[0], rel=1e-4)
        torch.testing.assert_close(steps[0][2], exact[2], rtol=1e-2, atol=1e-2 * float(exact[2].abs().max()))
    assert equal > 1.5 and examples > 1.5
