"""What samplers share: their result, counted evaluations, checks, the last denoising step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from common.dynamics.answers import Answers, Time
from common.errors import SolverError

Callback = Callable[[int, float, Tensor], None]  # callback(step, time, state)


class Samples(NamedTuple):
    """Samples and the number of network evaluations (NFE) that each of them took."""

    x: Float[Tensor, "batch *shape"]
    nfe: Int[Tensor, " batch"]


def finished(what: str, x: Tensor, evaluations: int) -> Samples:
    """Return samples that were all evaluated together, `evaluations` times; raise `SolverError` if any is not finite."""
    require_finite(what, x)
    return Samples(x, torch.full((len(x),), evaluations, dtype=torch.int64))


def require_finite(what: str, x: Tensor) -> None:
    """Raise `SolverError` unless all values of a result are finite."""
    if not bool(torch.isfinite(x).all()):
        raise SolverError(
            f"{what}: the result is not finite; take more steps, stop further from the data end (t_min), or, for a network that "
            "predicts noise or score on the optimal-transport path, start below t = 1"
        )


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.calls = function, 0

    def __call__(self, *arguments: Any) -> Any:
        """Call the function and count."""
        self.calls += 1
        return self.function(*arguments)


def denoise_last(denoiser: Answers, x: Float[Tensor, "batch *shape"], t: Time) -> Float[Tensor, "batch *shape"]:
    """Return E[x_0 | x_t = x]: one Tweedie step that removes the noise left at the sampler's last time."""
    with torch.no_grad():
        return denoiser.denoised(x, t)
