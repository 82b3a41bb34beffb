"""What samplers, objectives and families are called in figures and tables; an objective's colour and a sampler's mark there."""

from typing import Any

from common.measure.figures import BLACK, BLUE, COLOURS, GREY, PURPLE, SKY, VERMILION, WINE, colour
from replications.survey.own_rows import is_own
from replications.survey.samplers import SAMPLERS

NAMES = {
    "data": "data",
    # samplers
    "euler_maruyama": "Euler-Maruyama",
    "torchsde_srk": "torchsde, SRK",
    "reverse_diffusion": "reverse diffusion",
    "predictor_corrector": "predictor-corrector",
    "ancestral": "ancestral",
    "annealed_langevin": "annealed Langevin",
    "edm_heun_churn": "EDM, churn",
    "ggf": "GGF",
    "ggf_bridge": "GGF, bridge",
    "ddim": "DDIM",
    "dpm_solver_pp_2m": "DPM-Solver++ 2M",
    "edm_heun": "EDM, Heun",
    "euler": "Euler",
    "heun": "Heun",
    "rk45": "RK45",
    # objectives
    "fm_ot": "FM, straight",
    "fm_vp": "FM, VP",
    "score_vp": "score, VP",
    "ddpm_vp": "DDPM, VP",
    "scoreflow_vp": "ScoreFlow, VP",
    "score_sub_vp": "score, sub-VP",
    "noise_sub_vp": "noise, sub-VP",
    "score_ve": "score, VE",
    "ladder_ve": "score, VE ladder",
    "ncsn": "NCSN",
    "ncsn_single": "NCSN, one level",
    "ncsnv2": "NCSNv2",
    "ncsnv2_index": "NCSNv2, index",
    # exact models
    "vp": "VP",
    "ve": "VE",
    "sub_vp": "sub-VP",
    "ot": "straight",
    "velocity_only": "straight, velocity alone",
    "empirical_vp": "exact score, VP",
    "empirical_ve": "exact score, VE",
    "empirical_ot": "exact score, straight",
}
# colours beyond those that the suite's methods have
SHADES = {
    "noise_sub_vp": "#117733",
    "score_sub_vp": "#44AA99",
    "ncsnv2": "#AA4499",
    "ncsnv2_index": "#DDAADD",
    "ladder_ve": "#6699CC",
    **dict.fromkeys(("empirical_vp", "empirical_ve", "empirical_ot"), BLACK),
    "vp": COLOURS["ddpm_vp"],
    "ve": COLOURS["score_ve"],
    "sub_vp": "#117733",
    "ot": COLOURS["fm_ot"],
    "velocity_only": "#88AACC",
}
FLOWS, NOISY = "flow", "noise on the way"
# a mark of its own for each, the stars being solvers of the flow
MARKS: dict[str, Any] = {
    "euler_maruyama": "o",
    "torchsde_srk": "P",
    "reverse_diffusion": "X",
    "predictor_corrector": "d",
    "ancestral": "s",
    "annealed_langevin": "v",
    "edm_heun_churn": "p",
    "ggf": "^",
    "ggf_bridge": ">",
    "ddim": "*",
    "dpm_solver_pp_2m": "h",
    "edm_heun": (4, 1, 0),
    "euler": "<",
    "heun": "D",
    "rk45": (8, 1, 0),
}
# lines of a panel with many samplers: those that draw noise are warm, those of the flow cold
WARM = dict(zip((name for name, kind in SAMPLERS.items() if kind.noisy), (VERMILION, "#E69F00", PURPLE, WINE, "#BB5566") * 2))
COLD = dict(
    zip((name for name, kind in SAMPLERS.items() if not kind.noisy), (BLUE, SKY, "#009E73", "#332288", "#44AA99", "#6688AA"))
)
OWN_MARK = "$\u2605$"


def name(key: str) -> str:
    """Return what a sampler, objective or path is called; a user's own as it stands in the rows."""
    return NAMES.get(key) or (key if is_own(key) else key.replace("_", " "))


def shade(objective: str) -> str:
    """Return an objective's colour, the suite's where it has one."""
    return SHADES.get(objective) or colour(objective)


def line_shade(sampler: str) -> str:
    """Return the colour of a sampler where panels are objectives."""
    return {**WARM, **COLD}.get(sampler) or (colour(sampler) if is_own(sampler) else GREY)


def mark(sampler: str) -> Any:
    """Return a sampler's mark, the same in every figure; a user's is a star."""
    return MARKS.get(sampler, OWN_MARK)


def family(sampler: str) -> str:
    """Return whether a sampler draws noise on the way or solves the flow; of a user's nobody knows."""
    return (NOISY if SAMPLERS[sampler].noisy else FLOWS) if sampler in SAMPLERS else "yours"
