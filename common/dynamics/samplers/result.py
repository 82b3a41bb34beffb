"""What samplers share: their result, callbacks, counted evaluations, checks, the last denoising step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from common.dynamics.answers import Answers, Time, require
from common.errors import SolverError

# callback(step, time, state) may return another state to go on with: inpainting, imputation, colourisation. Time is a number, or
# a tensor [batch] where every sample has its own
Callback = Callable[[int, Any, Tensor], Tensor | None]


class Samples(NamedTuple):
    """Samples, the number of network evaluations (NFE) that each took, and how many of its steps an adaptive solver rejected."""

    x: Float[Tensor, "batch *shape"]
    nfe: Int[Tensor, " batch"]
    rejected: Int[Tensor, " batch"]


def called_back(callback: Callback | None, step: int, t: Time, x: Tensor) -> Tensor:
    """Return the state to go on with after a step. Raises `SolverError` if the callback's has another shape."""
    if callback is None or (new := callback(step, t, x)) is None:
        return x
    if new.shape != x.shape:
        raise SolverError(f"the callback of step {step} gave a state of shape {list(new.shape)}; return {list(x.shape)} or None")
    return new.to(x)


def finished(what: str, x: Tensor, evaluations: int) -> Samples:
    """Return samples that were all evaluated together, `evaluations` times; raise `SolverError` if any is not finite."""
    require_finite(what, x)
    return Samples(x, torch.full((len(x),), evaluations, dtype=torch.int64), torch.zeros(len(x), dtype=torch.int64))


def require_finite(what: str, x: Tensor) -> None:
    """Raise `SolverError` unless all values of a result are finite."""
    if not bool(torch.isfinite(x.detach()).all()):  # the check must keep nothing for a backward pass
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


def denoised_last(sample: Callable[..., Samples]) -> Callable[..., Samples]:
    """Return the sampler with a last Tweedie step, E[x_0 | x_t], that removes the noise left at its last time; it counts."""

    @torch.no_grad()
    def sample_and_denoise(model: Answers, x: Float[Tensor, "batch *shape"], times: Tensor, **options: Any) -> Samples:
        require(model, "the denoising step", "data", times[-1:])
        found = sample(model, x, times, **options)
        return found._replace(x=model.denoised(found.x, float(times[-1])), nfe=found.nfe + 1)

    return sample_and_denoise
