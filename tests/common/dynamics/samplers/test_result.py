import math

import pytest
import torch

from common.dynamics.denoiser import Denoiser
from common.dynamics.oracles import gaussian
from common.dynamics.paths import vp
from common.dynamics.samplers.result import Counted, denoise_last, finished
from common.errors import SolverError

F64 = torch.float64


def test_last_step_is_tweedies(draw):
    """x + sigma^2 score over alpha, the posterior mean of Gaussian data; for a network the gradient is not kept."""
    path, x, t = vp(), draw(4, 2), torch.tensor(0.1, dtype=F64)
    alpha, sigma = path.alpha(t), path.sigma(t)
    oracle = gaussian(path, torch.tensor([0.5, -0.3], dtype=F64), 0.7)
    expected = (x + sigma**2 * oracle.score(x, t)) / alpha
    torch.testing.assert_close(denoise_last(oracle, x, 0.1), expected)
    network = torch.nn.Linear(2, 2).double()

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = network

        def forward(self, x, t):
            return self.linear(x)

    assert not denoise_last(Denoiser(Net(), path, "data"), x, 0.1).requires_grad


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
