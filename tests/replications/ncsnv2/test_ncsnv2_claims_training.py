"""Each statistic of trained networks, on tables whose answer is known."""

import pandas as pd
import pytest
from judged import judged

from common.measure.statistics import MissingRows
from replications.ncsnv2 import claims
from replications.ncsnv2.names import ARMS, TRAININGS

JUDGED = judged(claims)
PAPER, inside = JUDGED.paper, JUDGED.inside
FLOOR = 0.5


def table(*rows):
    """Return the rows among the same of a metric, of an experiment and, of those of digits, of a data set that none may read."""
    others = [row | {column: "another", "value": 7.0} for row in rows for column in ("metric", "experiment")]
    others += [row | {"dataset": "another", "value": 7.0} for row in rows if row["dataset"] == "digits"]
    return JUDGED.table(*rows, *others)


def value(statistic, *rows, clears=None):
    """Return what it makes of the rows; `clears` is by how much the larger distance must be told to exceed the floor."""
    found = getattr(claims, statistic)(table(*rows))
    assert isinstance(found, pd.DataFrame) == (clears is not None)
    if clears is not None:
        assert found["excess"].tolist() == pytest.approx([clears, clears])
        found = found["value"]
    assert len(found) == 2 and found.iloc[0] == found.iloc[1]
    return found.iloc[0]


def of(experiment, metric, value, method, variant="", dataset="digits", **more):
    labels = {"dataset": dataset, "method": method, "variant": variant}
    return {"experiment": experiment, "metric": metric, "value": value, **labels, **more}


def ends(metric, known, *, dataset="digits", **more):
    """Rows of all arms with and without the last step; `known` gives a cell's number, which is 50 if it says nothing."""
    cells = [(arm, variant) for arm in ARMS for variant in ("denoised", "not denoised")]
    return [of("ablation", metric, known.get(cell, 50.0), *cell, dataset=dataset, **more) for cell in cells]


def test_the_last_step_and_ncsn():
    known = {("ncsnv2", "not denoised"): 6.0, ("ncsnv2", "denoised"): 3.0, ("ncsn", "not denoised"): 4.0}
    rows = ends("feature_frechet", known, floor=FLOOR)
    rows.append(of("ablation", "feature_frechet", FLOOR, "data", "train split", floor=FLOOR))
    assert value("noisy_over_denoised", *rows, clears=6 - FLOOR) == 2
    assert value("ncsnv2_over_ncsn", *rows, clears=4 - FLOOR) == 0.75
    assert inside("noisy_over_denoised", 2) and not inside("noisy_over_denoised", 0.5)
    assert inside("ncsnv2_over_ncsn", 0.75) and not inside("ncsnv2_over_ncsn", 4 / 3)
    rows = ends("precision", {("ncsnv2", "denoised"): 0.75, ("ncsn", "not denoised"): 0.5})
    assert value("precision_gained", *rows, of("ablation", "precision", 0.9, "data", "train split")) == 0.25
    assert inside("precision_gained", 0.25) and not inside("precision_gained", -0.25)


def test_the_size_of_the_last_step():
    rows = [of("ablation", "denoising_change", 0.9 if arm == "ncsnv2" else 0.1, arm) for arm in ARMS]
    assert value("last_step_over_level", *rows) == 0.9
    assert (
        inside("last_step_over_level", 0.9) and not inside("last_step_over_level", 0.3) and not inside("last_step_over_level", 2)
    )


@pytest.mark.parametrize(
    ("statistic", "metric", "dataset", "variant"),
    [
        ("cifar10_fid", "fid", "cifar10", "denoised"),
        ("cifar10_fid_noisy", "fid", "cifar10", "not denoised"),
        ("celeba64_fid", "fid", "celeba64", "denoised"),
        ("celeba64_fid_noisy", "fid", "celeba64", "not denoised"),
        ("cifar10_inception_score", "inception_score", "cifar10", "denoised"),
    ],
)
def test_published_numbers_are_read_from_their_own_data_and_samples(statistic, metric, dataset, variant):
    (claim,) = [claim for claim in PAPER.claims if claim.statistic == statistic]
    number, (low, high) = float(claim.reported.value), claim.range
    rows = ends(metric, {("ncsnv2", variant): number}, dataset=dataset)
    rows += [row | {"value": 99.0, "dataset": name} for row in rows for name in {"cifar10", "celeba64"} - {dataset}]
    assert value(statistic, *rows) == number
    assert inside(statistic, number) and not inside(statistic, high + 0.1) and not inside(statistic, low - 0.1)


