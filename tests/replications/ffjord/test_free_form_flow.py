"""Free-form flows: layers by their formulas, traces by autograd, densities that integrate to one."""

import math

import pytest
import torch

from common.dynamics.divergence import exact_divergence
from common.dynamics.samplers.ode import torchdiffeq_solver
from common.errors import UnsupportedModelError
from common.learning.training.loop import train
from common.learning.training.settings import TrainSettings
from replications.ffjord.free_form_flow import FlowSettings
from replications.ffjord.layers import Concat, ConcatSquash
from replications.ffjord.solving import chain_tape
from replications.ffjord.solving.solve import SolverSettings

F64 = torch.float64
T = torch.tensor(0.3, dtype=F64)
SOLVER = SolverSettings(rtol=1e-8, atol=1e-8)


def points(*shape, seed=0):
    return torch.randn(*shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


def build(dim=3, scale=1.5, **settings):
    flow = FlowSettings(**{"hidden": (7, 4, 5)} | settings).build(dim, seed=1).double()
    for parameter in flow.parameters():
        parameter.data *= scale
    return flow


def test_concatsquash_is_its_formula():
    layer, h = ConcatSquash(3, 4).double(), points(5, 3)
    weight, bias, gate_slope, gate_bias, shift = (parameter.detach() for parameter in layer.parameters())
    gate = 1 / (1 + torch.exp(-(gate_slope[:, 0] * 0.3 + gate_bias)))
    torch.testing.assert_close(layer(T, h), (h @ weight.T + bias) * gate + shift[:, 0] * 0.3)
    times = torch.linspace(0, 1, 5, dtype=F64)
    torch.testing.assert_close(layer(times, h)[3], layer(times[3], h[3:4])[0])


def test_concat_is_its_formula():
    layer, h = Concat(3, 4).double(), points(5, 3)
    with_time = torch.cat([torch.full((5, 1), 0.3, dtype=F64), h], 1)
    torch.testing.assert_close(layer(T, h), with_time @ layer.linear.weight.T + layer.linear.bias)
    assert layer.linear.weight.shape == (4, 4)


@pytest.mark.parametrize("layer", ["concatsquash", "concat"])
@pytest.mark.parametrize("nonlinearity", ["tanh", "softplus", "silu"])
@pytest.mark.parametrize("bottleneck", [False, True])
def test_trace_is_autograds(layer, nonlinearity, bottleneck):
    field, z = build(layer=layer, nonlinearity=nonlinearity, bottleneck=bottleneck, hidden=(7, 2, 5)).fields[0], points(6, 3)
    value, trace = field.traced(field.seed(z, "exact"))(T, z)
    expected, divergence = exact_divergence(field, T, z)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(trace, divergence)


def test_the_field_is_its_layers():
    field, z = build().fields[0], points(6, 3)
    h = z
    for layer in field.layers[:3]:
        h = torch.tanh(layer(T, h))
    torch.testing.assert_close(field(T, z), field.layers[3](T, h))
    assert len(field.layers) == 4


@pytest.mark.parametrize("noise", ["gaussian", "rademacher"])
@pytest.mark.parametrize("bottleneck", [False, True])
def test_estimates_of_many_probes_have_the_exact_mean(noise, bottleneck):
    field = build(bottleneck=bottleneck, hidden=(6, 2, 6)).fields[0]
    z = points(1, 3).expand(40_000, 3)
    seed = field.seed(z, noise, torch.Generator().manual_seed(0))
    assert seed.vectors.shape == (1, 2 if bottleneck else 3, 40_000)
    found = field.traced(seed)(T, z)[1].detach()
    exact = exact_divergence(field, T, z[:1])[1].detach()
    assert abs(found.mean() - exact) < 4 * found.std() / 200 and found.std() > 0
    if not bottleneck:
        probe, jacobian = seed.vectors[0, :, 5], torch.autograd.functional.jacobian(lambda z: field(T, z[None])[0], z[5])
        torch.testing.assert_close(found[5], probe @ jacobian @ probe)


def test_the_estimate_is_one_function_throughout_a_solve():
    field, z = build().fields[0], points(6, 3)
    generator = torch.Generator().manual_seed(0)
    traced = field.traced(field.seed(z, "gaussian", generator))
    assert torch.equal(traced(T, z)[1], traced(T, z)[1])
    assert not torch.equal(traced(T, z)[1], field.traced(field.seed(z, "gaussian", generator))(T, z)[1])


@pytest.mark.parametrize(("dim", "flows"), [(1, 1), (1, 2), (2, 1)])
def test_density_integrates_to_one(dim, flows):
    flow = build(dim, scale=2.5, flows=flows, hidden=(8, 8))
    axis = torch.linspace(-9, 9, 2001 if dim == 1 else 121, dtype=F64)
    grid = torch.cartesian_prod(*[axis] * dim).reshape(-1, dim)
    with torch.no_grad():
        density = flow.log_density(grid, SolverSettings(rtol=1e-6, atol=1e-6)).exp()
    total = density.sum() * (axis[1] - axis[0]) ** dim
    assert float(total) == pytest.approx(1, abs=1e-4)
    normal = torch.exp(-0.5 * grid.square().sum(1)) * (2 * math.pi) ** (-dim / 2)
    assert (density - normal).abs().max() > 0.02  # it does not stand still


def test_density_of_samples_is_that_of_their_path():
    flow, base = build(flows=2), points(20, 3)
    with torch.no_grad():
        made = flow.to_data(base, SOLVER, trace="exact")
        path = -0.5 * base.square().sum(1) - 1.5 * math.log(2 * math.pi) - made.integral
        torch.testing.assert_close(flow.log_density(made.z, SOLVER), path, rtol=1e-6, atol=1e-6)


def test_estimated_log_density_is_unbiased():
    flow = build()
    x = points(1, 3).expand(4000, 3)
    with torch.no_grad():
        noisy = flow.log_density(x, SolverSettings(), trace="rademacher", generator=torch.Generator().manual_seed(0))
        exact = flow.log_density(x[:1], SOLVER)
    assert abs(noisy.mean() - exact) < 4 * noisy.std() / 4000**0.5 and noisy.std() > 0.001


def test_round_trip_falls_with_the_tolerance():
    flow, x, errors = build(flows=2, scale=4, hidden=(16, 16)), points(20, 3), []
    for tolerance in (1e-3, 1e-5, 1e-7):
        solver = SolverSettings(rtol=tolerance, atol=tolerance)
        with torch.no_grad():
            errors.append(float((flow.to_data(flow.to_base(x, solver).z, solver).z - x).abs().max()))
    assert errors[0] > 10 * errors[1] > 100 * errors[2] and errors[2] < 1e-6


def test_samples_come_from_the_generator():
    flow = build()
    first, second = (flow.sample(5, SOLVER, generator=torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, second) and first.shape == (5, 3) and first.dtype == F64


def test_evaluations_add_up_over_flows_and_ways():
    flow, solver = build(flows=2), SolverSettings(method="rk4", steps=4)
    loss = -flow.log_density(points(5, 3), solver).mean()
    assert (flow.evaluations.forward, flow.evaluations.backward) == (34, 0)
    loss.backward()
    assert (flow.evaluations.forward, flow.evaluations.backward) == (34, 32)


def test_flow_answers_its_velocity_only():
    flow, base = build(flows=2), points(6, 3)
    model = flow.answers()
    found = torchdiffeq_solver("dopri5", rtol=1e-8, atol=1e-8)(model, base, torch.tensor([1.0, 0.0], dtype=F64))
    torch.testing.assert_close(found.x, flow.to_data(base, SOLVER).z.detach(), rtol=1e-5, atol=1e-5)
    with pytest.raises(UnsupportedModelError):
        model.score(base, 0.5)


def test_exact_traces_in_pieces(monkeypatch):
    flow, x = build(), points(20, 3)
    with torch.no_grad():
        whole = flow.log_density(x, SOLVER)
        monkeypatch.setattr(chain_tape, "LARGEST", 1)
        torch.testing.assert_close(flow.log_density(x, SOLVER), whole, rtol=1e-12, atol=1e-12)


def test_weights_depend_on_the_seed_alone():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, second, other = (FlowSettings(hidden=(4,)).build(2, seed=seed).fields[0] for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.layers[0].linear.weight, second.layers[0].linear.weight)
    assert not torch.equal(first.layers[0].linear.weight, other.layers[0].linear.weight)


def test_weight_decay_shrinks_the_weights(tmp_path):
    """One decoupled step: w - lr (decay w + Adam's direction)."""
    after, begun = {}, FlowSettings(hidden=(4,)).build(2, seed=0)

    def loss(flow, step, generator):
        return -flow.log_density(points(8, 2).float(), SolverSettings()).mean()

    for decay in (0.0, 0.5):
        settings = TrainSettings(steps=1, batch=8, learning_rate=0.01, weight_decay=decay, ema_decay=0.0)
        flow = FlowSettings(hidden=(4,)).build(2, seed=0)
        train(
            flow,
            loss,
            settings=settings,
            seed=0,
            state_file=tmp_path / f"{decay}.pt",
            device=torch.device("cpu"),
            fingerprint="x",
        )
        after[decay] = torch.cat([parameter.detach().flatten() for parameter in flow.parameters()])
    weights = torch.cat([parameter.detach().flatten() for parameter in begun.parameters()])
    torch.testing.assert_close(after[0.0] - after[0.5], 0.01 * 0.5 * weights, rtol=1e-3, atol=1e-6)
