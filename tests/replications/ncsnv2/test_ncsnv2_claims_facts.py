"""Each statistic of what needs no network, on tables whose answer is known."""

import pytest
from judged import judged

from common.measure.statistics import MissingRows
from replications.ncsnv2 import claims

JUDGED = judged(claims)
PAPER, inside = JUDGED.paper, JUDGED.inside
WIDE, NARROW = "largest distance", "median / 18"
STARTS, DATA = ("uniform", "grey", "one image"), ("digits", "patches_colour8")


def value(statistic, *rows):
    """Return what it makes of the rows, among the same rows of a metric and of an experiment that it must not read."""
    others = [row | {column: "another", "value": 7.0} for row in rows for column in ("metric", "experiment")]
    return JUDGED.value(statistic, *rows, *others)


@pytest.mark.parametrize("statistic", sorted({claim.statistic for claim in PAPER.claims}))
def test_rows_that_are_missing_are_said_to_be(statistic):
    names = ("ladders", "exact_scores", "resolution", "ablation", "sampler_settings", "losses", "interpolation")
    table = JUDGED.table(*({"experiment": name, "metric": "another", "dataset": "digits", "value": 1.0} for name in names))
    with pytest.raises(MissingRows):
        getattr(claims, statistic)(table)
    with pytest.raises(MissingRows):
        getattr(claims, statistic)(table[table["experiment"] == "another"])


def fact(metric, value, method="", dataset="", variant="", **more):
    labels = {"method": method, "dataset": dataset, "variant": variant}
    return {"experiment": "ladders", "metric": metric, "value": value, **labels, **more}


def by_dimension(metric, method, numbers):
    return [fact(metric, number, method, axis="dimension", at=dim) for dim, number in numbers.items()]


def test_norms_are_judged_in_the_worst_dimension():
    rows = by_dimension("chi_ks", "drawn", {2: 0.5, 64: 1.5, 3072: 1.0}) + by_dimension("chi_ks", "exact", {2: 9.0})
    assert value("norm_statistic", *rows) == 1.5
    assert inside("norm_statistic", 1.5) and not inside("norm_statistic", 2.3)


def test_powers_of_the_dimension():
    dimensions = (4, 64, 1024)
    rows = by_dimension("norm_ks", "exact", {dim: 0.2 * dim**-0.5 for dim in dimensions})
    rows += by_dimension("norm_ks", "drawn", {dim: 0.2 * dim**-0.1 for dim in dimensions})
    assert value("norm_order", *rows) == pytest.approx(-0.5)
    assert inside("norm_order", -0.5) and not inside("norm_order", 0.5) and not inside("norm_order", -1)
    assert value("levels_order", *by_dimension("levels_needed", "", {dim: 3 * dim**0.48 for dim in dimensions})) == pytest.approx(
        0.48
    )
    assert inside("levels_order", 0.48) and not inside("levels_order", 1)


def test_the_formula_of_the_mass_in_most_dimensions():
    masses = {"formula": (0.567, 0.568), "exact": (0.5, 0.564), "drawn": (0.4, 0.4)}
    rows = [row for method, pair in masses.items() for row in by_dimension("shell_mass", method, dict(zip((8, 3072), pair)))]
    rows.append(fact("shell_mass", 0.1, "published", "cifar10", "ncsnv2"))
    assert value("shell_mass_gap", *rows) == pytest.approx(0.004)
    assert inside("shell_mass_gap", 0.004) and not inside("shell_mass_gap", 0.02) and not inside("shell_mass_gap", -0.02)


def published(metric, *numbers, method="published"):
    """Rows of three published ladders, and of NCSN's, which is of no rule."""
    rows = [fact(metric, number, method, data, "ncsnv2") for data, number in zip(("cifar10", "celeba64", "ffhq256"), numbers)]
    return [*rows, fact(metric, 90.0 if method == "published" else 1.0, method, "cifar10", "ncsn")]


