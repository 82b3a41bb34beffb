"""Every sampler of the suite by name: what it does with a budget of evaluations on a model, or why it cannot run there.

    sampler              family          evaluations          times (time_grids.py)
    euler_maruyama       reverse SDE     1 a step, + 1        evenly
    torchsde_srk         reverse SDE     4 a step, + 1        evenly
    reverse_diffusion    reverse SDE     1 a step, + 1        evenly
    predictor_corrector  reverse SDE     2 a step, + 1        evenly: reverse diffusion with a Langevin step before each
    ancestral            chain           1 a step, + 1        evenly
    annealed_langevin    Langevin        1 a step, + 1        ladder, geometric in sigma / alpha; its state is x / alpha
    edm_heun_churn       reverse SDE     2 a step, + 1        karras
    ggf                  reverse SDE     by its tolerance     its own, of every sample
    ggf_bridge           reverse SDE     by its tolerance     the same; a rejected step's Brownian path is kept
    ddim                 flow            1 a step, + 1        evenly
    dpm_solver_pp_2m     flow            1 a step, + 1        log_snr
    edm_heun             flow            2 a step, + 1        karras
    euler                flow            1 a step, + 1        evenly
    heun                 flow            2 a step, + 1        evenly
    rk45                 flow            by its tolerance     its own, of the batch

"+ 1" is the last denoising evaluation, which counts; predictors have it in the place of the published last step, which an exact
score near the data sends far away. Solvers of the flow's velocity have none where the model may be asked at
t = 0 (the straight path, or a flow without a path): Euler's last step is that evaluation. No plan takes more than its budget, and
what is too little for another step is left over. Adaptive samplers have a tolerance in the place of a budget.
"""

from collections.abc import Callable
from typing import NamedTuple

from common.dynamics.answers import Answers, Quantity, require
from common.dynamics.samplers.exponential import ancestral, ddim
from common.dynamics.samplers.ode import euler, heun
from common.dynamics.samplers.sde import euler_maruyama, torchsde_solver
from common.errors import SolverError
from replications.score_sde.predictor_corrector import predictor_corrector
from replications.score_sde.predictors import reverse_diffusion
from replications.survey.plans import (
    Choices,
    Plan,
    adaptive_flow,
    adaptive_reverse,
    corrected,
    dpm_solver,
    edm,
    even_steps,
    flow,
    ladder_langevin,
)


class Kind(NamedTuple):
    """How a sampler plans: from (model, budget or tolerance, choices); what it asks, and the fewest evaluations it can do with.

    anywhere: whether it asks between the times that it is given; noisy: whether it draws noise.
    """

    plan: Callable[[Answers, float, Choices], Plan]
    quantity: Quantity
    least: int
    noisy: bool
    anywhere: bool = False


FIXED: dict[str, Kind] = {
    "euler_maruyama": Kind(even_steps(euler_maruyama, 1), "score", 2, noisy=True),
    "torchsde_srk": Kind(even_steps(torchsde_solver("srk"), 4), "score", 5, noisy=True, anywhere=True),
    "reverse_diffusion": Kind(even_steps(predictor_corrector(reverse_diffusion), 1), "score", 2, noisy=True),
    "predictor_corrector": Kind(corrected, "score", 3, noisy=True),
    "ancestral": Kind(even_steps(ancestral, 1, start=1.0), "data", 2, noisy=True),
    "annealed_langevin": Kind(ladder_langevin, "score", 3, noisy=True),
    "edm_heun_churn": Kind(edm(churns=True), "data", 3, noisy=True, anywhere=True),
    "ddim": Kind(even_steps(ddim(), 1, start=1.0), "data", 2, noisy=False),
    "dpm_solver_pp_2m": Kind(dpm_solver, "data", 2, noisy=False),
    "edm_heun": Kind(edm(churns=False), "data", 3, noisy=False),
    "euler": Kind(flow(euler, 1), "velocity", 2, noisy=False),
    "heun": Kind(flow(heun, 2), "velocity", 3, noisy=False),
}
ADAPTIVE: dict[str, Kind] = {
    "ggf": Kind(adaptive_reverse("redrawn"), "score", 3, noisy=True, anywhere=True),
    "ggf_bridge": Kind(adaptive_reverse("bridge"), "score", 3, noisy=True, anywhere=True),
    "rk45": Kind(adaptive_flow, "velocity", 2, noisy=False, anywhere=True),
}
SAMPLERS = {**FIXED, **ADAPTIVE}


def planned(name: str, model: Answers, at: float, choices: Choices) -> Plan:
    """Return the plan of a sampler for a budget of evaluations, or for the tolerance of an adaptive one.

    Raises `UnsupportedModelError` or `SolverError` with the reason if it cannot run on the model, or not with so few.
    """
    kind = SAMPLERS[name]
    require(model, name, kind.quantity, None if kind.anywhere else model.known_times)
    if name in FIXED and at < kind.least:
        raise SolverError(f"{name} takes at least {kind.least} evaluations; it has {at:g}")
    return kind.plan(model, at, choices)
