"""The statistics of samplers by their evaluations, with exact scores and with trained models."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from common.measure.rows import Rows, Statistic, Values, over, reduced, rows
from common.measure.statistics import paired, ratio

EXACT = rows("exact", dataset="mixture_2d", metric="mmd", axis="nfe")
LEARNED = rows("learned", dataset="first", metric="feature_frechet", axis="nfe")
PATHS = ("vp", "ve", "ot")
TRAINED = ("ddpm_vp", "noise_sub_vp", "score_ve", "fm_ot")  # one model of all times on each path
FLOWS = ("ddim", "dpm_solver_pp_2m", "edm_heun", "euler", "heun")
NOISY = ("euler_maruyama", "ancestral", "edm_heun_churn")  # that run with few evaluations on every path
FEW = (10.0, 20.0)


def _on(found: Rows, variants: Iterable[str], budgets: Iterable[float]) -> list[Rows]:
    return [found.also(variant=variant, at=nfe) for variant in variants for nfe in budgets]


# Section 3: the flow is for few evaluations, noise for many
exact_flow_over_sde = over("geometric_mean", *(each.ratio(FLOWS, NOISY) for each in _on(EXACT, PATHS, FEW)))
learned_flow_over_sde_at_10, learned_flow_over_sde_at_50 = (
    over("geometric_mean", *(each.ratio(FLOWS, NOISY) for each in _on(LEARNED, TRAINED, [nfe]))) for nfe in (10.0, 50.0)
)


def lead_shrinks(metrics: pd.DataFrame) -> pd.Series:
    """Best sampler with noise over best of the flow, at 50 evaluations over the same at 10, geometric mean over models."""
    few, many = (lead(metrics)["value"] for lead in (learned_flow_over_sde_at_10, learned_flow_over_sde_at_50))
    return ratio(few, many)


def learned_sde_many_over_flow(metrics: pd.DataFrame) -> Values:
    """Best sampler with noise at 1000 evaluations over best of the flow at 100: geometric mean over trained models."""
    return reduced({name: _many(metrics, LEARNED.also(variant=name)) for name in TRAINED}, "geometric_mean")


def _many(metrics: pd.DataFrame, found: Rows) -> pd.Series:
    many = found.also(at=1000.0).per_seed(metrics, ("euler_maruyama", "predictor_corrector", "ancestral"))
    return ratio(many, found.also(at=100.0).per_seed(metrics, FLOWS))


# Section 3.1.2: solvers of high order
DDPM = LEARNED.also(variant="ddpm_vp")
QUICK = {"method": "dpm_solver_pp_2m", "at": 20.0}
quick_over_chain_exact = EXACT.also(variant="vp").ratio(QUICK, {"method": "ancestral", "at": 100.0})
quick_over_chain_learned = DDPM.ratio(QUICK, {"method": "ancestral", "at": 100.0})
quick_over_itself = DDPM.ratio(QUICK, {"method": "dpm_solver_pp_2m", "at": 50.0})


# Section 3.1.1: a corrector
def _corrected(found: Rows, predictor: str, variants: Iterable[str], steps: Iterable[float]) -> Statistic:
    """Return errors with a Langevin step per predictor step over those without, at twice the evaluations."""
    pairs = [({"method": "predictor_corrector", "at": 2 * nfe}, {"method": predictor, "at": nfe}) for nfe in steps]
    return over("geometric_mean", *(found.also(variant=name).ratio(*pair) for name in variants for pair in pairs))


# not on VP, where DDPM's steps, of which the corrector's are a share, are too large for so few
SMOOTH, UNCORRECTED = ("ve", "ot"), (5.0, 10.0)
corrector_per_step_exact = _corrected(EXACT, "reverse_diffusion", SMOOTH, UNCORRECTED)
corrector_per_step_learned = _corrected(LEARNED, "euler_maruyama", ("noise_sub_vp", "score_ve", "fm_ot"), UNCORRECTED)
corrector_per_evaluation = over(
    "largest", *(each.ratio("predictor_corrector", "reverse_diffusion") for each in _on(EXACT, SMOOTH, FEW))
)


# all of Section 3: errors by evaluations
def _by_evaluations(metrics: pd.DataFrame, found: Rows, variants: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Return seeds x evaluations for each sampler and model that has two or more."""
    mine = found.table(metrics)
    cells = found.cells(mine[mine["status"] == "ok"], ("method", "variant"))
    curves = {str(cell): found.also(**cell).along(mine) for cell in cells if cell["variant"] in variants}
    return {name: curve for name, curve in curves.items() if curve.shape[1] > 1}


REACHED = 2.0  # so many times its floor is a distance that has reached it


def _gain(metrics: pd.DataFrame, found: Rows, variants: Iterable[str]) -> pd.Series:
    """Return the last error over the first one, or over what counts as the floor where the first is below: the largest curve."""
    curves = _by_evaluations(metrics, found, variants)
    floors = _by_evaluations(metrics.assign(value=metrics["floor"]), found, variants)
    starts = {name: np.maximum(curve.iloc[:, 0], REACHED * floors[name].iloc[:, 0]) for name, curve in curves.items()}
    return paired({name: ratio(curve.iloc[:, -1], starts[name]) for name, curve in curves.items()}).max(axis=1)


def exact_gain(metrics: pd.DataFrame) -> pd.Series:
    """MMD at the most evaluations over that at the fewest, or twice the floor, exact scores: largest over samplers and paths."""
    return _gain(metrics, EXACT, PATHS)


def learned_gain(metrics: pd.DataFrame) -> pd.Series:
    """Fréchet distance at the most evaluations over that at the fewest, or twice the floor: largest over samplers and models."""
    return _gain(metrics, LEARNED, TRAINED)


def learned_rise(metrics: pd.DataFrame) -> pd.Series:
    """Fréchet distance with the most evaluations over the least of a sampler: largest over samplers and models of all times."""
    curves = _by_evaluations(metrics, LEARNED, TRAINED)
    return paired({name: curve.iloc[:, -1] / curve.min(axis=1) for name, curve in curves.items()}).max(axis=1)


def exact_over_floor(metrics: pd.DataFrame) -> pd.Series:
    """MMD of the flow's solvers of order 2 at 100 evaluations over its floor, the largest over paths."""
    floors, second = metrics.assign(value=metrics["floor"]), ("dpm_solver_pp_2m", "edm_heun", "heun")
    cells = [each.also(method=name) for each in _on(EXACT, PATHS, [100.0]) for name in second]
    return paired({str(each): ratio(each.per_seed(metrics), each.per_seed(floors)) for each in cells}).max(axis=1)


network_over_exact = LEARNED.also(at=50.0, method="dpm_solver_pp_2m").ratio({"variant": "ddpm_vp"}, {"variant": "empirical_vp"})


# Section 6: normalising flows
def path_difference(metrics: pd.DataFrame) -> pd.Series:
    """Difference of the MMD of a velocity alone and of the same with its path, without its sign: the largest cell."""
    found = EXACT.also(variant="velocity_only")
    cells = found.cells(metrics[metrics["status"] == "ok"], ("method", "at"))
    both = {str(cell): [EXACT.also(variant=name, **cell).per_seed(metrics) for name in ("velocity_only", "ot")] for cell in cells}
    return paired({name: (alone - known).abs() for name, (alone, known) in both.items()}).max(axis=1)
