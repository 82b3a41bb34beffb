"""A solve whose tangents go through the layers block by block, against the same solve evaluation by evaluation."""

import pytest
import torch

from replications.ffjord.images.conv_fields import encoder_decoder, same_grid
from replications.ffjord.images.conv_tape import ProbedField
from replications.ffjord.solving.solve import Evaluations, SolverSettings, push

F64, SHAPE = torch.float64, (2, 4, 4)
SOLVERS = {
    "dopri5": SolverSettings(method="dopri5", rtol=1e-4, atol=1e-4),
    "rk4": SolverSettings(method="rk4", steps=2),
}


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


@pytest.fixture(params=[False, True], ids=["whole", "bottleneck"])
def both(request):
    torch.manual_seed(0)
    field = (encoder_decoder(2, (4, 3), bottleneck=True) if request.param else same_grid(2, (3, 3))).double()
    for parameter in field.parameters():
        parameter.data *= 2
    return ProbedField(field, normal(*field.traced_maps(normal(3, *SHAPE)).shape, seed=1), SHAPE)


def pushed(field, z, solver, parameters, backward=True):
    counts = Evaluations()
    end = push(field, z, 0.0, 1.0, solver, parameters=parameters, evaluations=counts)
    loss = (end.z * normal(*z.shape, seed=2)).sum() + (end.integral * normal(len(z), seed=3)).sum()
    gradients = torch.autograd.grad(loss, [z, *parameters]) if backward else ()
    return end, gradients, counts


@pytest.mark.parametrize("solver", SOLVERS)
def test_states_integrals_and_gradients_are_those_of_single_evaluations(both, solver):
    z, parameters = normal(3, *SHAPE).requires_grad_(), tuple(both.parameters())
    end, gradients, counts = pushed(both, z, SOLVERS[solver], parameters)
    # a plain function has no tape of its own
    expected, wanted, counted = pushed(lambda t, z: both(t, z), z, SOLVERS[solver], parameters)
    torch.testing.assert_close(end, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradients, wanted, rtol=1e-9, atol=1e-9)
    assert counts == counted
    assert end.integral.abs().max() > 1e-2


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_solve_that_nothing_learns_from_gives_the_same(both, solver):
    z, parameters = normal(3, *SHAPE), tuple(both.parameters())
    expected, _, _ = pushed(both, z, SOLVERS[solver], parameters, backward=False)
    with torch.no_grad():
        end = push(both, z, 0.0, 1.0, SOLVERS[solver])
    torch.testing.assert_close(end.z, expected.z, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(end.integral, expected.integral, rtol=1e-12, atol=1e-12)
    assert not end.z.requires_grad and expected.z.requires_grad


def test_weights_that_are_frozen_get_no_gradient(both):
    frozen = both.field.layers[0].state.requires_grad_(False)
    learnt = [parameter for parameter in both.parameters() if parameter is not frozen]
    _, gradients, _ = pushed(both, normal(3, *SHAPE).requires_grad_(), SOLVERS["rk4"], learnt)
    assert len(gradients) == 1 + len(learnt) and frozen.grad is None
