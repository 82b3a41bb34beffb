"""What must not change a metric, and what must change it in a known way, on sets that hypothesis makes up."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from common.measure.metrics.coverage import coverage
from common.measure.metrics.frechet import frechet_distance
from common.measure.metrics.kernel import kernel_distance, mmd
from common.measure.metrics.neighbours import nearest_distances
from common.measure.metrics.wasserstein import wasserstein

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
