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

On the VE path x grows with sigma, so the network is given x scaled to unit variance, and predicts the noise: the same regression
as sigma^2-weighted score matching, in units that a network can output.
"""

from common.learning.models import ConditioningSettings, ObjectiveSettings, Recipe


def _on(path: str, prediction: str, weight: str = "one", **more: object) -> ObjectiveSettings:
    return ObjectiveSettings.model_validate({"path": path, "prediction": prediction, "weight": weight, **more})


# data in [-1, 1], and densities of that order: the widest distance between two digits is about 13
VE = {"sigma_min": 0.01, "sigma_max": 15.0}
SCALED = {"x": "unit_variance", "data_std": 0.5}
# published as 1 to 0.01 for pixels in [0, 1], which is half as wide as ours
NCSN = {"sigma_min": 0.02, "sigma_max": 2.0}

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
}
