"""What must not change a metric, and what must change it in a known way, on sets that hypothesis makes up."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from common.errors import RetraceError
from common.measure.metrics.coverage import coverage
from common.measure.metrics.frechet import frechet_between_gaussians, frechet_distance
from common.measure.metrics.kernel import kernel_distance, kernel_distance_of_subsets, mmd
from common.measure.metrics.neighbours import nearest_distances
from common.measure.metrics.wasserstein import sliced_wasserstein, wasserstein

NUMBERS = st.integers(-40, 40).map(lambda k: k / 8)  # exact in floating point, with ties
CLOUDS = st.tuples(st.integers(8, 12), st.integers(1, 3)).flatmap(
    lambda size: st.tuples(*[arrays.arrays(np.float64, size, elements=NUMBERS)] * 2)
)
ORDERS = st.randoms(use_true_random=False)
DISTANCES = {
    "frechet": frechet_distance,
    "wasserstein": wasserstein,
    "mmd": lambda x, y: mmd(x, y, bandwidths=(1.0, 2.0)),
    "kernel": kernel_distance,
    "nearest": lambda x, y: float(nearest_distances(x, y).mean()),
}
POWER = {"frechet": 2, "wasserstein": 1, "nearest": 1}  # of the unit of length
few = settings(max_examples=40, deadline=None)
every_distance = pytest.mark.parametrize("name", DISTANCES)


def shuffled(points, random):
    order = list(range(len(points)))
    random.shuffle(order)
    return points[order]


@every_distance
@few
@given(clouds=CLOUDS, random=ORDERS)
def test_the_order_of_points_does_not_matter(name, clouds, random):
    x, y = clouds
    assert DISTANCES[name](shuffled(x, random), shuffled(y, random)) == pytest.approx(DISTANCES[name](x, y), rel=1e-9, abs=1e-8)


@pytest.mark.parametrize("name", ["frechet", "wasserstein", "mmd", "nearest"])
@few
@given(clouds=CLOUDS, offset=st.integers(-20, 20))
def test_an_offset_of_both_sets_does_not_matter(name, clouds, offset):
    x, y = clouds
    assert DISTANCES[name](x + offset, y + offset) == pytest.approx(DISTANCES[name](x, y), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("name", POWER)
@few
@given(clouds=CLOUDS, scale=st.sampled_from([0.25, 2.0, 8.0]))
def test_a_scale_of_both_sets_is_a_change_of_units(name, clouds, scale):
    x, y = clouds
    expected = scale ** POWER[name] * DISTANCES[name](x, y)
    assert DISTANCES[name](scale * x, scale * y) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-7, 1e7])
@pytest.mark.parametrize("p", [1, 2, 20])
def test_transport_of_many_points_is_exact_at_any_scale(scale, p):
    """On a line the optimal plan is the sorted one; small costs and high powers must not stop the solver early."""
    generator = np.random.default_rng(0)
    x, y = scale * generator.normal(size=(300, 1)), scale * generator.normal(size=(300, 1))
    gaps = np.abs(np.sort(x[:, 0]) - np.sort(y[:, 0])) / scale
    assert wasserstein(x, y, p) == pytest.approx(scale * (gaps**p).mean() ** (1 / p), rel=1e-6)


@pytest.mark.parametrize("name", ["wasserstein", "nearest", "frechet"])
@pytest.mark.parametrize("offset", [1e7, 1e8])
def test_a_large_offset_costs_no_digits(name, offset):
    generator = np.random.default_rng(0)
    # multiples of 2^-20, which such an offset leaves exact
    x, y = (np.round(generator.normal(size=(40, 2)) * 2**20) / 2**20 for _ in range(2))
    assert DISTANCES[name](x + offset, y + offset) == pytest.approx(DISTANCES[name](x, y), rel=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: wasserstein(x, x, 0.5), "p = 0.5: a Wasserstein distance needs p >= 1"),
        (lambda x: sliced_wasserstein(x, x, projections=0, seed=0), "projections = 0"),
        (lambda x: frechet_between_gaussians(x[0], np.eye(2), x[0], np.full((2, 2), np.nan)), "is not finite"),
        (lambda x: frechet_distance(1e200 * x, -1e200 * x), "is not finite"),
        (lambda x: kernel_distance(x[:1], x), "1 points; at least 2"),
        (lambda x: kernel_distance_of_subsets(x, x, generator=torch.Generator(), subsets=0), "subsets = 0"),
        (lambda x: frechet_distance(x * np.nan, x), "are not finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_what_has_no_value_is_an_error_with_its_reason(call, message):
    with pytest.raises(RetraceError) as error:
        call(np.random.default_rng(0).normal(size=(8, 2)))
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["wasserstein", "nearest"])
@few
@given(clouds=CLOUDS)
def test_every_point_twice_is_the_same_distribution(name, clouds):
    x, y = clouds
    assert DISTANCES[name](np.repeat(x, 2, 0), np.repeat(y, 2, 0)) == pytest.approx(DISTANCES[name](x, y), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", ["frechet", "wasserstein", "nearest"])
@few
@given(clouds=CLOUDS)
def test_a_set_is_at_no_distance_from_itself(name, clouds):
    assert DISTANCES[name](clouds[0], clouds[0]) == pytest.approx(0, abs=1e-6)


@few
@given(clouds=CLOUDS, offset=st.integers(-20, 20), scale=st.sampled_from([0.25, 2.0, 8.0]), random=ORDERS)
def test_shares_know_neither_order_nor_offset_nor_unit(clouds, offset, scale, random):
    x, y = clouds
    expected = coverage(x, y, neighbours=3)
    assert coverage(scale * shuffled(x, random) + offset, scale * shuffled(y, random) + offset, neighbours=3) == expected


@few
@given(clouds=CLOUDS)
def test_a_set_covers_itself_repeated_points_included(clouds):
    x, _ = clouds
    twice = np.repeat(x, 2, 0)
    for points in (x, twice):
        found = coverage(points, points.copy(), neighbours=3)
        assert (found.precision, found.recall, found.coverage) == (1, 1, 1)


@few
@given(clouds=CLOUDS)
def test_coverage_agrees_with_prdc_where_no_point_lies_on_a_border(clouds):
    import prdc

    x, y = clouds
    generator = np.random.default_rng(0)  # no ties: prdc's balls are open
    x, y = x + generator.normal(size=x.shape), y + generator.normal(size=y.shape)
    assume(len(np.unique(x)) == x.size)
    theirs = prdc.compute_prdc(x, y, nearest_k=3)
    assert coverage(x, y, neighbours=3)._asdict() == pytest.approx({key: float(theirs[key]) for key in theirs})


def test_one_small_move_among_far_points_is_not_lost():
    """One point moves and some are far away: the answer is far below the largest distance, and one pair makes all of it."""
    x = np.concatenate([np.linspace(0, 1e-3, 40), [5.0, 9.0]])[:, None]
    y = x.copy()
    y[20] += 2e-6
    assert wasserstein(x, y, 1) == pytest.approx(2e-6 / 42, rel=1e-6)
    assert wasserstein(x, y, 2) == pytest.approx((4e-12 / 42) ** 0.5, rel=1e-6)
