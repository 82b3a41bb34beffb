"""The published ladders against techniques 2 and 4, by their formulas, without any chance.

Rows have whose settings they are as `variant`, and as method whether these were published or follow from the techniques:

    levels, shell_mass     of the ladders; the techniques' at the mass that the published ladders of the paper have
    levels_needed          from sigma_1 = 1000 sigma_L at that mass, before rounding, along the dimension
    step_size              eps; the techniques' for the published ladder and number of steps
    final_variance         s_T^2 / sigma_i^2 that it reaches
    evaluations            of the network for one sample, T L
"""

from typing import Any

from common.runs.folders import row
from replications.ncsnv2.noise_levels import levels_needed, number_of_levels, ratio_of_levels, shell_mass
from replications.ncsnv2.published import NCSN, PUBLISHED, Published
from replications.ncsnv2.step_size import best_step_size, variance_ratio

DIMENSIONS = (64, 196, 784, 3072, 12288, 49152, 196608)
RANGE = 1000.0  # sigma_1 / sigma_L


def ladder_rows() -> list[dict[str, Any]]:
    """Return what techniques 2 and 4 give for each published model beside what was published."""
    needed = [
        row("levels_needed", levels_needed(RANGE, 1.0, ratio_of_levels(dim)), axis="dimension", at=dim) for dim in DIMENSIONS
    ]
    return [*needed, *(each for model in (NCSN, *PUBLISHED) for each in model_rows(model))]


def model_rows(model: Published) -> list[dict[str, Any]]:
    """Return the rows of one published model."""
    here = {"dataset": model.data, "variant": model.paper}
    best = best_step_size(model.ratio, model.steps, model.sigma_min)
    rule = number_of_levels(model.sigma_max, model.sigma_min, model.dim)
    return [
        row("levels", model.levels, method="published", **here),
        row("levels", rule, method="techniques", **here),
        row("shell_mass", shell_mass(model.dim, model.ratio), method="published", **here),
        row("step_size", model.eps, method="published", **here),
        row("step_size", best.eps, method="techniques", **here),
        row("final_variance", variance_ratio(model.ratio, model.rho, model.steps), method="published", **here),
        row("final_variance", best.variance_ratio, method="techniques", **here),
        row("evaluations", model.evaluations, method="published", nfe=model.evaluations, **here),
    ]
