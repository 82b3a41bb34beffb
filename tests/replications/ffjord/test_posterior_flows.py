"""Planar, inverse autoregressive and Sylvester flows: determinants against autograd, and what makes them invertible."""

import pytest
import torch

from replications.ffjord.posteriors.inverse_autoregressive import OPEN, InverseAutoregressive, masks
from replications.ffjord.posteriors.posterior_flows import AmortisedPlanar, AmortisedSylvester, NoFlow, orthonormal

LATENT, FEATURES = 4, 6
FLOWS = {
    "planar": lambda: AmortisedPlanar(LATENT, FEATURES, flows=3),
    "sylvester": lambda: AmortisedSylvester(LATENT, FEATURES, flows=3, columns=LATENT),
    "narrow sylvester": lambda: AmortisedSylvester(LATENT, FEATURES, flows=3, columns=2),
    "iaf": lambda: InverseAutoregressive(LATENT, FEATURES, flows=3, hidden=7, layers=2),
    "none": NoFlow,
}


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def built(name, scale=1.0):
    """A flow whose parameters are far from their tame start."""
    flow = FLOWS[name]().double()
    for number, parameter in enumerate(flow.parameters()):
        parameter.data = scale * drawn(*parameter.shape, seed=number)
    return flow


def jacobians(flow, z, feature):
    rows = torch.autograd.functional.jacobian(lambda state: flow(state, feature).z.sum(0), z)
    return rows.transpose(0, 1)  # sum over the batch: items do not see each other


