"""What the loop of all samplers asks of times, where a method may stay at one of them and where not."""

import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.paths import uniform_times, ve
from common.dynamics.samplers.loop import at, check_times, sampler
from common.errors import SolverError

F64, PATH = torch.float64, ve()


def check(times, *, repeats=False, downwards=True):
    check_times(PATH, torch.tensor(times, dtype=F64), "it", downwards=downwards, singular_at_noise=False, repeats=repeats)


@pytest.mark.parametrize("times", [[1.0, 0.5, 0.5], [0.5, 0.5], [1.0, 1.0, 0.5]])
def test_only_who_says_so_may_stay_at_a_time(times):
    check(times, repeats=True)
    with pytest.raises(SolverError, match="decreasing times"):
        check(times)
    with pytest.raises(SolverError, match="none may be repeated"):
        check(times, downwards=False)


def test_who_may_stay_still_goes_one_way():
    for repeats in (False, True):
        check(uniform_times(PATH, 3).tolist(), repeats=repeats)
        check([0.0, 0.5, 1.0], repeats=repeats, downwards=False)
        with pytest.raises(SolverError, match="decreasing times"):
            check([1.0, 1.0, 1.1], repeats=repeats)
        with pytest.raises(SolverError, match="increase or decrease"):
            check([1.0, 0.5, 0.5, 0.7], repeats=repeats, downwards=False)
        with pytest.raises(SolverError, match="at least two times"):
            check([1.0], repeats=repeats)


def test_a_sampler_that_may_stay_makes_a_step_for_every_time_but_the_last():
    seen = []

    def method(path, times):
        value = at(times[:-1], path.sigma)

        def step(model, x, t, t_next, noise):
            seen.append((t, t_next, value[t]))
            return x + model.score(x, t), x

        return step

    times = torch.tensor([1.0, 1.0, 0.5, 0.5, 0.5], dtype=F64)
    model, x = Answering(PATH, "score", lambda x, t: torch.ones_like(x)), torch.zeros(3, 2, dtype=F64)
    found = sampler("it", method, quantity="score", repeats=True)(model, x, times)
    assert [each[:2] for each in seen] == [(1, 1), (1, 0.5), (0.5, 0.5), (0.5, 0.5)]
    assert [each[2] for each in seen] == PATH.sigma(times[:-1]).tolist()
    assert found.nfe.tolist() == [4] * 3 and (found.x == 4).all()
    with pytest.raises(SolverError, match="decreasing times"):
        sampler("it", method, quantity="score")(model, x, times)
