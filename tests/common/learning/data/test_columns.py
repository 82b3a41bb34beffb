import numpy as np

from common.learning.data.columns import least_repeated, without_copies


def test_only_the_least_value_is_counted():
    rows = np.random.default_rng(0).normal(size=(30, 5))
    rows[:6, 1] = -9.0  # in six rows
    rows[:5, 2] = -9.0  # in five
    rows[:20, 3] = 9.0  # common, but the greatest
    rows[:, 4] = rows[:, 4] > 0  # a class
    assert least_repeated(rows).tolist() == [False, True, False, False, True]


def test_of_copies_the_last_stays():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 3))
    near = rows + 0.05 * rng.normal(size=rows.shape)
    table = np.stack([rows[:, 0], near[:, 0], -rows[:, 0], rows[:, 1], rows[:, 2] + rows[:, 1], 3 * near[:, 1] + 7], 1)
    np.testing.assert_array_equal(without_copies(table), table[:, [1, 2, 4, 5]])


def test_what_is_copied_by_a_dropped_column_alone_stays():
    """A chain in which neighbours correlate by 0.985 and others by less: the first two go one after the other."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(5000, 1)) + np.cumsum(0.17 * rng.normal(size=(5000, 4)), 1)
    correlation = np.corrcoef(table.T)
    assert all((correlation[i, j] > 0.98) == (abs(i - j) < 2) for i in range(4) for j in range(4))
    np.testing.assert_array_equal(without_copies(table), table[:, [3]])
    apart = table[:, [0, 2, 3]]
    np.testing.assert_array_equal(without_copies(apart), apart[:, [0, 2]])


def test_one_column_has_no_copy():
    assert without_copies(np.arange(5.0)[:, None]).shape == (5, 1)