@pytest.mark.parametrize("name", FLOWS)
def test_log_determinant_is_autograds(name):
    flow, z, feature = built(name, 0.5 if name == "iaf" else 1.0), drawn(5, LATENT), drawn(5, FEATURES, seed=9)
    sign, expected = torch.linalg.slogdet(jacobians(flow, z, feature))
    assert (sign > 0).all(), "it is a chain of maps that keep their orientation"
    torch.testing.assert_close(flow(z, feature).log_det, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", FLOWS)
def test_items_do_not_see_each_other(name):
    flow, z, feature = built(name), drawn(5, LATENT), drawn(5, FEATURES, seed=9)
    together, alone = flow(z, feature), flow(z[2:3], feature[2:3])
    torch.testing.assert_close((together.z[2:3], together.log_det[2:3]), (alone.z, alone.log_det))


@pytest.mark.parametrize("name", [name for name in FLOWS if name != "none"])
def test_the_feature_moves_the_flow(name):
    flow, z = built(name), drawn(5, LATENT)
    assert (flow(z, drawn(5, FEATURES, seed=9)).z - flow(z, drawn(5, FEATURES, seed=8)).z).abs().amax(1).min() > 1e-3


def test_planar_step_is_the_papers():
    flow, z, feature = built("planar"), drawn(5, LATENT), drawn(5, FEATURES, seed=9)
    u, w, b, _ = flow.parameters_of(feature)
    for k in range(3):
        inner = torch.einsum("bd,bd->b", w[:, k], z) + b[:, k, 0]
        z = z + u[:, k] * torch.tanh(inner)[:, None]
    torch.testing.assert_close(flow(drawn(5, LATENT), feature).z, z)


def test_planar_steps_stay_invertible_whatever_u_is():
    """û differs from u along w only, û . w = softplus(u . w) - 1 > -1."""
    flow, feature = built("planar"), drawn(50, FEATURES, seed=9)
    u_hat, w, _, overlap = flow.parameters_of(feature)
    u = flow.amortised(feature).unflatten(1, (3, -1))[..., :LATENT]
    assert ((u * w).sum(2) < -1).any(), "without the constraint some steps would fold"
    torch.testing.assert_close((u_hat * w).sum(2, keepdim=True), overlap)
    assert (overlap >= -1).all()
    torch.testing.assert_close(overlap[..., 0], torch.nn.functional.softplus((u * w).sum(2)) - 1)
    moved = u_hat - u
    along = (moved * w).sum(2, keepdim=True) / w.square().sum(2, keepdim=True)
    torch.testing.assert_close(moved, along * w)


def test_sylvester_step_is_the_papers():
    flow, z, feature = built("narrow sylvester"), drawn(5, LATENT), drawn(5, FEATURES, seed=9)
    q, r, r_inner, b = flow.parameters_of(feature)
    for k in range(3):
        inner = torch.einsum("bij,bdj,bd->bi", r_inner[:, k], q[:, k], z) + b[:, k, 0]
        z = z + torch.einsum("bdi,bij,bj->bd", q[:, k], r[:, k], torch.tanh(inner))
    torch.testing.assert_close(flow(drawn(5, LATENT), feature).z, z)


def test_sylvester_matrices_are_orthonormal_and_triangular():
    q, r, r_inner, _ = built("narrow sylvester", scale=3.0).parameters_of(drawn(50, FEATURES, seed=9))
    torch.testing.assert_close(q.mT @ q, torch.eye(2, dtype=torch.float64).expand(50, 3, 2, 2))
    for triangular in (r, r_inner):
        assert (triangular.tril(-1) == 0).all() and (triangular.diagonal(dim1=2, dim2=3).abs() <= 1).all()
    assert (r.triu(1) - r_inner.triu(1)).abs().max() > 0.1, "one has the upper half of the matrix, the other the lower"


def test_orthonormal_columns_are_gram_and_schmidts():
    matrices = drawn(20, 4, 3)
    first = matrices[..., 0] / matrices[..., 0].norm(dim=1, keepdim=True)
    second = matrices[..., 1] - (matrices[..., 1] * first).sum(1, keepdim=True) * first
    found = orthonormal(matrices)
    torch.testing.assert_close(found[..., 0], first)
    torch.testing.assert_close(found[..., 1], second / second.norm(dim=1, keepdim=True))


def test_inverse_autoregressive_outputs_see_earlier_coordinates_only():
    flow = InverseAutoregressive(LATENT, FEATURES, flows=1, hidden=7, layers=2).double()
    jacobian = jacobians(flow, drawn(5, LATENT), drawn(5, FEATURES, seed=9))
    assert (jacobian.triu(1) == 0).all() and (jacobian.tril(-1).abs().amax((0, 1))[:-1] > 0).all()
    first, *_, last = masks(LATENT, 7, 2)
    assert first.shape == (7, LATENT) and last.shape == (2 * LATENT, 7)
    assert not last[0].any() and not last[LATENT].any(), "the first coordinate's mean and gate see nothing"


def test_inverse_autoregressive_order_is_reversed_between_steps():
    """Two steps mix all coordinates: the first of the end sees the last of the start."""
    flow = InverseAutoregressive(LATENT, FEATURES, flows=2, hidden=7, layers=1).double()
    jacobian = jacobians(flow, drawn(5, LATENT), drawn(5, FEATURES, seed=9))
    assert (jacobian.abs().amax(0) > 0).sum() > LATENT * (LATENT + 1) / 2


def test_inverse_autoregressive_step_is_the_papers():
    flow, z, feature = built("iaf"), drawn(5, LATENT), drawn(5, FEATURES, seed=9)
    step, context = flow.steps[0], flow.context(feature)[:, :7]
    first, second, last = ((layer.weight * layer.mask, layer.bias) for layer in step)
    h = torch.nn.functional.elu(z @ first[0].T + first[1] + context)
    out = torch.nn.functional.elu(h @ second[0].T + second[1]) @ last[0].T + last[1]
    gate = torch.sigmoid(out[:, LATENT:] + OPEN)
    flow.steps = flow.steps[:1]
    flow.context.weight.data, flow.context.bias.data = flow.context.weight[:7], flow.context.bias[:7]
    torch.testing.assert_close(flow(z, feature).z, gate * z + (1 - gate) * out[:, :LATENT])


def test_one_dimension_is_enough():
    for flow in (
        InverseAutoregressive(1, FEATURES, 2, 3, 1),
        AmortisedSylvester(1, FEATURES, 2, 1),
        AmortisedPlanar(1, FEATURES, 2),
    ):
        moved = flow.double()(drawn(5, 1), drawn(5, FEATURES))
        assert moved.z.shape == (5, 1) and moved.log_det.isfinite().all()
