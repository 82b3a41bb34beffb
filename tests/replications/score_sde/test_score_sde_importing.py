"""The command that imports a checkpoint: a small file in the real format becomes a model that samplers run on."""

import json
import re

import pytest
import torch
from score_sde_official import fill

from common.dynamics.paths import level_times, vp
from common.learning.models import load_denoiser, read_description
from replications.score_sde.images.model_samples import at_all_times, ways
from replications.score_sde.networks import named_models
from replications.score_sde.networks.importing import main
from replications.score_sde.networks.named_models import CONFIGS, MODELS, Size, description
from replications.score_sde.networks.ncsnpp import NCSNppSettings
from replications.score_sde.networks.official_names import moved, places

SMALL, SHAPE = Size(channels=8, multipliers=(1, 2), attention=(4,)), (3, 8, 8)
SMALL_CONFIGS = {
    "ve/cifar10_ncsnpp_continuous": description(MODELS["ncsnpp_ve"], SHAPE, size=SMALL),
    "vp/ddpm/cifar10": description(MODELS["ddpm_vp_discrete"], SHAPE, size=SMALL, levels=25),
}


class Sampling:
    batch, tolerance, scales, snr = 2, 1e-1, 3, 0.16


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name, model in SMALL_CONFIGS.items():
        monkeypatch.setitem(CONFIGS, name, model)


def saved(name, folder):
    """A checkpoint as the official code writes it: averages are half the weights."""
    net = CONFIGS[name].backbone.build(SHAPE)
    named = places(net)
    fill(named.values())
    content = {
        "optimizer": {"state": {}, "param_groups": []},
        "model": {f"module.{key}": view.clone() for key, view in named.items()},
        "ema": {"decay": 0.999, "num_updates": 3, "shadow_params": [0.5 * view for view in moved(named)]},
        "step": 3,
    }
    torch.save(content, folder / "checkpoint_3.pth")
    return net, str(folder / "checkpoint_3.pth")


@pytest.mark.parametrize("name", SMALL_CONFIGS)
def test_an_imported_checkpoint_is_sampled_from(name, tmp_path, capsys):
    net, file = saved(name, tmp_path)
    out = tmp_path / "models" / "seed0"
    assert main([file, "--config", name, "--out", str(out), "--weights", "raw"]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    assert read_description(out, [NCSNppSettings]) == SMALL_CONFIGS[name]
    assert json.loads((out / "run.json").read_text())["source"]["file"] == "checkpoint_3.pth"
    model = load_denoiser(out, backbones=[NCSNppSettings])
    x, t = torch.rand(2, *SHAPE), torch.tensor([3.0, 1.0])
    with torch.no_grad():
        sign = -1 if name.startswith("ve") else 1
        torch.testing.assert_close(model.backbone(x, t), sign * net.eval()(x, t), rtol=1e-5, atol=1e-5)
    start = model.path.prior_std * torch.randn(2, *SHAPE)
    for way in ways(model, Sampling).values():
        found = way.sampler(way.model, start, way.times, generator=torch.Generator())
        assert found.x.shape == start.shape and found.x.isfinite().all()
        assert not torch.equal(found.x, start)


def test_averages_are_what_is_imported_unless_told_otherwise(tmp_path):
    name = "vp/ddpm/cifar10"
    net, file = saved(name, tmp_path)
    main([file, "--config", name, "--out", str(tmp_path / "averaged")])
    found = load_denoiser(tmp_path / "averaged", backbones=[NCSNppSettings]).backbone
    torch.testing.assert_close(found.enter.weight, 0.5 * net.enter.weight)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "none.pth"}, r"none\.pth is missing; download it from the link in the official repository's README"),
        (
            {"--config": "ve/cifar10_ncsnpp_continous"},
            r"--config ve/cifar10_ncsnpp_continous: no such configuration; did you mean 've/cifar10_ncsnpp_continuous'\? ",
        ),
        ({"--config": "vp/ddpm/cifar10"}, r"checkpoint_3\.pth: model\.all_modules\.\S+: .*; name the configuration that"),
        ({"--out": "."}, r"--out \S*: holds a run already; give another folder"),
    ],
)
def test_what_is_wrong_is_named(change, message, tmp_path, capsys):
    _, file = saved("ve/cifar10_ncsnpp_continuous", tmp_path)
    (tmp_path / "run.json").touch()
    given = {"file": file, "--config": "ve/cifar10_ncsnpp_continuous", "--out": "new"} | change
    status = main([given["file"], "--config", given["--config"], "--out", str(tmp_path / given["--out"])])
    assert status == 2 and not (tmp_path / "new" / "metrics.csv").exists()
    error = capsys.readouterr().err
    assert re.search(rf"^error: .*{message}", error), error


