"""The statistics of the published networks, where distances are in Inception's features: FID."""

import pandas as pd

from common.measure.rows import Rows, Statistic, rows
from common.measure.statistics import furthest, paired, ratio

CIFAR10 = rows("published", dataset="cifar10")
MODELS = {"vp": "ddpmpp_vp", "deep_vp": "ddpmpp_deep_vp", "ve": "ncsnpp_ve", "deep_ve": "ncsnpp_deep_ve"}
TOLERANCES = (0.01, 0.02, 0.05, 0.1)


def _fid(model: str) -> Rows:
    return CIFAR10.also(metric="feature_frechet", variant=MODELS[model])


def _solver(model: str, at: float) -> Statistic:
    return _fid(model).also(axis="tolerance", at=at).value("ggf")


def _full(model: str, method: str) -> Statistic:
    return _fid(model).also(axis="").value(method)


vp_fid_001, vp_fid_002, vp_fid_005, vp_fid_01 = (_solver("vp", at) for at in TOLERANCES)
ve_fid_001, ve_fid_002, ve_fid_005, ve_fid_01 = (_solver("ve", at) for at in TOLERANCES)
deep_vp_fid_005 = _solver("deep_vp", 0.05)
deep_ve_fid_002 = _solver("deep_ve", 0.02)
vp_fid_em, ve_fid_em = (_full(model, "euler_maruyama_full") for model in ("vp", "ve"))
vp_fid_pc, ve_fid_pc = (_full(model, "reverse_diffusion_langevin") for model in ("vp", "ve"))
vp_fid_rk45, ve_fid_rk45 = (_full(model, "rk45") for model in ("vp", "ve"))
vp_evaluations_001, ve_evaluations_001 = (
    CIFAR10.also(metric="nfe_max", variant=MODELS[model], axis="tolerance", at=0.01).value("ggf") for model in ("vp", "ve")
)


def deep_over_shallow_evaluations(metrics: pd.DataFrame) -> pd.Series:
    """Evaluations with a deep network over those with a shallow one, by SDE and tolerance: the furthest from 1."""
    costs = CIFAR10.also(metric="nfe_max", axis="tolerance", method="ggf")
    found = {
        (sde, at): ratio(*(costs.also(at=at).per_seed(metrics, {"variant": MODELS[name]}) for name in (f"deep_{sde}", sde)))
        for sde in ("vp", "ve")
        for at in TOLERANCES
    }
    return furthest(paired(found), 1.0)


# Table 2: 256 x 256 pixels; the run is started by hand
CHURCH = rows("published", dataset="lsun_church256", metric="feature_frechet", variant="ncsnpp_256_ve")
church_fid_001 = CHURCH.also(axis="tolerance", at=0.01).value("ggf")
church_over_em = CHURCH.ratio({"method": "ggf", "axis": "tolerance", "at": 0.05}, {"method": "euler_maruyama_full", "axis": ""})
