"""Parameter counts, gradients, memory and augmentation of the classifiers."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from common.errors import SolverError
from common.learning.nets.mlp import parameter_count
from replications.neural_ode.classifiers import error_percent, shifted
from replications.neural_ode.depth import evaluations_alone
from replications.neural_ode.measures import adjoint_counts, reconstruction_error, saved_bytes, solved
from replications.neural_ode.networks import ClassifierSettings, Convolution, NetworkSettings
from replications.neural_ode.solvers import adaptive, fixed

SMALL = NetworkSettings(stem="conv", width=4, downsamplings=1, activation="softplus", pool=False)


def classifier(kind, network=SMALL, shape=(1, 8, 8), tolerance=1e-3):
    return ClassifierSettings(kind=kind, network=network, shape=shape, tolerance=tolerance).build(seed=0)


def images(n=6, size=8):
    return torch.rand(n, 1, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize(
    ("stem", "kind", "count"),
    [
        ("conv", "ode_net", 208_266),
        ("conv", "resnet", 576_778),
        ("residual", "ode_net", 232_970),
        ("residual", "resnet", 601_482),
    ],
)
def test_the_examples_networks_by_their_parameters(stem, kind, count):
    assert parameter_count(classifier(kind, NetworkSettings(stem=stem, width=64), (1, 28, 28))) == count


@pytest.mark.parametrize("kind", ["resnet", "rk_net", "ode_net"])
def test_forward_shapes_and_every_parameter_has_a_gradient(kind):
    net = classifier(kind)
    cross_entropy(net(images()), torch.arange(6)).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and (parameter.grad != 0).any(), name


@pytest.mark.parametrize(
    "network", [NetworkSettings(stem="residual", width=4), NetworkSettings(stem="conv", width=4, pool=False)]
)
def test_paper_sized_images(network):
    assert classifier("rk_net", network, (1, 28, 28))(images(2, 28)).shape == (2, 10)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("grid", [(3, 3), (2, 5), (1, 4), (4, 4)])
def test_convolution_of_a_small_grid_is_torchs_with_its_gradients(grid, bias):
    ours = Convolution(3, 5, bias=bias).double()
    theirs = torch.nn.Conv2d(3, 5, 3, padding=1, bias=bias).double()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(4, 3, *grid, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    sides = []
    for layer in (ours, theirs):
        value = layer(x)
        sides.append([value, *torch.autograd.grad(value.square().sum(), (x, *layer.parameters()))])
    torch.testing.assert_close(*sides)


def test_adjoint_and_backpropagation_agree():
    grads = []
    for kind in ("rk_net", "ode_net"):
        net = classifier(kind, tolerance=1e-8).double()
        cross_entropy(net(images().double()), torch.arange(6)).backward()
        grads.append(torch.cat([parameter.grad.flatten() for parameter in net.parameters()]))
    assert (grads[0] - grads[1]).norm() < 1e-4 * grads[0].norm()


def test_kinds_share_their_stem_and_leave_the_global_random_state():
    state = torch.random.get_rng_state()
    first, second = (classifier(kind).stem.state_dict() for kind in ("resnet", "ode_net"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(state, torch.random.get_rng_state())


def test_memory_is_flat_for_the_adjoint_and_grows_with_steps_for_backpropagation():
    kept = {}
    for kind in ("ode_net", "rk_net"):
        block = classifier(kind).body
        z = torch.randn(4, 4, 3, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
        for steps in (4, 16):
            block.solve = fixed("euler", steps)
            kept[kind, steps] = saved_bytes(lambda block=block, z=z: block(z), block)
    assert kept["ode_net", 4] == kept["ode_net", 16] <= 3 * 4 * 4 * 9 * 4  # the states at both ends, the times
    assert kept["rk_net", 16] == pytest.approx(4 * kept["rk_net", 4], rel=0.05)


def test_saved_bytes_counts_shared_memory_once():
    layer, x = torch.nn.Linear(3, 3), torch.ones(8, 3, requires_grad=True)
    assert saved_bytes(lambda: layer(x), layer) == 8 * 3 * 4  # x; the weight is a parameter
    assert saved_bytes(lambda: x * x, layer) == 8 * 3 * 4


def test_evaluations_are_counted_per_pass():
    net = classifier("ode_net")
    z = net.stem(images()).detach()
    counts = adjoint_counts(net, z, lambda logits: logits.square().mean(), adaptive("dopri5", 1e-3))
    assert counts.forward == solved(net.body.field.field, z, adaptive("dopri5", 1e-3)).evaluations
    # dopri5: two evaluations to start, then six per step, in both passes
    assert counts.forward % 6 == counts.backward % 6 == 2 and counts.backward > 0
    assert net.body.adjoint


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-7])
def test_evaluations_of_images_alone_are_those_of_solves_one_by_one(tolerance):
    net = classifier("ode_net").double()
    z = 3 * net.stem(images(9).double()).detach()
    field = net.body.field.field
    alone = [solved(field, one[None], adaptive("dopri5", tolerance)).evaluations for one in z]
    assert evaluations_alone(field, z, tolerance).tolist() == alone


@pytest.mark.parametrize("steepness", [5.0, 40.0])
def test_evaluations_alone_follow_rejected_steps_too(steepness):
    """A field whose slope jumps on half-way: steps are refused there, and items differ."""

    class Kink(torch.nn.Module):
        def forward(self, t, z):
            return torch.tanh(steepness * 10 * (t - 0.5)) * torch.sin(steepness * z)

    z = torch.randn(12, 3, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    alone = [solved(Kink(), one[None], adaptive("dopri5", 1e-5)).evaluations for one in z]
    assert evaluations_alone(Kink(), z, 1e-5).tolist() == alone
    assert len(set(alone)) > 1


def test_evaluations_alone_give_up():
    class Explosion(torch.nn.Module):
        def forward(self, t, z):
            return 1 + z**2  # leaves every bound before time 1

    with pytest.raises(SolverError, match="before time 1"):
        evaluations_alone(Explosion(), torch.full((2, 1, 1, 1), 50.0, dtype=torch.float64), 1e-3)


def test_reconstruction_error_vanishes_with_the_tolerance():
    net = classifier("ode_net").double()
    z = net.stem(images().double()).detach()
    errors = [reconstruction_error(net.body.field.field, z, adaptive("dopri5", tolerance)) for tolerance in (1e-3, 1e-6, 1e-9)]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-6


def test_error_percent_counts_mistakes():
    def always_three(x):
        return torch.nn.functional.one_hot(torch.full((len(x),), 3), 10).float()

    assert error_percent(always_three, images(5), torch.tensor([3, 3, 3, 1, 3]), batch=2) == 20


def test_shifts_move_images_and_bring_in_background():
    x = images(64)
    moved = shifted(x, 2, generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(x, (2,) * 4, value=-1.0)
    choices = torch.stack([padded[:, :, i : i + 8, j : j + 8] for i in range(5) for j in range(5)])
    which = (choices == moved).flatten(2).all(2)
    assert (which.sum(0) == 1).all() and which.any(1).sum() > 15
    assert shifted(x, 0, generator=torch.Generator()) is x
