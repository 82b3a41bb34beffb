import math

import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.oracles import gaussian
from common.dynamics.paths import uniform_times, vp
from common.dynamics.samplers.ode import euler
from common.dynamics.samplers.result import Counted, denoised_last, finished, require_finite
from common.errors import SolverError, UnsupportedModelError

F64 = torch.float64


def test_last_step_is_tweedies_and_counts(draw):
    """x + sigma^2 score over alpha, the posterior mean of Gaussian data."""
    path, x, times = vp(), draw(4, 2), uniform_times(vp(), 5, t_min=0.1)
    oracle = gaussian(path, torch.tensor([0.5, -0.3], dtype=F64), 0.7)
    noisy, clean = euler(oracle, x, times), denoised_last(euler)(oracle, x, times)
    alpha, sigma = path.alpha(times[-1]), path.sigma(times[-1])
    torch.testing.assert_close(clean.x, (noisy.x + sigma**2 * oracle.score(noisy.x, 0.1)) / alpha)
    assert clean.nfe.tolist() == [6] * 4


def test_the_last_step_is_refused_where_a_model_cannot_take_it(draw):
    levels = Answering(vp(), "noise", lambda x, t: x, torch.tensor([1.0, 0.5]))
    with pytest.raises(UnsupportedModelError, match="the denoising step cannot run on this network"):
        denoised_last(euler)(levels, draw(2, 2), torch.tensor([1.0, 0.5, 0.1]))


def test_counted_passes_calls_on():
    function = Counted(lambda a, b: a - b)
    assert [function(5, 3), function(1, 1)] == [2, 0]
    assert function.calls == 2


def test_results_are_finite_or_refused(draw):
    x = draw(3, 2)
    result = finished("Euler", x, 7)
    assert result.x is x
    assert result.nfe.tolist() == [7, 7, 7]
    x[1, 0] = math.inf
    with pytest.raises(SolverError, match="Euler: the result is not finite"):
        finished("Euler", x, 7)


def test_the_check_keeps_nothing_for_a_backward_pass():
    """Bytes kept by a solver are measured; looking at its result must not add to them."""
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        require_finite("it", torch.ones(3, requires_grad=True))
    assert not kept
