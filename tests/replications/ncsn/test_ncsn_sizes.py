"""Sizes of NCSN's experiments against numbers that are counted by hand, and how many trainings they have."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from common.measure.work import Size
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.ncsn import sizes
from replications.ncsn.experiments import manifold, objectives

PACKAGE = "replications.ncsn"
COUNTED = {
    "score_regions": (["points=11"], 1, 121),
    # 1 plain, 4 ladders, 2 weights
    "mixture": (["samples=30", "levels=4", "steps=5"], 7 * 20, 7 * 20 * 30),
    # 4 models at 10 levels: losses of 450 images, two batches of samples; 5 turns of the timed steps
    "objectives": (
        ["data=digits", "states=[0.5]", "samples=1200", "steps=3", "timed=2", "train.batch=16"],
        4 * 10 + 4 * 30 * 2 + 5 * 15,
        4 * 10 * 450 + 4 * 30 * 1200 + 5 * 15 * 16,
    ),
    # four of 30 evaluations, one of 20, one of 50, in three batches
    "samples": (
        ["samples=50", "batch=20", "step.steps=3", "others=[{steps: 2, rho: 0.2}, {steps: 5, rho: 0.5}]"],
        (4 * 30 + 20 + 50) * 3,
        (4 * 30 + 20 + 50) * 50,
    ),
    "inpainting": (["images=4", "completions=5", "step.steps=6"], 60, 60 * 3 * 4 * 5),
}


@pytest.mark.parametrize("experiment", COUNTED)
def test_a_size_is_what_a_hand_counts(experiment):
    overrides, calls, samples = COUNTED[experiment]
    assert getattr(sizes, experiment)(resolve(PACKAGE, experiment, "smoke", overrides)) == Size(calls, samples)


def test_more_chains_that_fit_into_a_batch_are_no_more_calls():
    few, many = (sizes.samples(resolve(PACKAGE, "samples", "laptop", [f"samples={n}"])) for n in (500, 1000))
    assert (many.calls, many.samples) == (few.calls, 2 * few.samples)


def test_losses_are_of_all_test_images():
    at = {data: sizes.objectives(resolve(PACKAGE, "objectives", "paper", [f"data={data}"])) for data in ("cifar10", "celeba32")}
    assert at["celeba32"].samples - at["cifar10"].samples == 5 * 10 * (19_962 - 10_000)


def test_the_manifolds_trainings_are_all_that_it_makes(monkeypatch, tmp_path):
    made = []

    def fitted(*arguments):
        made.append(arguments[3].train)
        return SimpleNamespace(losses=np.linspace(1, 2, 9), loss_steps=np.arange(9))

    monkeypatch.setattr(manifold, "fitted", fitted)
    settings = resolve(PACKAGE, "manifold", "smoke")
    manifold.run(settings, Context("ncsn", "manifold", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu")))
    assert made == sizes.TRAININGS["manifold"](settings) == [settings.train] * 4


def test_two_objectives_are_trained():
    settings = resolve(PACKAGE, "objectives", "smoke")
    assert sizes.TRAININGS["objectives"](settings) == [settings.train] * 2 and objectives.TRAINED == ("dsm", "ssm")