def test_published_numbers_over_ncsns():
    known = {("ncsnv2", "not denoised"): 30.0, ("ncsnv2", "denoised"): 10.0, ("ncsn", "not denoised"): 20.0}
    others = [row | {"metric": "inception_score", "value": 9.0} for row in ends("fid", {}, dataset="cifar10")]
    assert value("cifar10_noisy_over_ncsn", *ends("fid", known, dataset="cifar10"), *others) == 1.5
    assert value("celeba64_over_ncsn", *ends("fid", known, dataset="celeba64"), *ends("fid", {}, dataset="cifar10")) == 0.5
    assert inside("cifar10_noisy_over_ncsn", 1.5) and not inside("cifar10_noisy_over_ncsn", 0.7)
    assert inside("celeba64_over_ncsn", 0.5) and not inside("celeba64_over_ncsn", 2)


STATES = (0.4, 0.6, 0.8, 1.0)


def states(metric, arm, *numbers, at=STATES, dataset="digits", variant="", **more):
    labels = {"variant": variant, "dataset": dataset, "axis": "state", **more}
    return [of("ablation", metric, number, arm, **labels, at=share) for share, number in zip(at, numbers)]


def wavering(metric, arm, size, **more):
    """Rows that waver by `size` about a line until the learning rate falls, and are anywhere after it."""
    return states(metric, arm, 10.0, 7.0 + 3 * size, 4.0, 900.0 * (arm in ("ncsn", "ncsn_1245")), **more)


@pytest.mark.parametrize("worst", TRAININGS)
def test_fluctuations_are_those_of_the_training_that_is_steadied_least(worst):
    distances, colours = [], [of("ablation", "mean_colour", 0.3, "data", "channel 0")]
    for name, (raw, averaged) in TRAININGS.items():
        for arm, size in ((raw, 2.0), (averaged, 0.5 if name == worst else 0.25)):
            distances += wavering("frechet_of_state", arm, size, floor=FLOOR)
            # 1.5 and 0.5 times the size, whose mean is the size
            colours += wavering("mean_colour", arm, 1.5 * size, variant="channel 0")
            colours += wavering("mean_colour", arm, -0.5 * size, variant="channel 1")
    assert value("distance_fluctuation", *distances) == pytest.approx(0.25)
    assert value("colour_fluctuation", *colours) == pytest.approx(0.25)
    for statistic in ("distance_fluctuation", "colour_fluctuation"):
        assert inside(statistic, 0.25) and not inside(statistic, 4)
    raw, averaged = TRAININGS[worst]
    for lost in (raw, averaged):
        with pytest.raises(MissingRows):
            claims.distance_fluctuation(table(*(row for row in distances if row["method"] != lost)))


@pytest.mark.parametrize(
    ("statistic", "arm"),
    [
        ("averaging_over_ncsn", "ncsn_5"),
        ("ladder_over_ncsn", "ncsn_124"),
        ("ladder_and_averaging_over_ncsn", "ncsn_1245"),
        ("all_over_ncsn", "ncsnv2"),
    ],
)
def test_an_arm_over_ncsn_while_the_learning_rate_is_constant(statistic, arm):
    """3 over 6; the mean of the ratios, 2, 1 and 1/8, would be more."""
    known = {arm: (4.0, 4.0, 1.0, 500.0), "ncsn": (2.0, 8.0, 8.0, 1.0)}
    rows = [row for each in ARMS for row in states("frechet_of_state", each, *known.get(each, (1, 1, 1, 1)), floor=FLOOR)]
    assert value(statistic, *rows) == 0.5
    assert inside(statistic, 0.5) and not inside(statistic, 2)
    # a seed that NCSN lacks is left out
    found = table(*rows)
    alone = getattr(claims, statistic)(found[(found["method"] != "ncsn") | (found["seed"] == 1)])
    assert alone.index.tolist() == [1] and alone.iloc[0] == 0.5


