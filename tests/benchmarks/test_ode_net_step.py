"""One training step of the ODE-Net through our adjoint and through torchdiffeq's; one thread, in turns, fastest each.

The network is the laptop level's. Stem, field, head, weights and loss are the same tensors in both, so only the solve and its
gradients differ. The rival solves as torchdiffeq's examples do: one call of `odeint_adjoint`, whose options for the way back are
its own defaults.

    dopri5    the tolerance that training uses; each library chooses its steps by its own norm
    rk4       as many equal steps both ways, so that evaluations are equal whatever the norm
"""

import time
from typing import NamedTuple

import pytest
import torch
from torch.nn.functional import cross_entropy
from torchdiffeq import odeint_adjoint

from common.runs.settings import resolve
from replications.neural_ode.adjoint import solve_ode_adjoint
from replications.neural_ode.classifiers import labelled_images
from replications.neural_ode.networks import ClassifierSettings
from replications.neural_ode.solvers import adaptive, fixed, unit_interval

pytestmark = pytest.mark.benchmark
ROUNDS, STEPS = 25, 8


class Step(NamedTuple):
    """What one step took and found."""

    seconds: float
    forward: int
    backward: int
    loss: float
    gradients: torch.Tensor


def ours(solve):
    return lambda field, z: solve_ode_adjoint(field, z, unit_interval(z), solve)[-1]


def torchdiffeqs(**options):
    return lambda field, z: odeint_adjoint(field, z, unit_interval(z), **options)[-1]


def step(net, solve, images, labels):
    """One step without the optimiser."""
    net.zero_grad(set_to_none=True)
    field = net.body.field
    field.calls = 0
    begin = time.perf_counter()
    loss = cross_entropy(net.head(solve(field, net.stem(images))), labels)
    forward = field.calls
    loss.backward()
    seconds = time.perf_counter() - begin
    gradients = torch.cat([parameter.grad.flatten() for parameter in net.parameters()])
    return Step(seconds, forward, field.calls - forward, float(loss.detach()), gradients)


def test_step_is_not_slower_than_through_torchdiffeqs_adjoint(capsys):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    settings = resolve("replications.neural_ode", "train_classifier", "laptop")
    images, labels = (part[: settings.train.batch] for part in labelled_images(settings.data, "train"))
    net = ClassifierSettings(kind="ode_net", network=settings.network, shape=tuple(images.shape[1:])).build(seed=0)
    tolerance = settings.tolerance
    solves = {
        ("dopri5", "ours"): ours(adaptive("dopri5", tolerance)),
        ("dopri5", "torchdiffeq"): torchdiffeqs(method="dopri5", rtol=tolerance, atol=tolerance),
        ("rk4", "ours"): ours(fixed("rk4", STEPS)),
        ("rk4", "torchdiffeq"): torchdiffeqs(method="rk4", options={"step_size": 1 / STEPS}),
    }
    try:
        steps = {name: [] for name in solves}
        for _ in range(ROUNDS):
            for name, solve in solves.items():
                steps[name].append(step(net, solve, images, labels))
    finally:
        torch.set_num_threads(threads)
    best = {name: min(found, key=lambda each: each.seconds) for name, found in steps.items()}
    per_evaluation = {name: found.seconds / (found.forward + found.backward) for name, found in best.items()}
    ratios = {method: per_evaluation[method, "torchdiffeq"] / per_evaluation[method, "ours"] for method in ("dopri5", "rk4")}
    with capsys.disabled():
        print()
        for (method, whose), found in best.items():
            print(
                f"{method:7s} {whose:12s} {1e3 * found.seconds:7.1f} ms, evaluations {found.forward} + {found.backward}, "
                f"{1e6 * per_evaluation[method, whose]:.0f} us each, loss {found.loss:.5f}"
            )
        print("ratio of the times of an evaluation: " + ", ".join(f"{method} {ratio:.2f}" for method, ratio in ratios.items()))
    for method, tight in (("dopri5", 1e-3), ("rk4", 1e-5)):
        mine, theirs = best[method, "ours"], best[method, "torchdiffeq"]
        assert mine.loss == pytest.approx(theirs.loss, rel=1e-6)
        assert (mine.gradients - theirs.gradients).norm() < tight * theirs.gradients.norm()
    assert best["rk4", "ours"][1:3] == best["rk4", "torchdiffeq"][1:3] == (4 * STEPS, 4 * STEPS)
    assert min(ratios.values()) > 0.9
