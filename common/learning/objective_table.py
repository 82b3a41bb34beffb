"""The objectives that the suite trains, once for all papers: what each is, in one table.

All of one (data, seed) start from the same weights and see the same batches, times and noise: what differs is the objective.

    fm_ot          flow matching on the optimal-transport path (Lipman 2022, eq. 23)
    fm_vp          flow matching on the variance-preserving path (Lipman 2022, eq. 19)
    score_vp       denoising score matching weighted by sigma^2 (Song 2021, eq. 7)
    ddpm_vp        noise matching, DDPM's simple loss (Ho 2020, eq. 14)
    scoreflow_vp   score matching weighted by g^2, a bound on the likelihood (Song, Durkan et al. 2021)
    score_sub_vp   denoising score matching on the sub-VP path
    noise_sub_vp   noise matching on the sub-VP path
    score_ve       denoising score matching on the variance-exploding path, the network being given log sigma
    ladder_ve      the same at a ladder of 20 noise levels alone, the network being given the level's index
    ncsn           the same at NCSN's own ladder: ten, from the width of the pixels' range to a hundredth (Song & Ermon 2019)
    ncsn_single    the same at the least of NCSN's levels alone, the paper's baseline
    ncsnv2         the same at the ladder of NCSNv2's techniques, which depends on the data; the network is told no level
    ncsnv2_index   the same at that ladder, the network being given the level's index

On the VE path x grows with sigma, so the network is given x scaled to unit variance (NCSNv2's, which is to find the level in x,
over its own scale), and predicts the noise: the same regression as sigma^2-weighted score matching, in units that a network can
output.
"""

from common.errors import SettingsError
from common.learning.models import ConditioningSettings, ObjectiveSettings, Recipe
from common.runs.settings import hint


def _on(path: str, prediction: str, weight: str = "one", **more: object) -> ObjectiveSettings:
    return ObjectiveSettings.model_validate({"path": path, "prediction": prediction, "weight": weight, **more})


# data in [-1, 1], and densities of that order: the widest distance between two digits is about 13
VE = {"sigma_min": 0.01, "sigma_max": 15.0}
SCALED = {"x": "unit_variance", "data_std": 0.5}
# published as 1 to 0.01 for pixels in [0, 1], which is half as wide as ours
NCSN = {"sigma_min": 0.02, "sigma_max": 2.0}
# NCSNv2's ladder for pixels in [0, 1]: widest distance between two training images, rounded, and how many levels go down to 0.01;
# `python -m replications.ncsnv2 recommend --data digits` computes both
WIDE = {"digits": (4.5, 21), "fashion_mnist": (22.0, 104), "cifar10": (50.0, 232)}


def _wide(data: str, time: str) -> Recipe:
    sigma_max, levels = WIDE[data]
    objective = _on("ve", "noise", path_options={"sigma_min": 0.02, "sigma_max": 2 * sigma_max}, noise_levels=levels)
    # scaled to unit variance x would tell the level, and wrongly where a chain lags behind it; its own scale is in x itself
    return Recipe(objective=objective, conditioning=ConditioningSettings.model_validate({"x": "own_scale", "t": time}))


# objectives whose noise levels depend on the data, and what their network is given for the time
LADDERED = {"ncsnv2": "log_own_scale", "ncsnv2_index": "index"}

OBJECTIVES: dict[str, Recipe] = {
    "fm_ot": Recipe(objective=_on("ot", "velocity")),
    "fm_vp": Recipe(objective=_on("vp", "velocity")),
    "score_vp": Recipe(objective=_on("vp", "score", "sigma_squared")),
    "ddpm_vp": Recipe(objective=_on("vp", "noise")),
    "scoreflow_vp": Recipe(objective=_on("vp", "score", "diffusion_squared")),
    "score_sub_vp": Recipe(objective=_on("sub_vp", "score", "sigma_squared")),
    "noise_sub_vp": Recipe(objective=_on("sub_vp", "noise")),
    "score_ve": Recipe(
        objective=_on("ve", "noise", path_options=VE),
        conditioning=ConditioningSettings.model_validate({**SCALED, "t": "log_sigma"}),
    ),
    "ladder_ve": Recipe(
        objective=_on("ve", "noise", path_options=VE, noise_levels=20),
        conditioning=ConditioningSettings.model_validate({**SCALED, "t": "index"}),
    ),
    "ncsn": Recipe(
        objective=_on("ve", "noise", path_options=NCSN, noise_levels=10),
        conditioning=ConditioningSettings.model_validate({**SCALED, "t": "index"}),
    ),
    # one level is a ladder that begins where it ends
    "ncsn_single": Recipe(
        objective=_on("ve", "noise", path_options={"sigma_min": 0.02, "sigma_max": 0.02}, noise_levels=1),
        conditioning=ConditioningSettings.model_validate({**SCALED, "t": "none"}),
    ),
    **{name: _wide("cifar10", time) for name, time in LADDERED.items()},
}


def recipe_for(objective: str, data: str) -> Recipe:
    """Return what an objective is on a data set.

    Raises `SettingsError` where its noise levels depend on the data and nobody has chosen them for these.
    """
    if objective not in LADDERED:
        return OBJECTIVES[objective]
    if data not in WIDE:
        raise SettingsError(
            f"objective: {objective} has a ladder of noise levels of its own for each data set, and none for {data!r}"
            f"{hint(data, WIDE)}; `python -m replications.ncsnv2 recommend --data {data}` computes it for "
            "common/learning/objective_table.py"
        )
    return _wide(data, LADDERED[objective])
