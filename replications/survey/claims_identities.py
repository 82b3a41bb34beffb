"""The statistics of what is the same under several names, and at which order the rest converges."""

import pandas as pd

from common.measure.rows import over, rows
from common.measure.statistics import furthest, paired

FACTS = rows("identities")

# Section 2: one regression, one chain, two processes with the same marginals
loss_gap = FACTS.also(metric="loss_gap").value(each=("method", "variant"))
ddpm_order = FACTS.also(metric="order", variant="vp").value("ddpm_gap")
marginal_gap = FACTS.also(metric="marginal_gap", at="largest").value(each=("method", "variant"))
flow_keeps_start = FACTS.also(metric="start_correlation").value("ode", each=("variant",), by="smallest")
sde_keeps_start = FACTS.also(metric="start_correlation").value("sde", each=("variant",))

# Section 3: samplers
ddim_euler_gap = FACTS.also(metric="ddim_euler_gap").value(each=("variant",))
ddim_ancestral_gap = FACTS.also(metric="ddim_ancestral_gap").value()
ORDERS = FACTS.also(metric="order")
FIRST, SECOND = ("euler", "ddim"), ("heun", "edm_heun", "dpm_solver_pp_2m")


def _furthest_order(metrics: pd.DataFrame, solvers: tuple[str, ...], wanted: float) -> pd.Series:
    """Return, of these solvers on all paths, the order that is furthest from the wanted one."""
    found = {(name, *cell.values()): ORDERS.also(method=name, **cell) for name in solvers for cell in _paths(metrics, name)}
    return furthest(paired({str(key): part.per_seed(metrics) for key, part in found.items()}), wanted)


def _paths(metrics: pd.DataFrame, solver: str) -> list[dict[str, object]]:
    return ORDERS.also(method=solver).cells(metrics, ("variant",))


def first_order(metrics: pd.DataFrame) -> pd.Series:
    """Order of Euler's method and of DDIM, the one furthest from 1 over paths."""
    return _furthest_order(metrics, FIRST, 1.0)


def second_order(metrics: pd.DataFrame) -> pd.Series:
    """Order of Heun's method, of EDM's and of DPM-Solver++ 2M, the one furthest from 2 over paths."""
    return _furthest_order(metrics, SECOND, 2.0)


# Section 4: bounds and variances
vlb_gap = FACTS.also(metric="vlb_gap").value(each=("variant",))


def vlb_deviations(metrics: pd.DataFrame) -> pd.Series:
    """Standard deviation of one draw of the bound's integral, largest over smallest path."""
    found = FACTS.also(metric="vlb_deviation")
    by_path = paired({cell["variant"]: found.also(**cell).per_seed(metrics) for cell in found.cells(metrics, ("variant",))})
    return by_path.max(axis=1) / by_path.min(axis=1)


CHAINS = FACTS.also(metric="chain_variance_gap")
analytic_gap = CHAINS.value("analytic", each=("variant", "at"))
CONSTANT = [CHAINS.also(method=name) for name in ("posterior", "forward")]
fixed_gap = over("smallest", *(chain.also(at="smallest").value(each=("variant",), by="smallest") for chain in CONSTANT))


def fixed_gap_more_steps(metrics: pd.DataFrame) -> pd.Series:
    """Error of the end's variance with either fixed variance, at the most steps over the fewest, the largest over paths."""
    cells = [chain.also(**cell) for chain in CONSTANT for cell in chain.cells(metrics, ("variant",))]
    gaps = {str(cell): cell.along(metrics) for cell in cells}
    return paired({name: gap[gap.columns[-1]] / gap[gap.columns[0]] for name, gap in gaps.items()}).max(axis=1)


BOUND = FACTS.also(metric="likelihood_bound_gap")
least_bound_gap = BOUND.value(each=("method", "at"), by="smallest")
WRONG = (-0.2, -0.1, 0.1, 0.2)
loose_bound_gap = over("smallest", *(BOUND.also(at=error).value("scaled_score") for error in WRONG))


def tight_bound_gap(metrics: pd.DataFrame) -> pd.Series:
    """Bound less divergence, without its sign, for the exact score and for other data's: the larger one."""
    exact, other = BOUND.also(at=0.0).per_seed(metrics, "scaled_score"), BOUND.per_seed(metrics, "other_data")
    return paired({"exact": exact, "other": other}).abs().max(axis=1)