def test_the_second_half_of_a_training_on_large_images():
    at = (0.1, 0.4, 0.5, 0.7, 0.9, 1.0)
    for late in ((8.0, 2.0, 4.0, 3.0), (4.0, 3.0, 2.0, 8.0)):
        rows = states("frechet_of_state", "ncsn_1234", 100.0, 0.1, *late, at=at, dataset="lsun_bedroom128")
        rows += [row | {"method": "ncsnv2", "value": 5.0} for row in rows]
        assert value("unsteady_at_128", *rows, *(row | {"dataset": "lsun_tower128", "value": 5.0} for row in rows)) == 4
    assert inside("unsteady_at_128", 4) and not inside("unsteady_at_128", 1.5)


def along(experiment, metric, axis, numbers, **more):
    return [of(experiment, metric, number, "ncsnv2", axis=axis, at=float(at), **more) for at, number in numbers.items()]


@pytest.mark.parametrize("mass", [0.5, 0.6])
def test_numbers_of_levels(mass):
    """Technique 2's number is 21, whose mass is nearest to 0.567 from either side."""
    rows = along("sampler_settings", "frechet_of_levels", "levels", {5: 24.0, 8: 40.0, 21: 8.0, 35: 6.0, 105: 7.0}, floor=FLOOR)
    rows += along("sampler_settings", "shell_mass", "levels", {5: 0.0, 8: 0.1, 21: mass, 35: 0.7, 105: 0.98})
    assert value("few_over_chosen_levels", *rows) == 3
    assert value("chosen_over_best_levels", *rows) == pytest.approx(4 / 3)
    assert inside("few_over_chosen_levels", 3) and not inside("few_over_chosen_levels", 1 / 3)
    assert inside("chosen_over_best_levels", 1.1) and not inside("chosen_over_best_levels", 4 / 3)


@pytest.mark.parametrize(("smaller", "larger"), [(5.0, 6.0), (6.0, 5.0)])
def test_step_sizes(smaller, larger):
    numbers = {0.5: 9.0, 0.7: smaller, 1: 4.0, 1.4: larger, 2: 3.0, 4: 8.0}
    rows = along("sampler_settings", "frechet_of_sizes", "size", numbers, variant="stable", floor=FLOOR)
    rows += along("sampler_settings", "frechet_of_sizes", "size", {8.57: 20.0}, variant="unstable", floor=FLOOR)
    assert value("chosen_over_best_size", *rows) == pytest.approx(4 / 3)
    assert value("near_over_chosen_size", *rows, clears=5 - FLOOR) == pytest.approx(1.5)
    assert value("unstable_over_chosen_size", *rows, clears=20 - FLOOR) == pytest.approx(5)
    assert inside("chosen_over_best_size", 1.1) and not inside("chosen_over_best_size", 4 / 3)
    assert inside("near_over_chosen_size", 1.2) and not inside("near_over_chosen_size", 1.6)
    assert inside("unstable_over_chosen_size", 5) and not inside("unstable_over_chosen_size", 0.2)


def test_losses_of_networks_told_and_not_told_the_level():
    rows = [of("losses", "smoothed_loss", loss, name) for name, loss in (("ncsnv2", 0.51), ("ncsnv2_index", 0.5))]
    assert value("loss_over_told", *rows) == pytest.approx(1.02)
    assert inside("loss_over_told", 1.02) and not inside("loss_over_told", 1.1) and not inside("loss_over_told", 0.9)
    known = {("ncsnv2", "train"): 10.0, ("ncsnv2", "test"): 10.5, ("ncsnv2_index", "train"): 5.0, ("ncsnv2_index", "test"): 9.0}
    assert value("unseen_over_seen", *(of("losses", "objective", loss, *cell) for cell, loss in known.items())) == pytest.approx(
        1.05
    )
    assert inside("unseen_over_seen", 1.02) and not inside("unseen_over_seen", 1.1)


def test_the_norm_of_the_score_on_unseen_images():
    powers = {("ncsnv2", "test"): -0.9, ("ncsnv2", "train"): -2.0, ("ncsnv2_index", "test"): -3.0}
    rows = [
        of("losses", "score_norm", 8 * at**power, *cell, axis="sigma", at=at)
        for cell, power in powers.items()
        for at in (0.01, 0.1, 1.0)
    ]
    assert value("score_norm_slope", *rows) == pytest.approx(-0.9)
    assert inside("score_norm_slope", -0.9) and not inside("score_norm_slope", 0.9) and not inside("score_norm_slope", -0.7)


