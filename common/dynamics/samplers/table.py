"""Every sampler that no paper of the suite owns, by name, with what the laws of samplers ask of it."""

from typing import NamedTuple

from common.dynamics.samplers.edm import edm_heun
from common.dynamics.samplers.exponential import ancestral, ddim, dpm_solver_pp_2m
from common.dynamics.samplers.loop import Sampler
from common.dynamics.samplers.ode import euler, heun, torchdiffeq_solver
from common.dynamics.samplers.sde import euler_maruyama, torchsde_solver


class Entry(NamedTuple):
    """A sampler, its evaluations per step, its order as an ODE solver (None: it draws noise), whether it takes streams."""

    sample: Sampler
    stages: int
    order: int | None
    streams: bool = True


SAMPLERS: dict[str, Entry] = {
    "euler": Entry(euler, 1, 1),
    "heun": Entry(heun, 2, 2),
    "midpoint": Entry(torchdiffeq_solver("midpoint"), 2, 2),
    "heun3": Entry(torchdiffeq_solver("heun3"), 3, 3),
    "rk4": Entry(torchdiffeq_solver("rk4"), 4, 4),
    "ddim": Entry(ddim(), 1, 1),
    "dpm_solver_pp_2m": Entry(dpm_solver_pp_2m, 1, 2),
    "edm_heun": Entry(edm_heun(), 2, 2),
    "edm_heun_churn": Entry(edm_heun(churn=20.0), 2, None),
    "ddim_half": Entry(ddim(0.5), 1, None),
    "ancestral": Entry(ancestral, 1, None),
    "euler_maruyama": Entry(euler_maruyama, 1, None),
    "torchsde_euler": Entry(torchsde_solver("euler"), 1, None, streams=False),
    "torchsde_milstein": Entry(torchsde_solver("milstein"), 1, None, streams=False),
    "torchsde_srk": Entry(torchsde_solver("srk"), 4, None, streams=False),
}