@pytest.mark.parametrize("levels", [(232, 500, 2314), (232, 500, 2308), (229, 500, 2311), (235, 499, 2311)])
def test_levels_off_the_rule_have_no_sign(levels):
    rule = published("levels", 232, 500, 2311, method="techniques")
    assert value("levels_gap", *published("levels", *levels), *rule) == 3
    assert value("levels_gap", *published("levels", 232, 500, 2311), *rule) == 0
    assert inside("levels_gap", 0) and not inside("levels_gap", 1)


def test_the_published_mass_that_is_furthest_from_the_rule():
    formula = by_dimension("shell_mass", "formula", {8: 0.1, 3072: 0.1})
    for masses, found in (((0.566, 0.51, 0.6), 0.51), ((0.567, 0.55, 0.63), 0.63)):
        assert value("published_mass", *published("shell_mass", *masses), *formula) == found
    assert inside("published_mass", 0.567) and not inside("published_mass", 0.45) and not inside("published_mass", 0.63)


def test_published_steps_over_the_best():
    best = published("final_variance", 1.0, 2.0, 1.1, method="techniques")
    assert value("final_variance_over_best", *published("final_variance", 1.0, 2.02, 1.1), *best) == pytest.approx(1.01)
    assert inside("final_variance_over_best", 1.002) and not inside("final_variance_over_best", 1.01)


def test_evaluations_are_those_of_their_ladder():
    rows = published("evaluations", 1160, 2500, 6933)
    rows += published("evaluations", 1.0, 2.0, 3.0, method="techniques")
    assert value("cifar10_evaluations", *rows) == 1160 and value("ffhq256_evaluations", *rows) == 6933
    assert inside("cifar10_evaluations", 1160) and not inside("cifar10_evaluations", 1161)
    assert inside("ffhq256_evaluations", 6933) and not inside("ffhq256_evaluations", 1160)


def test_the_recursion_of_any_model():
    for gaps in ((1e-15, 3e-14, 1e-15), (3e-14, 1e-15, 1e-15)):
        rows = published("recursion_off", *gaps, method="")[:-1]
        assert value("recursion_gap", *rows, fact("recursion_off", 1e-15, "", "cifar10", "ncsn")) == 3e-14
    assert value("recursion_gap", *rows, fact("recursion_off", 1e-9, "", "cifar10", "ncsn")) == 1e-9
    assert inside("recursion_gap", 3e-14) and not inside("recursion_gap", 1e-9)


def test_the_chains_that_are_furthest_off_on_either_side():
    for off in ((-3.0, 1.0, 2.0), (2.0, -1.0, 3.0), (0.0, 3.0, -2.5)):
        rows = [
            fact("level_variance_off", factor * each, "chains", data, paper, axis="level", at=at)
            for data, paper, factor in (("cifar10", "ncsnv2", 1.0), ("cifar10", "ncsn", 0.5), ("ffhq256", "ncsnv2", -0.9))
            for at, each in zip((1, 116, 231), off)
        ]
        assert value("chains_off_formula", *rows) == 3
    assert inside("chains_off_formula", 3) and not inside("chains_off_formula", 4.5)


def exact(metric, value, dataset, method, variant, **more):
    labels = {"dataset": dataset, "method": method, "variant": variant}
    return {"experiment": "exact_scores", "metric": metric, "value": value, **labels, **more}


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("level", ["1", WIDE])
def test_the_bound_over_all_data_and_levels(data, level):
    rows = [
        exact(metric, number + shift * ((of, at) == (data, level)), of, method, at)
        for of in DATA
        for at in ("1", WIDE)
        for metric, method, number, shift in (
            ("largest_over_bound", "mixture", 0.4, 0.2),
            ("largest_over_bound", "two images alone", 0.9, 0.0),
            ("median_over_bound", "mixture", 0.05, 0.0),
            ("median_over_bound", "two images alone", 0.5, -0.25),
        )
    ]
    assert value("largest_over_bound", *rows) == pytest.approx(0.6) and value("median_over_bound", *rows) == 0.25
    assert inside("largest_over_bound", 0.6) and not inside("largest_over_bound", 1.1)
    assert inside("median_over_bound", 0.25) and not inside("median_over_bound", 0.1)


