"""Sizes of NCSNv2's experiments against numbers that are counted by hand."""

import pytest

from common.measure.work import Size
from common.runs.settings import load_yaml, package_folder, resolve
from replications.ncsnv2 import sizes
from replications.ncsnv2.noise_levels import number_of_levels

PACKAGE = "replications.ncsnv2"
ABLATION = ["samples=30", "batch=20", "steps=2", "ncsn.steps=3", "states=[0.5, 1.0]"]
ARMS = 2 * 10 * 3 + 4 * 21 * 2  # evaluations of all arms at one state: 10 levels, and the digits' 21
CENTRES = 10 * 64
COUNTED = [
    # the published settings' 100, 5, 5, 4, 3 and 3 steps, at three levels
    ("ladders", ["steps.numbers=600"], 3 * 120, 3 * 120 * 600),
    ("ablation", ABLATION, 2 * 2 * ARMS, 2 * 30 * ARMS),
    ("ablation", [*ABLATION, "scored=50"], (2 * 2 + 3) * ARMS, (2 * 30 + 50) * ARMS),
    # 42 evaluations: 5 levels of 8 steps, 21 of 2, 100 of 1; two sizes and the unstable one
    (
        "sampler_settings",
        ["samples=30", "batch=20", "steps=2", "levels=[5, 21, 100]", "sizes=[1, 2]"],
        2 * (40 + 42 + 100 + 3 * 42),
        30 * (40 + 42 + 100 + 3 * 42),
    ),
    # two models, two splits; there are 450 test images
    ("losses", ["images=50"], 2 * 2 * 21, 2 * 2 * 21 * 50),
    ("losses", ["images=1000"], 2 * 2 * 21, 2 * 2 * 21 * 450),
    # five points of a path, and both ends
    ("interpolation", ["pairs=30", "halvings=2", "at_once=20", "steps=2"], 42 * 2 * 3, 42 * 30 * (5 + 2)),
    # ladders of 21, 16 and 10 levels from three starts in two chunks; 4 levels of 2 steps from one
    (
        "exact_scores",
        ["centres=10", "chains=400", "steps=2", "splits=[4]", "budget=10"],
        2 * 47 * 2 + 4 * 2,
        (2 * 47 * 1200 + 4 * 2 * 400) * CENTRES,
    ),
    # 8 levels of 2 steps and 10 of 2 for images of 4 x 4 pixels; 21 of 2 and 10 of 4
    (
        "resolution",
        ["data=digits", "sides=[4, 8]", "centres=10", "chains=30", "steps=2"],
        36 + 82,
        36 * 30 * CENTRES // 4 + 82 * 30 * CENTRES,
    ),
]


@pytest.mark.parametrize(("experiment", "overrides", "calls", "samples"), COUNTED)
def test_a_size_is_what_a_hand_counts(experiment, overrides, calls, samples):
    assert getattr(sizes, experiment)(resolve(PACKAGE, experiment, "smoke", overrides)) == Size(calls, samples)


def test_resolutions_add_up_and_coarse_images_cost_less():
    chosen = ["sides=[4]", "sides=[16]", "sides=[4, 16]"]
    coarse, fine, both = (sizes.resolution(resolve(PACKAGE, "resolution", "laptop", [sides])) for sides in chosen)
    assert both == coarse + fine and fine.samples > 16 * coarse.samples
    levels = number_of_levels(0.9 * 768**0.5, 0.01, 768)
    assert abs(fine.calls / (2 * 2 * levels) - 1) < 0.05  # two ladders of two steps, of about as many evaluations


def test_ladders_are_those_that_the_networks_are_trained_on():
    blocks = load_yaml(package_folder(PACKAGE) / "settings.yaml")["train_refinenet"]
    runs = [(level, data) for level in ("gpu", "paper") for names in blocks[level]["sets"] for data in names.split(", ")]
    for level, data in [("smoke", "digits"), *runs]:
        trained = resolve(PACKAGE, "train_refinenet", level, [f"data={data}"])
        assert sizes.LADDERS[data] == (trained.sigma_max, trained.levels), data
