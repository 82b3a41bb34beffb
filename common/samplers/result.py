"""What samplers share: their result, counted evaluations, the last denoising step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from common.denoiser import Denoising, Time

Callback = Callable[[int, float, Tensor], None]  # callback(step, time, state)


class Samples(NamedTuple):
    """Samples and the number of network evaluations (NFE) that each of them took."""

    x: Float[Tensor, "batch *shape"]
    nfe: Int[Tensor, " batch"]


def counted(x: Tensor, evaluations: int) -> Samples:
    """Return samples that were all evaluated together, `evaluations` times."""
    return Samples(x, torch.full((len(x),), evaluations, dtype=torch.int64))


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.calls = function, 0

    def __call__(self, *arguments: Any) -> Any:
        """Call the function and count."""
        self.calls += 1
        return self.function(*arguments)


def denoise_last(denoiser: Denoising, x: Float[Tensor, "batch *shape"], t: Time) -> Float[Tensor, "batch *shape"]:
    """Return E[x_0 | x_t = x]: one Tweedie step that removes the noise left at the sampler's last time."""
    with torch.no_grad():
        return denoiser.denoised(x, t)