def chains(metric, of_arms):
    """Rows of all ladders, starts and data; `of_arms` gives a cell's number, which is 0.6 if it says nothing."""
    cells = [(data, start, arm) for data in DATA for start in STARTS for arm in (WIDE, NARROW, "1", "median × 0.16")]
    more = [(data, "uniform", "split") for data in DATA] + [(data, "data", "exact draws") for data in DATA]
    return [exact(metric, of_arms.get(cell, 0.6), *cell, floor=1.0) for cell in [*cells, *more]]


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("start", STARTS)
def test_what_is_reached_from_the_widest_level_by_the_worst_start(data, start):
    reached = {(data, start, WIDE): 0.5, (data, start, NARROW): 0.1, (data, "uniform", "split"): 0.2, (data, start, "1"): 0.3}
    assert value("reached_from_wide", *chains("distinct_centres", reached)) == 0.5
    assert inside("reached_from_wide", 0.99) and not inside("reached_from_wide", 0.5)


@pytest.mark.parametrize("data", DATA)
def test_what_is_reached_from_a_narrow_level_at_the_best(data):
    reached = {(data, "uniform", NARROW): 0.7, (data, "grey", NARROW): 0.9, (data, "uniform", WIDE): 1.0}
    assert value("reached_from_narrow", *chains("distinct_centres", reached)) == 0.7
    apart = {(of, "one image", NARROW): 0.1 for of in DATA}
    apart |= {(data, "one image", NARROW): 0.15, (data, "uniform", NARROW): 0.9, (data, "one image", "1"): 0.8}
    assert value("apart_from_one_image", *chains("distance_over_data", apart)) == 0.15
    assert inside("reached_from_narrow", 0.6) and not inside("reached_from_narrow", 0.7)
    assert inside("apart_from_one_image", 0.15) and not inside("apart_from_one_image", 0.9)


def test_what_is_said_of_cifar10():
    """Rows of another data set, of other levels and of other starts are 99."""
    right = {
        ("cifar10_median_distance", "median_distance", "data", "centres"): 18.1,
        ("cifar10_largest_distance", "largest_distance", "data", "centres"): 48.0,
        ("cifar10_bound", "log10_bound_at_median", "", "1"): -17.9,
        ("cifar10_apart_from_narrow", "distance_over_data", "uniform", "1"): 0.57,
        ("cifar10_apart_from_wide", "distance_over_data", "uniform", WIDE): 1.05,
    }
    rows = [exact(metric, number, "cifar10", *where) for (_, metric, *where), number in right.items()]
    rows += [row | {"dataset": "fashion_mnist", "value": 99.0} for row in rows]
    rows += [exact("log10_bound_at_median", 99.0, "cifar10", "", WIDE)]
    rows += [exact("distance_over_data", 99.0, "cifar10", "uniform", NARROW)]
    rows += [exact("distance_over_data", 99.0, "cifar10", start, at) for start in STARTS[1:] for at in ("1", NARROW, WIDE)]
    for (statistic, *_), number in right.items():
        assert value(statistic, *rows) == number
        assert (inside(statistic, number) and not inside(statistic, 99)) or statistic == "cifar10_bound"
    assert inside("cifar10_bound", -17.9) and not inside("cifar10_bound", -16)
    assert not inside("cifar10_apart_from_narrow", 1.05) and not inside("cifar10_apart_from_wide", 0.57)


def test_what_is_kept_as_images_grow():
    """Of sides 4, 8 and 16: NCSN's ladder keeps a half, the techniques' nine tenths, and the middle says nothing."""
    reached = {"ncsn": (0.8, 0.1, 0.4), "ncsnv2": (1.0, 2.0, 0.9)}
    labels = {"experiment": "resolution", "metric": "distinct_centres", "dataset": "patches_colour16", "axis": "dimensions"}
    rows = [
        {**labels, "method": method, "at": at, "value": share, "floor": 1.0}
        for method, shares in reached.items()
        for at, share in zip((48, 192, 768), shares)
    ]
    assert value("reached_with_size_ncsn", *rows) == 0.5 and value("reached_with_size", *rows) == 0.9
    assert inside("reached_with_size_ncsn", 0.5) and not inside("reached_with_size_ncsn", 2)
    assert inside("reached_with_size", 0.95) and not inside("reached_with_size", 0.5)
