"""Steps of an SDE that come with an estimate of their error (Jolicoeur-Martineau 2021, Algorithm 1 and Appendix).

A field gives drift and diffusion at (x, t) per unit of time in the direction of travel: dx = drift ds + diffusion dw, s growing.
Both schemes ask it twice, at (x, t) and ahead, and their second stage starts from x again, at coefficients of the time ahead.

    improved Euler    x'  = x + h drift(x, t) + g(t) dw                    lower order: Euler-Maruyama
                      x~  = x + h drift(x', t') + g(t') dw                 the same dw
                      x'' = (x' + x~) / 2                                  error x' - x''
    drift alone       m'  = x + h drift(x, t)                              Euler's point, free of noise (Lamba)
                      m'' = x + h (drift(x, t) + drift(m', t')) / 2        error m' - m'', which no noise enters

For a general Ito SDE Roberts' improved Euler adds -S sqrt(h) to the first dw and S sqrt(h) to the second, S = +-1 at random. What
that corrects is g's dependence on x. Where g depends on t alone, Ito's and Stratonovich's solutions are one, and S would only add
noise of mean zero and order h^(3/2): S sqrt(h) (g(t') - g(t)) / 2, and a shift of x'. So S = 0, as in Algorithm 1.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.paths import broadcast

Rows = Float[Tensor, " rows"]
State = Float[Tensor, "rows *shape"]
Stage = tuple[Tensor, Tensor]  # drift, and diffusion that multiplies dw
Field = Callable[[Tensor, Tensor], Stage]  # field(x, t [rows])


class Trial(NamedTuple):
    """A step on trial: where it leads, the value that the relative tolerance looks at, and the error; tensors of its own."""

    kept: State
    compared: State
    error: State


Scheme = Callable[[Field, Stage, Tensor, Tensor, Tensor, Tensor], Trial]  # scheme(field, first stage at (x, t), x, t_next, h, dw)


def improved_euler(extrapolate: bool) -> Scheme:
    """Return the paper's scheme; `extrapolate` goes on with the higher order, otherwise with the lower one."""

    def scheme(field: Field, first: Stage, x: State, t_next: Rows, h: Rows, dw: State) -> Trial:
        lower = _euler_maruyama(x, first, h, dw)
        error = (lower - _euler_maruyama(x, field(lower, t_next), h, dw)).mul_(0.5)
        return _chosen(extrapolate, lower, lower - error, error)

    return scheme


def drift_alone(extrapolate: bool) -> Scheme:
    """Return the scheme whose error is that of the drift, and whose tolerance looks at the mean, as Lamba's.

    Noise is added to whichever of Euler's and Heun's means is gone on with, at g(t).
    """

    def scheme(field: Field, first: Stage, x: State, t_next: Rows, h: Rows, dw: State) -> Trial:
        size = broadcast(h.to(x), x)
        drift, diffusion = first
        euler = x + size * drift
        error = 0.5 * size * (drift - field(euler, t_next)[0])
        mean = euler - error if extrapolate else euler
        return Trial(mean + diffusion * dw, mean, error)

    return scheme


def _euler_maruyama(x: State, stage: Stage, h: Rows, dw: State) -> State:
    drift, diffusion = stage
    return torch.addcmul(x, broadcast(h.to(x), x), drift).addcmul_(diffusion, dw)


def _chosen(extrapolate: bool, lower: State, higher: State, error: State) -> Trial:
    return Trial(higher, lower, error) if extrapolate else Trial(lower, higher, error)
