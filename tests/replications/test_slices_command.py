"""`python -m replications slices`: which models a level has, what is refused, and a table at the end."""

import argparse

import pytest
import torch

from common.evaluation.arms import ARMS
from common.evaluation.slice_table import read
from common.evaluation.slices import ENDLESS, described
from replications.slices import add_arguments, command, slices


def called(*words):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return command(parser.parse_args([*words, "--device", "cpu"]))


def test_levels_have_the_models_of_all_papers_that_train_on_images():
    for level in ("smoke", "laptop", "gpu", "paper"):
        names = {each.model for each in slices(level)}
        assert names >= {"shared", "ncsnpp_ve", "ddpmpp_vp", "refinenet", "refinenet_v2", "ffjord_multiscale", "ode_net"}
    assert {each.data for each in slices("gpu", ["shared"])} == {"fashion_mnist", "cifar10"}
    assert [each.model for each in slices("paper", data=["imagenet64"])] == ["shared"]


@pytest.mark.parametrize("level", ["gpu", "paper"])
def test_every_arm_is_good_for_the_settings_of_every_slice(level):
    for each in slices(level):
        for arm, how in ARMS.items():
            settings = each.settings(*ENDLESS, *how.overrides())
            assert settings.train.steps == 1_000_000 and settings.data == each.data
            assert described(each, arm, torch.device("cpu"))["batch"] == settings.train.batch


@pytest.mark.parametrize("model", sorted({each.model for each in slices("smoke")}))
def test_every_model_has_its_row(model, tmp_path):
    out = tmp_path / "slices.csv"
    words = ["--level", "smoke", "--models", model, "--data", "digits", "--arms", "fp32", "--seconds", "0.01", "--batch", "2"]
    assert called(*words, "--out", str(out)) == 0
    [row] = read(out)
    assert row["status"] == "ok" and row["shape"] == "1x8x8" and "without gradients" not in row["message"]
    assert all(float(row[key]) > 0 for key in ("step_seconds", "flops_per_image", "forward_images_per_second", "parameters"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--level", "gpus"], "there is no level 'gpus'; did you mean 'gpu'?"),
        (["--models", "refinnet"], "--models refinnet: there is none of this name here; did you mean 'refinenet'?"),
        (["--data", "imagenet64"], "--data imagenet64: there is none of this name here (known: cifar10, fashion_mnist, mnist)"),
        (["--arms", "fp16"], "--arms fp16: there is none of this name here; did you mean 'bf16'?"),
        (["--seconds", "0"], "--seconds 0: must be a number of seconds above 0"),
        (["--limit", "nan"], "--limit nan: must be a number of seconds above 0"),
        (["--batch", "0"], "--batch 0: must be a whole number from 1 on"),
        (["--threads", "0"], "--threads 0: must be a whole number from 1 on"),
    ],
)
def test_bad_arguments_name_the_key_and_the_remedy(words, said, capsys):
    assert called(*words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and len(error.splitlines()) == 1
    assert said in error


def test_failed_rows_are_a_status_of_one(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("common.evaluation.slice_table.measured", lambda *_, **__: 1 / 0)
    words = ["--level", "smoke", "--models", "shared", "--data", "digits", "--arms", "fp32"]
    assert called(*words, "--out", str(tmp_path / "slices.csv")) == 1
    assert "failed, ZeroDivisionError" in capsys.readouterr().out
