"""Inpainting (Song & Ermon 2019, Algorithm 2): after every Langevin step known pixels are put back, as noisy as the level is.

The noise on them is drawn once for each level. It is a callback of the sampler, so any mask will do and nothing is trained.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

Callback = Callable[[int, float, Tensor], Tensor]


def keeping(
    known: Float[Tensor, "batch c h w"],
    mask: Bool[Tensor, "batch c h w"],
    sigmas: Float[Tensor, " levels"],
    steps: int,
    *,
    generator: Generator,
) -> Callback:
    """Return the callback that keeps the pixels of `known` where the mask is true, with `steps` steps at each of `sigmas`."""
    noisy = known

    def put_back(number: int, t: float, x: Tensor) -> Tensor:
        nonlocal noisy
        if number % steps == 0:
            level = float(sigmas[number // steps])
            noisy = known + level * torch.randn(known.shape, generator=generator, device=known.device, dtype=known.dtype)
        return torch.where(mask, noisy, x)

    return put_back


def masks(shape: tuple[int, int, int], *, generator: Generator) -> dict[str, Bool[Tensor, "c h w"]]:
    """Return which pixels are known: the left half, all but the middle quarter, and a random half."""
    _, height, width = shape
    half = torch.zeros(shape, dtype=torch.bool)
    half[..., : width // 2] = True
    centre = torch.ones(shape, dtype=torch.bool)
    centre[:, height // 4 : height - height // 4, width // 4 : width - width // 4] = False
    random = torch.rand(1, height, width, generator=generator).lt(0.5).expand(shape)
    return {"half": half, "centre": centre, "random": random}
