"""How large each experiment is, by its settings: for the forecast, which needs ratios between levels only. Nothing is trained.

The adaptive solver, its rivals at as many evaluations, and solvers off the shelf all count alike at the same tolerance: how many
evaluations each chooses is known after a run.
"""

from collections.abc import Iterable
from typing import Any

from common.evaluation.size import solve
from common.learning.objective_table import OBJECTIVES
from common.measure.work import Size, evaluations
from replications.score_sde.networks.named_models import MODELS

FLOW = 1e-5  # tolerance of the toy's probability flow
CHOSEN, POWER = 45, 0.5  # evaluations of an adaptive solver, roughly, if its tolerance were 1, and how they grow below it


def chosen(tolerance: float) -> float:
    """Return about how many evaluations an SDE's solver chooses at a tolerance: 64 at 0.5 and 450 at 0.01."""
    return CHOSEN * tolerance**-POWER


def exact_toy(settings: Any) -> Size:
    """On both SDEs all samplers by tolerance, variants and dimensions, shelf where asked for; on VE the largest noises.

    A sample of the mixture counts as often as it has dimensions.
    """
    wide, narrow = settings.samples * settings.dim, settings.few * settings.dim
    variants = len(settings.ablations) * chosen(settings.ablation_tolerance)
    found = Size(0, 0)
    for sde in ("vp", "ve"):
        found += evaluations(settings.full + solve(FLOW) + _by_tolerance(settings.tolerances, sde), wide)
        found += evaluations(variants + (_shelf(settings) if sde in settings.shelf_on else 0), narrow)
        for dim in settings.dimensions:
            found += evaluations(chosen(settings.dimension_tolerance), settings.few * dim)
    by_noise = settings.full + _by_tolerance(settings.sigma_tolerances, "ve")
    return found + evaluations(len(settings.sigma_maxes) * by_noise, wide)


def learned(settings: Any) -> Size:
    """On each model the samplers with all their evaluations, by tolerance, the shelf; of fewer samples variants and states."""
    fewer = min(settings.ablation_samples, settings.samples)
    variants = len(settings.ablations) * chosen(settings.ablation_tolerance)
    # all of the training is a state too, where there are others
    states = (len(settings.states) + 1 if settings.states else 0) * chosen(settings.state_tolerance)
    found = Size(0, 0)
    for name in settings.models:
        steps = settings.full + settings.corrected + solve(settings.flow_tolerance) + _shelf(settings)
        steps += _by_tolerance(settings.tolerances, _sde(name, settings.network))
        found += evaluations(steps, settings.samples, settings.batch) + evaluations(variants + states, fewer, settings.batch)
    return found


def published(settings: Any) -> Size:
    """The same on the published networks."""
    return learned(settings)


def _by_tolerance(tolerances: Iterable[float], sde: str) -> float:
    """Return the evaluations at each tolerance of the adaptive solver, of Euler-Maruyama, and on the VP path of DDIM."""
    return sum(map(chosen, tolerances)) * (3 if sde == "vp" else 2)


def _shelf(settings: Any) -> float:
    """Return the evaluations of the solvers off the shelf, each at its tolerances."""
    return sum(chosen(tolerance) for tolerances in settings.shelf.values() for tolerance in tolerances)


def _sde(name: str, network: str) -> str:
    """Return the path of a model."""
    return OBJECTIVES[name].objective.path if network == "shared" else MODELS[name].sde
