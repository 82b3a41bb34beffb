"""The networks of NCSNv2: the official code's answers from the same weights, published sizes, and what their parts do."""

import json

import pytest
import torch
from ncsnv2_official import ASKED, CLASSES, FILE, LEVELS, built, images, official_names, summary

from common.dynamics.paths import ladder
from common.errors import SettingsError
from common.learning.nets.build import build_backbone, check_fits
from common.learning.nets.mlp import parameter_count
from replications.ncsn.instance_norm import InstanceNormPlus
from replications.ncsn.refinenet import ConvUnit, RefineNetSettings
from replications.ncsnv2.refinenets import DEPTHS, NoNorm, RefineNetV2Settings, description, max_5x5, recipe

F64 = torch.float64
OFFICIAL = json.loads(FILE.read_text())


@pytest.fixture(autouse=True)
def colours(monkeypatch):
    """Descriptions are of the official comparison's images."""
    monkeypatch.setattr("replications.ncsnv2.refinenets.sample_shape", lambda data: (3, 16, 24))


def described(objective, depth="standard", sigma_max=50.0, levels=LEVELS):
    backbone = RefineNetV2Settings(depth=depth, filters=8)
    return description("", objective, backbone, sigma_max=sigma_max, levels=levels)


@pytest.mark.parametrize("depth", CLASSES)
def test_outputs_are_the_official_codes(depth):
    net, x = built(depth), images()
    assert sum(weight.numel() for weight in official_names(net, depth).values()) == parameter_count(net)
    with torch.no_grad():
        out = net(x, torch.zeros(1, dtype=F64))
        torch.testing.assert_close(out, net(x, torch.tensor([7.0, 3.0], dtype=F64)), rtol=0, atol=0, msg="no level is told")
    torch.testing.assert_close(summary(out), OFFICIAL[depth]["output"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("depth", CLASSES)
def test_scores_are_the_official_codes_when_the_last_convolution_changes_its_sign(depth):
    model = described("ncsnv2", depth).build(0)
    model.backbone = built(depth)
    for weight in model.backbone.leave.conv.parameters():
        weight.data.neg_()
    with torch.no_grad():
        score = model.score(images(), model.known_times[ASKED])
    # the official ladder is rounded to float32
    torch.testing.assert_close(summary(score), OFFICIAL[depth]["score"], rtol=1e-6, atol=1e-9)


# those of the networks that the authors published
@pytest.mark.parametrize(("depth", "count"), [("standard", 29_694_083), ("deeper", 83_445_379), ("deepest", 94_132_611)])
def test_parameter_counts(depth, count):
    with torch.device("meta"):
        net = RefineNetV2Settings(depth=depth, filters=128).build((3, 64, 64))
        told = RefineNetV2Settings(depth=depth, filters=128, levels=232).build((3, 64, 64))
    assert parameter_count(net) == count
    normed = [module.table.weight.shape[1] for module in net.modules() if isinstance(module, InstanceNormPlus)]
    assert parameter_count(told) == count + 231 * sum(normed), "a row for each level more, and nothing else"
    assert len(normed) == 4 * len(DEPTHS[depth]) + 1


def test_the_largest_value_around_each_pixel_is_taken():
    x = torch.randn(2, 3, 6, 7, generator=torch.Generator().manual_seed(0), dtype=F64) - 5
    found = max_5x5(x)
    for row, column in ((0, 0), (3, 4), (5, 6)):
        around = x[..., max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
        assert torch.equal(found[..., row, column], around.amax((-2, -1)))


@pytest.mark.parametrize("levels", [None, 4])
def test_norms_stand_in_residual_blocks_and_before_the_last_convolution_alone(levels):
    net = RefineNetV2Settings(filters=4, levels=levels).build((1, 8, 8))
    assert {type(norm) for unit in net.refine.modules() if isinstance(unit, ConvUnit) for norm in norms(unit)} == {NoNorm}
    assert not any(isinstance(module, InstanceNormPlus) for module in net.refine.modules())
    assert all(isinstance(norm, InstanceNormPlus) for part in (net.stages, net.leave) for norm in norms(part))
    assert {len(norm.table.weight) for norm in norms(net.stages)} == {levels or 1}
    assert {block.pool.pooling for block in net.refine} == {max_5x5}


def norms(part):
    return [module.norm for module in part.modules() if hasattr(module, "norm")]


@pytest.mark.parametrize("depth", CLASSES)
def test_stages_and_refinement_blocks_meet(depth):
    """Each refinement block has the maps of its stage, from the last to the first, and hands on as many as the next has."""
    net, shapes = RefineNetV2Settings(depth=depth, filters=4).build((1, 24, 16)), []
    for part in (*net.stages, *net.refine):
        part.register_forward_hook(lambda _, given, out: shapes.append(tuple(out.shape[1:])))
    net(torch.rand(1, 1, 24, 16), torch.zeros(1))
    stages, refined = shapes[: len(net.stages)], shapes[len(net.stages) :]
    widths, down = {
        "standard": ((4, 8, 8, 8), (0, 1, 1, 1)),
        "deeper": ((4, 8, 8, 16, 16), (0, 1, 2, 2, 2)),
        "deepest": ((4, 8, 8, 8, 16, 16), (0, 1, 2, 3, 3, 3)),
    }[depth]
    assert stages == [(width, 24 // 2**k, 16 // 2**k) for width, k in zip(widths, down)]
    sizes = [shape[1:] for shape in reversed(stages)]
    assert refined == [(width, *size) for width, size in zip((*widths[-2::-1], 4), sizes)]
    dilations = [stage[0].layers[0].conv.dilation[0] for stage in net.stages]
    assert dilations[-2:] == [2, 4] and set(dilations[:-2]) == {1}


@pytest.mark.parametrize(("depth", "shape"), [("standard", (1, 28, 28)), ("deeper", (2, 7, 5)), ("deepest", (3, 9, 10))])
@pytest.mark.parametrize("levels", [None, 3])
def test_shape_gradient_to_every_parameter_and_dependence_on_the_level(depth, shape, levels):
    net = build_backbone(RefineNetV2Settings(depth=depth, filters=4, levels=levels), shape, seed=0).double()
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1), dtype=F64)
    t = torch.tensor([0.0, 1.0, 2.0], dtype=F64)
    out = net(x, t)
    assert out.shape == x.shape
    out.square().sum().backward()
    for name, parameter in net.named_parameters():
        # one row for each level: every one of them
        rows = parameter.grad if "table" in name else parameter.grad[None]
        assert rows.flatten(1).abs().amax(1).min() > 1e-9, name
    with torch.no_grad():
        assert ((net(x, t.roll(1)) - out).abs().amax((1, 2, 3)) > 1e-4).all() == (levels is not None)
        torch.testing.assert_close(net(x[1:2], t[1:2]), out[1:2], msg="samples of a batch do not mix")


def test_what_each_objective_learns():
    """All techniques: one network for all levels predicts the noise; without the third it is told the level and is the score."""
    v2, index, ncsn = (recipe(name, 50.0, 232) for name in ("ncsnv2", "ncsnv2_index", "ncsn"))
    for found, levels, sigma_max in ((v2, 232, 50.0), (index, 232, 50.0), (ncsn, 10, 1.0)):
        made = found.objective.build()
        torch.testing.assert_close(made.path.sigma(made.known_times), ladder(sigma_max, 0.01, levels))
    assert (v2.objective.prediction, v2.objective.weight, v2.conditioning.t) == ("noise", "one", "none")
    for found in (index, ncsn):
        assert (found.objective.prediction, found.objective.weight) == ("score", "sigma_squared")
        assert found.conditioning.t == "index"
    assert {found.conditioning.x for found in (v2, index, ncsn)} == {"raw"}
    told = {name: described(name) for name in ("ncsnv2", "ncsnv2_index", "ncsn")}
    assert [model.backbone.levels for model in told.values()] == [None, 232, 10]
    assert {model.pixel_range for model in told.values()} == {(0.0, 1.0)}


def test_an_unconditional_networks_score_is_minus_its_output_over_sigma():
    model = described("ncsnv2", levels=5).build(0)
    x, sigmas = torch.rand(2, 3, 16, 24, dtype=F64), ladder(50.0, 0.01, 5)
    with torch.no_grad():
        out = model.backbone(x.float(), torch.zeros(1)).double()
        for time, sigma in zip(model.known_times, sigmas):
            torch.testing.assert_close(model.score(x, time), -out / sigma)


@pytest.mark.parametrize(
    ("settings", "shape", "message"),
    [
        (RefineNetV2Settings(filters=4), (2,), r"a RefineNet needs images, but samples have shape \[2\]; use kind: mlp"),
        (
            RefineNetV2Settings(filters=4),
            (3, 2, 2),
            r"halves the resolution, and \[3, 2, 2\] leaves one pixel; take larger images",
        ),
        (
            RefineNetV2Settings(filters=4, depth="deepest"),
            (1, 8, 8),
            r"backbone\.kind: .* halves the resolution 3 times, and \[1, 8, 8\] leaves one pixel; .* or less depth",
        ),
    ],
)
def test_settings_that_do_not_fit_are_named(settings, shape, message):
    with pytest.raises(SettingsError, match=message):
        check_fits(settings, shape)


def test_ncsns_own_network_is_the_same_code_with_norms_and_means():
    net = RefineNetSettings(filters=4, levels=3).build((1, 8, 8))
    x = torch.full((1, 4, 9, 9), 2.0)
    assert all(isinstance(norm, InstanceNormPlus) for norm in norms(net))
    assert {round(float(block.pool.pooling(x)[0, 0, 4, 4]), 5) for block in net.refine} == {2.0}
    assert float(net.refine[0].pool.pooling(x)[0, 0, 0, 0]) == pytest.approx(2 * 9 / 25), "zeros beyond the border count"
