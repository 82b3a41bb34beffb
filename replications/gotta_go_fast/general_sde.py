"""The adaptive solver for any SDE dx = f(x, t) dt + g(x, t) dw, forward or backward (Jolicoeur-Martineau 2021, Algorithm 2).

Roberts' improved Euler, of strong order 1 for noise that acts on each component by itself; every step has one S = +-1:

    K_1 = h f(x, t) + (dw - S sqrt(h)) g(x, t)      K_2 = h f(x + K_1, t') + (dw + S sqrt(h)) g(x + K_1, t')
    x'' = x + (K_1 + K_2) / 2                       x' = x + h f(x, t) + g(x, t) dw

S = 0 solves the Stratonovich equation. The error is that to Euler-Maruyama: to x + K_1 it would be S sqrt(h) g, however good x''.
"""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.paths import broadcast
from common.dynamics.samplers.noise import Source, draws
from common.dynamics.samplers.result import Samples
from common.errors import SolverError
from replications.gotta_go_fast.adaptive_loop import Problem, solve
from replications.gotta_go_fast.brownian import REMEMBER, Memory, Noise, Remember, kept
from replications.gotta_go_fast.schemes import Field, Scheme, Stage, Trial
from replications.gotta_go_fast.step_size import Control

WHAT = "the adaptive solver of general SDEs"
Calculus = Literal["ito", "stratonovich"]
State = Float[Tensor, "batch *shape"]
Coefficient = Callable[[Tensor, Tensor], Tensor]  # (x [rows, *shape], t [rows]) -> what broadcasts with x


def general_sde(
    drift: Coefficient,
    diffusion: Coefficient,
    control: Control,
    *,
    calculus: Calculus = "ito",
    noise: Noise = "kept",
    first_step: float = 0.01,
    max_iterations: int = 100_000,
) -> Callable[..., Samples]:
    """Return `integrate(x, times, *, generator) -> Samples`, from the first of two times to the last, the earlier one or not.

    Backwards, dw is Brownian motion in the time that runs backwards, and Ito's integral takes g at the later time.
    """
    scheme = roberts(calculus == "ito")

    @torch.no_grad()
    def integrate(x: State, times: Float[Tensor, " points"], *, generator: Source = None) -> Samples:
        start, end = times.double()[[0, -1]].tolist()
        if start == end:
            raise SolverError(f"{WHAT}: start and end are the same time, {start:g}")
        forward = end > start

        def field(state: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
            return drift(state, t) if forward else -drift(state, t), diffusion(state, t)

        problem = Problem(
            WHAT, field, start, end, scheme, control.checked(), with_sign(REMEMBER[noise]), first_step, max_iterations
        )
        # one normal more for each sample, whose sign is S
        return solve(problem, x, draws(x.new_empty(len(x), x[0].numel() + 1), generator, WHAT))

    return integrate


def with_sign(remember: Remember) -> Remember:
    """Return the noise with one number more per sample, whose sign is S and stays through rejections.

    Were it redrawn, the S that makes the smaller error would be accepted more often.
    """

    def both(memory: Memory, fresh: Tensor, since: Tensor, until: Tensor, moved: Tensor) -> tuple[Tensor, Memory]:
        signs, first = kept(memory[:1], fresh[:, -1:], since, until, moved)
        dw, rest = remember(memory[1:], fresh[:, :-1], since, until, moved)
        return torch.cat([dw, signs], 1), (*first, *rest)

    return both


def roberts(ito: bool) -> Scheme:
    """Return the scheme; dw is flat and has one number more, whose sign is S."""

    def scheme(field: Field, first: Stage, x: State, t_next: Tensor, h: Tensor, dw: Float[Tensor, "rows numbers"]) -> Trial:
        size, dw, signs = broadcast(h.to(x), x), dw[:, :-1].reshape(x.shape), dw[:, -1].sign()
        kick = broadcast(signs, x) * size.sqrt() if ito else torch.zeros_like(size)
        f, g = first
        f_ahead, g_ahead = field(x + size * f + (dw - kick) * g, t_next)
        lower = x + size * f + g * dw
        error = 0.5 * (size * (f - f_ahead) + (dw + kick) * (g - g_ahead))
        return Trial(lower - error, lower, error)

    return scheme
