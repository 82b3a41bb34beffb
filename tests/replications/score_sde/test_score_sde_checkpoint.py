"""Checkpoints with the official names: raw and averaged weights come back, and what is no such checkpoint is named."""

import json

import pytest
import torch
from score_sde_official import CASES, FILE, SHAPE, built, inputs, summary

from common.errors import CheckpointError, SettingsError
from common.learning.models import load_denoiser, read_description
from common.learning.nets.build import MLPSettings
from common.runs.folders import verified
from replications.score_sde.networks.checkpoint import import_checkpoint, read_checkpoint
from replications.score_sde.networks.ncsnpp import NCSNppSettings
from replications.score_sde.networks.official_names import moved, places
from replications.score_sde.networks.published import described

OFFICIAL = json.loads(FILE.read_text())


def model_of(case, path="vp"):
    return described(NCSNppSettings(**CASES[case]), path, SHAPE)


def official(case, *, averages=1.0, prefix="module."):
    """A checkpoint of a case as the official code writes it, the averages being multiples of the weights."""
    named = places(built(case).float())
    weights = {prefix + name: view.clone() for name, view in named.items()}
    return {
        "optimizer": {"state": {}, "param_groups": [{"lr": 2e-4, "params": [0]}]},
        "model": {f"{prefix}sigmas": torch.linspace(50, 0.01, 1000, dtype=torch.float64), **weights},
        "ema": {"decay": 0.999, "num_updates": 7, "shadow_params": [averages * view for view in moved(named)]},
        "step": 7,
    }


@pytest.fixture
def saved(tmp_path):
    def save(content):
        torch.save(content, tmp_path / "checkpoint_8.pth")
        return tmp_path / "checkpoint_8.pth"

    return save


@pytest.mark.parametrize("case", ["small ddpm", "ddpm++", "ncsn++", "ncsn++, large", "residual both ways"])
def test_every_weight_comes_back(case, saved):
    content, model = official(case, averages=0.5), model_of(case)
    file, random = saved(content), torch.random.get_rng_state()
    for weights, factor in (("raw", 1.0), ("averaged", 0.5)):
        net = built(case).float()
        net.load_state_dict(read_checkpoint(file, model, weights))
        for name, view in places(net).items():
            # frequencies have no average
            expected = content["model"][f"module.{name}"] * (1.0 if name == "all_modules.0.W" else factor)
            assert torch.equal(view, expected), name
    assert torch.equal(torch.random.get_rng_state(), random)