def test_the_help_names_every_configuration(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(f"  {name}\n" in text for name in CONFIGS) and "checkpoint_24.pth" in text


# number of weights, path, times it knows, what it is told of the time, largest sigma, range of pixels
EXPECTED = {
    "ve/cifar10_ncsnpp_deep_continuous": (107_586_947, "ve", None, "log_sigma", 50.0, (0.0, 1.0)),
    "ve/cifar10_ncsnpp": (62_693_251, "ve", 1000, "index", 50.0, (0.0, 1.0)),
    "ve/celeba_ncsnpp": (62_693_251, "ve", 1000, "index", 90.0, (0.0, 1.0)),
    "vp/cifar10_ddpmpp": (61_804_419, "ddpm", 1000, "steps", None, (-1.0, 1.0)),
    "vp/cifar10_ddpmpp_continuous": (61_804_419, "vp", None, "steps", None, (-1.0, 1.0)),
    "subvp/cifar10_ddpmpp_deep_continuous": (106_632_579, "sub_vp", None, "steps", None, (-1.0, 1.0)),
    "vp/cifar10_ncsnpp_continuous": (62_693_251, "vp", None, "steps", None, (-1.0, 1.0)),
    "ve/church_ncsnpp_continuous": (65_574_421, "ve", None, "log_sigma", 380.0, (0.0, 1.0)),
    "vp/ddpm/church": (111_569_923, "ddpm", 1000, "steps", None, (-1.0, 1.0)),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_configuration_is_what_the_authors_say(name):
    count, path, levels, time, sigma_max, pixels = EXPECTED[name]
    model = named_models.CONFIGS[name]
    with torch.device("meta"):
        net = model.backbone.build(model.shape)
    assert sum(parameter.numel() for parameter in net.parameters()) == count
    assert (model.objective.path, model.objective.noise_levels, model.conditioning.t) == (path, levels, time)
    assert (model.objective.path_options.get("sigma_max"), model.pixel_range) == (sigma_max, pixels)


def test_a_discrete_vp_model_knows_ddpms_levels_and_is_sampled_on_them(tmp_path):
    model = named_models.CONFIGS["vp/cifar10_ddpmpp"].objective.build()
    times, betas = model.known_times, torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    torch.testing.assert_close(times, level_times(model.path, 1000))
    torch.testing.assert_close(times, torch.arange(1000, 0, -1, dtype=torch.float64) / 1000)
    torch.testing.assert_close(model.path.alpha(times.flip(0)).square(), (1 - betas).cumprod(0))
    # at float32 too, in which a training draws them
    torch.testing.assert_close(
        model.path.alpha(times.flip(0).float()).square().double(), (1 - betas).cumprod(0), rtol=2e-5, atol=0
    )
    denoiser = SMALL_CONFIGS["vp/ddpm/cifar10"].build(0)
    torch.nn.init.normal_(denoiser.backbone.leave[-1].weight, std=0.3)
    asked = []
    denoiser.backbone.register_forward_hook(lambda net, given, out: asked.append((float(given[1]), out)))
    way = ways(denoiser, Sampling)["SDE"]
    start = torch.randn(2, *SHAPE, dtype=torch.float64)
    found = way.sampler(way.model, start, way.times, generator=torch.Generator().manual_seed(1)).x
    # by hand: (x + beta s) / sqrt(1 - beta) + sqrt(beta) z, with s = -eps / sqrt(1 - prod), the last step without noise
    x, betas = start, torch.linspace(0.1 / 25, 20 / 25, 25, dtype=torch.float64)
    products, generator = (1 - betas).cumprod(0), torch.Generator().manual_seed(1)
    for k, (label, output) in zip(range(24, -1, -1), asked):
        assert label == pytest.approx(999 * (k + 1) / 25)
        mean = (x - betas[k] * output.double() / (1 - products[k]).sqrt()) / (1 - betas[k]).sqrt()
        x = mean + betas[k].sqrt() * torch.randn(x.shape, generator=generator, dtype=x.dtype) if k else mean
    assert len(asked) == 25
    torch.testing.assert_close(found, x, rtol=1e-9, atol=1e-9)


def test_ddpms_network_is_a_model_of_all_times_for_its_flow():
    denoiser = SMALL_CONFIGS["vp/ddpm/cifar10"].build(0)
    torch.nn.init.normal_(denoiser.backbone.leave[-1].weight, std=0.3)
    whole, x = at_all_times(denoiser.eval()), torch.randn(2, *SHAPE)
    t = torch.tensor(0.3137)
    expected = -denoiser.backbone(x, (999 * t).reshape(1)) / vp().sigma(t)
    torch.testing.assert_close(whole.score(x, t), expected)
    other = SMALL_CONFIGS["ve/cifar10_ncsnpp_continuous"].build(0)
    assert at_all_times(other) is other


def test_every_architecture_that_is_compared_differs_in_one_part():
    base = MODELS["ncsnpp_ve_discrete"].network.model_dump()
    parts = ("without_fir", "without_rescaling", "ddpm_blocks", "without_progressive", "input_skip", "output_skip")
    for name in (*parts, "output_residual", "two_blocks"):
        changed = MODELS[name].network.model_dump()
        assert sum(changed[key] != base[key] for key in base) == 1 and MODELS[name][1:] == ("ve", True)
    assert {name for name, model in MODELS.items() if model.deep} == {name for name in MODELS if "deep" in name}
    for name, model in MODELS.items():
        assert model.network.centred == (model.sde != "ve"), name
        assert name.endswith("_discrete") == model.discrete or not name.startswith(("ddpm_v", "ddpmpp", "ncsnpp")), name
