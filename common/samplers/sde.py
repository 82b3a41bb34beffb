"""Samplers of the reverse-time SDE dx = [f x - g^2 score] dt + g dw, integrated from noise down to data (Song 2021, eq. 6)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.denoiser import Denoising, as_time, require_continuous
from common.errors import SolverError
from common.samplers.result import Callback, Counted, Samples, counted

Times = Float[Tensor, " points"]
State = Float[Tensor, "batch *shape"]


@torch.no_grad()
def euler_maruyama(
    denoiser: Denoising, x: State, times: Times, *, generator: Generator, callback: Callback | None = None
) -> Samples:
    """Euler-Maruyama on the given times: weak order 1, one evaluation per step. The noise is drawn on x's device."""
    _check_start(denoiser, times, "Euler-Maruyama")
    path, grid = denoiser.path, times.double()
    # scalars of the whole schedule at once: no device transfer inside the loop
    steps = (grid[:-1] - grid[1:]).tolist()
    drifts = path.drift_coefficient(grid[:-1]).tolist()
    diffusions = path.diffusion_squared(grid[:-1]).tolist()
    for index, (t, h, f, g2) in enumerate(zip(grid.tolist(), steps, drifts, diffusions)):
        noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        x = x - h * (f * x - g2 * denoiser.score(x, t)) + (h * g2) ** 0.5 * noise
        if callback:
            callback(index, t - h, x)
    return counted(x, len(steps))


def torchsde_solver(method: str = "euler") -> Callable[..., Samples]:
    """Return a sampler that calls torchsde ("euler", "milstein", "srk") on the reverse-time SDE, stepping on `times`.

    The times must be evenly spaced: torchsde takes one step size.
    """

    @torch.no_grad()
    def sample(denoiser: Denoising, x: State, times: Times, *, generator: Generator, callback: Callback | None = None) -> Samples:
        import torchsde

        _check_start(denoiser, times, f"torchsde's {method}")
        grid = times.double()
        gaps = grid[:-1] - grid[1:]
        if not torch.allclose(gaps, gaps.mean()):
            raise SolverError(f"torchsde's {method} takes one step size; give evenly spaced times")
        reverse = _ReverseSDE(denoiser, x.shape)
        forward = (grid[0] - grid).tolist()
        flat = x.flatten(1)
        entropy = int(torch.randint(2**62, (), generator=generator, device=generator.device))
        noise = torchsde.BrownianInterval(
            t0=forward[0],
            t1=forward[-1],
            size=flat.shape,
            dtype=x.dtype,
            device=x.device,
            entropy=entropy,
            levy_area_approximation="space-time" if method == "srk" else "none",
        )
        reverse.start = float(grid[0])
        wanted = torch.tensor(forward if callback else [forward[0], forward[-1]], dtype=x.dtype, device=x.device)
        states = torchsde.sdeint(reverse, flat, wanted, bm=noise, method=method, dt=float(gaps.mean()))
        for index, (t, state) in enumerate(zip(grid.tolist()[1:], states[1:]) if callback else ()):
            callback(index, t, state.reshape(x.shape))
        return counted(states[-1].reshape(x.shape), reverse.score.calls)

    return sample


class _ReverseSDE(torch.nn.Module):
    """The reverse-time SDE in torchsde's terms: time s = start - t grows, states are flat, noise is diagonal (and additive)."""

    noise_type = "diagonal"
    sde_type = "ito"

    def __init__(self, denoiser: Denoising, shape: torch.Size) -> None:
        super().__init__()
        self.path, self.shape, self.start = denoiser.path, shape, 1.0
        self.score = Counted(denoiser.score)

    def f(self, s: Tensor, y: Tensor) -> Tensor:
        """Return the drift in s: the sign of the reverse-time drift is flipped."""
        t = as_time(self.start - s, y)
        score = self.score(y.reshape(self.shape), t).flatten(1)
        return -(self.path.drift_coefficient(t) * y - self.path.diffusion_squared(t) * score)

    def g(self, s: Tensor, y: Tensor) -> Tensor:
        """Return the diffusion coefficient, the same for every component."""
        return self.path.diffusion_squared(as_time(self.start - s, y)).sqrt().expand_as(y)


def _check_start(denoiser: Denoising, times: Tensor, what: str) -> None:
    require_continuous(denoiser, what)
    if float(times[0]) > denoiser.path.t_max:
        raise SolverError(
            f"{what} on path {denoiser.path.name!r}: drift and diffusion are infinite at t = {float(times[0]):g}; start at "
            f"t <= {denoiser.path.t_max:g}"
        )