@pytest.mark.parametrize("case", ["ncsn++", "ncsn++, large"])
def test_on_the_ve_path_the_output_changes_its_sign_and_nothing_else(case, saved):
    file, (x, t) = saved(official(case)), inputs("fourier")
    with torch.no_grad():
        outs = []
        for path in ("vp", "ve"):
            net = built(case).float()
            net.load_state_dict(read_checkpoint(file, model_of(case, path)))
            outs.append(net.double()(x, t))
    torch.testing.assert_close(outs[1], -outs[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("key", "case", "path", "times"), [("ve", "ncsn++", "ve", (0.25, 0.7)), ("sub_vp", "ddpm++", "sub_vp", (0.25, 0.7))]
)
def test_an_imported_model_is_loaded_like_any_other_and_gives_the_official_score(key, case, path, times, saved, tmp_path):
    model, folder = model_of(case, path), tmp_path / "model"
    import_checkpoint(saved(official(case)), model, folder)
    assert read_description(folder, [NCSNppSettings]) == model
    source = json.loads((folder / "run.json").read_text())["source"]
    assert source["file"] == "checkpoint_8.pth" and source["weights"] == "averaged" and len(source["sha256"]) == 64
    assert verified(folder, "metrics.csv")
    loaded = load_denoiser(folder, backbones=[NCSNppSettings])
    x, _ = inputs(CASES[case]["embedding"])
    score = loaded.score(x, torch.tensor(times, dtype=torch.float64))
    scale = OFFICIAL["scores"][key][-1] ** 0.5
    # weights and network in float32
    torch.testing.assert_close(summary(score), OFFICIAL["scores"][key], rtol=1e-5, atol=1e-5 * scale)


def test_names_without_the_prefix_of_data_parallel_are_read_too(saved):
    content = official("ncsn++", prefix="")
    assert torch.equal(
        read_checkpoint(saved(content), model_of("ncsn++"), "raw")["enter.bias"], content["model"]["all_modules.3.bias"]
    )


def broken(change):
    content = official("ncsn++")
    change(content)
    return content


def rename(content):
    content["model"]["module.all_modules.3.other"] = content["model"].pop("module.all_modules.3.weight")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("model"), r"no model \(it has optimizer, ema, step\); give a checkpoint_N\.pth of the official"),
        (lambda c: c.pop("ema"), r"no ema \(it has optimizer, model, step\)"),
        (lambda c: c["ema"].pop("shadow_params"), r"no ema\.shadow_params \(it has decay, num_updates\)"),
        (
            rename,
            r"model\.all_modules\.3\.weight: not there \(1 weights are missing\); name the configuration that it was trained",
        ),
        (
            lambda c: c["model"].update({"module.all_modules.99.W": torch.zeros(1)}),
            r"model\.all_modules\.99\.W: not of this network",
        ),
        (
            lambda c: c["model"].update({"module.all_modules.3.bias": torch.zeros(5)}),
            r"model\.all_modules\.3\.bias: is \[5\], but the network has \[16\]; name",
        ),
        (lambda c: c["model"].update({"module.all_modules.3.bias": 1.0}), r"model\.all_modules\.3\.bias: is float, but"),
        (lambda c: c["ema"]["shadow_params"].pop(), r"ema\.shadow_params: \d+ averages for \d+ weights; name"),
        (
            lambda c: c["ema"]["shadow_params"].__setitem__(1, torch.zeros(3)),
            r"ema\.shadow_params\[1\]: is \[3\], but the network has \[64\]; name",
        ),
    ],
)
def test_what_does_not_fit_is_named(change, message, saved):
    file = saved(broken(change))
    with pytest.raises(CheckpointError, match=rf"checkpoint_8\.pth: {message}"):
        read_checkpoint(file, model_of("ncsn++"))


def test_raw_weights_need_no_averages(saved):
    assert read_checkpoint(saved(broken(lambda c: c.pop("ema"))), model_of("ncsn++"), "raw")


def test_files_that_are_no_checkpoint_are_named(tmp_path):
    model, file = model_of("ncsn++"), tmp_path / "checkpoint_8.pth"
    with pytest.raises(CheckpointError, match=r"checkpoint_8\.pth is missing; download it"):
        read_checkpoint(file, model)
    file.write_bytes(b"<html>not found</html>")
    with pytest.raises(
        CheckpointError, match=r"checkpoint_8\.pth: cannot be read as a PyTorch checkpoint \(.*\); download it again"
    ):
        read_checkpoint(file, model)
    torch.save([1, 2], file)
    with pytest.raises(CheckpointError, match=r"checkpoint_8\.pth: no model \(it is a list\)"):
        read_checkpoint(file, model)


class Foreign:
    """Something that only an unsafe reader would make."""


def test_nothing_is_unpickled_but_tensors_and_plain_values(saved):
    file = saved({**official("ncsn++"), "step": Foreign()})
    with pytest.raises(CheckpointError, match="cannot be read as a PyTorch checkpoint"):
        read_checkpoint(file, model_of("ncsn++"))


def test_only_a_network_that_predicts_the_noise_is_such_a_checkpoint(tmp_path):
    model = model_of("ncsn++")
    other = model.model_copy(update={"backbone": MLPSettings(width=4, blocks=1)})
    score = model.model_copy(update={"objective": model.objective.model_copy(update={"prediction": "score"})})
    for wrong in (other, score):
        with pytest.raises(SettingsError, match=r"backbone\.kind, objective\.prediction"):
            read_checkpoint(tmp_path / "any.pth", wrong)