def counts(told, untold=30.0):
    where = {"variant": "32x32 pixels in colour", "dataset": ""}
    rows = [of("losses", "parameters", number, "ncsn", axis="levels", at=float(at), **where) for at, number in told.items()]
    return [*rows, of("losses", "parameters", untold, "ncsnv2", **where)]


def test_parameters_by_levels():
    """100 for a level up to 232 levels, and 110 from there on."""
    rows = counts({10: 1000.0, 232: 23200.0, 332: 34200.0}, untold=16000.0)
    assert value("parameters_off_line", *rows) == pytest.approx(0.1)
    assert value("parameters_off_line", *counts({10: 1000.0, 232: 23200.0, 332: 32200.0})) == pytest.approx(1 / 9)
    assert value("parameters_off_line", *counts({10: 1000.0, 232: 23200.0, 332: 33200.0})) == 0
    assert value("told_over_untold_parameters", *rows) == pytest.approx(1.45)
    # the runs of two data sets count the same
    assert JUDGED.value("told_over_untold_parameters", *rows, *rows) == pytest.approx(1.45)
    assert JUDGED.value("parameters_off_line", *rows, *rows) == pytest.approx(0.1)
    assert inside("parameters_off_line", 0) and not inside("parameters_off_line", 0.1)
    assert inside("told_over_untold_parameters", 1.34) and not inside("told_over_untold_parameters", 0.75)


def test_the_space_in_which_samples_are_nearest_to_training_images():
    for pixels, features, found in ((0.5, 4.0, 0.25), (4.0, 1.0, 0.5)):
        distances = {"pixels": pixels, "features": features}
        rows = [of("ablation", f"nearest_in_{space}", found, "ncsnv2", "denoised") for space, found in distances.items()]
        rows += [of("ablation", f"nearest_in_{space}", 2.0, "data", "test split") for space in distances]
        assert value("nearest_over_held_out", *rows) == found
    assert inside("nearest_over_held_out", 1) and not inside("nearest_over_held_out", 0.5)


def test_smoothness_of_paths_is_that_of_the_space_where_they_are_roughest():
    for spaces in (("pixels", "features"), ("features", "pixels")):
        rows = [
            of("interpolation", metric, factor * number * step, method, space, axis="angle", at=at)
            for space, number in zip(spaces, (0.2, 0.3))
            for at, step in ((11.25, 1.0), (45.0, 2.0), (90.0, 3.0))
            for method, metric, factor in (
                ("noise", "largest_step_over_independent", 1.0),
                ("blend", "largest_step_over_independent", 2.0),
                ("noise", "step_over_independent", 1.5),
            )
        ]
        assert value("neighbours_over_independent", *rows) == 0.3
    assert inside("neighbours_over_independent", 0.3) and not inside("neighbours_over_independent", 0.9)


def test_the_ends_of_paths():
    assert value("ends_gap", of("interpolation", "largest_difference_of_ends", 5e-7, "noise")) == 5e-7
    assert inside("ends_gap", 5e-7) and not inside("ends_gap", 0.1)


@pytest.mark.parametrize(("first", "last"), [(4.0, 8.0), (8.0, 4.0)])
def test_the_middle_of_paths(first, last):
    paths = {"noise": (first, 30.0, 6.0, 20.0, last), "blend": (first, 50.0, 24.0, 50.0, last)}
    rows = [
        of("interpolation", "feature_frechet", number, method, axis="point", at=at, floor=FLOOR)
        for method, numbers in paths.items()
        for at, number in zip((0.0, 0.25, 0.5, 0.75, 1.0), numbers)
    ]
    assert value("middle_over_ends", *rows) == 0.75
    assert value("blend_over_noise", *rows, clears=24 - FLOOR) == pytest.approx(4)
    assert inside("middle_over_ends", 0.75) and not inside("middle_over_ends", 4 / 3)
    assert inside("blend_over_noise", 4) and not inside("blend_over_noise", 0.25)
