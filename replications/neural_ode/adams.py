"""SciPy's Adams methods, the paper's solver: Fortran's VODE, and LSODA, which turns to stiff formulas by itself.

Both are implicit multistep methods in float64 on one CPU core. The corrector is iterated without a Jacobian (VODE); LSODA may ask
for its diagonal, by one more evaluation, where it finds the problem stiff: a full one would be larger than memory.
"""

import warnings
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from common.errors import SolverError

ADAMS = ("vode", "lsoda")
STEPS = 20_000  # between two times; SciPy's own limit of 500 is met at tight tolerances
Parts = tuple[Tensor, ...]


@torch.no_grad()
def adams(
    field: Callable[[Tensor, Parts], Parts],
    state: Parts,
    times: Float[Tensor, " times"],
    *,
    method: str,
    rtol: float,
    atol: float,
) -> Parts:
    """Return the states at `times` (either direction); every evaluation is one call of `field`. Not differentiable.

    Raises `SolverError` when the solver gives up.
    """
    from scipy.integrate import ode

    def right_hand_side(t: float, flat: np.ndarray) -> np.ndarray:
        return _flat(field(torch.as_tensor(t, dtype=times.dtype, device=times.device), _parts(flat, state)))

    # LSODA's bands of width 0: a diagonal Jacobian
    options = {"method": "adams"} if method == "vode" else {"lband": 0, "uband": 0}
    solver = ode(right_hand_side).set_integrator(method, rtol=rtol, atol=atol, nsteps=STEPS, **options)
    grid = times.tolist()
    solver.set_initial_value(_flat(state), grid[0])
    found = [state]
    for _, end in pairwise(grid):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what it warns of is the error below
            flat = solver.integrate(end)
        if not solver.successful() or not np.isfinite(flat).all():
            raise SolverError(
                f"{method} at rtol={rtol:g}, atol={atol:g} stopped at t = {solver.t:g} before {end:g}; loosen the tolerance"
            )
        found.append(_parts(flat, state))
    return tuple(torch.stack(parts) for parts in zip(*found))


def _flat(state: Parts) -> np.ndarray:
    return torch.cat([part.reshape(-1).double() for part in state]).cpu().numpy()


def _parts(flat: np.ndarray, like: Parts) -> Parts:
    # a copy: SciPy goes on writing into its own array
    pieces = torch.from_numpy(flat.copy()).split([part.numel() for part in like])
    return tuple(piece.reshape(part.shape).to(part) for piece, part in zip(pieces, like))
