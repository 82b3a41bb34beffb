"""Step-size control: the mixed tolerance, the scaled error, the next step (Jolicoeur-Martineau 2021, Algorithm 1).

With E the difference of two orders, all that follows being by component and per sample:

    delta = max(atol, rtol max(|compared|, |previous|))        E_2 = sqrt(mean (E / delta)^2)      h <- safety h E_2^(-power)

`compared` is the one of the two that is not gone on with: the lower order where steps are extrapolated. E_2 is the root mean
square over components, not the plain norm, so one tolerance serves any number of them.
"""

import math
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from common.errors import SolverError

Norm = Literal["rms", "max"]
Previous = Literal["compared", "state", "none"]


class Control(NamedTuple):
    """What decides on steps.

    rtol, atol: tolerances per component; atol in units of the state, for images one of 256 grey levels. safety, power: of the
    next step. norm: the root mean square over components, or their maximum. previous: what else than the step's own value the
    relative tolerance looks at, so that a component which passes through zero is not held to atol there: the value compared in
    the last accepted step ("compared", Algorithm 1), the state that the step starts from ("state", which the authors' JAX code
    comes to, its loop putting the state in the place of the other), or nothing.
    """

    rtol: float
    atol: float
    safety: float = 0.9
    power: float = 0.9
    norm: Norm = "rms"
    previous: Previous = "compared"

    def checked(self) -> "Control":
        """Return it. Raises `SolverError` for an impossible value."""
        for name in ("atol", "safety", "power"):
            if not getattr(self, name) > 0:
                raise SolverError(f"{name} must be above 0; got {getattr(self, name):g}")
        if not self.rtol >= 0:
            raise SolverError(f"rtol must not be negative; got {self.rtol:g}")
        for name, known in (("norm", get_args(Norm)), ("previous", get_args(Previous))):
            if getattr(self, name) not in known:
                raise SolverError(f"no {name} {getattr(self, name)!r}; choose one of {', '.join(known)}")
        return self


def tolerance(
    control: Control,
    compared: Float[Tensor, "rows *shape"],
    previous: Float[Tensor, "rows *shape"],
    state: Float[Tensor, "rows *shape"],
) -> Float[Tensor, "rows *shape"]:
    """Return delta, the error that each component may have."""
    size = compared.abs()
    if control.previous != "none":
        torch.maximum(size, (previous if control.previous == "compared" else state).abs(), out=size)
    return size.mul_(control.rtol).clamp_(min=control.atol)


def scaled_error(control: Control, error: Float[Tensor, "rows *shape"], delta: Tensor) -> Float[Tensor, " rows"]:
    """Return each sample's error in units of its tolerance, in float64: a step is accepted up to 1."""
    scaled = (error / delta).flatten(1)
    if control.norm == "max":
        return scaled.abs().amax(1).double()
    return torch.linalg.vector_norm(scaled, dim=1).double() / math.sqrt(scaled.shape[1])


def next_step(
    control: Control, h: Float[Tensor, " rows"], scaled: Float[Tensor, " rows"], remaining: Float[Tensor, " rows"], near: float
) -> Float[Tensor, " rows"]:
    """Return the next steps, never longer than what remains, and all of it where less than `near` would be left.

    Where there is no error the step proposed is infinite, and what remains is taken.
    """
    proposed = control.safety * h * scaled**-control.power
    return torch.where(proposed >= remaining - near, remaining, proposed)
