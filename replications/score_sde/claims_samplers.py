"""Statistics of samplers on trained models: Tables 1, 4 and 5, Figure 9, appendix G."""

import numpy as np
import pandas as pd

from common.measure.rows import Rows, rows
from common.measure.statistics import paired

SAMPLERS = rows("learned_samplers", dataset="first")
PLAIN, DOUBLED = SAMPLERS.also(metric="frechet_p"), SAMPLERS.also(metric="frechet_p2")
CORRECTED, CORRECTOR = SAMPLERS.also(metric="frechet_pc"), SAMPLERS.also(metric="frechet_c2")
OTHERS = ("ancestral", "reverse_diffusion")
PREDICTORS = (*OTHERS, "probability_flow")
ON_VE, ON_VP = "score_ve", "ddpm_vp"
MODELS = (ON_VE, ON_VP)


def _by_predictor(metrics: pd.DataFrame, kind: Rows, model: str) -> pd.DataFrame:
    """Return the distances of a kind of sampler on a model, seeds x predictors."""
    return paired({name: kind.also(method=model, variant=name).per_seed(metrics) for name in PREDICTORS})


reverse_over_ancestral = PLAIN.ratio({"variant": "reverse_diffusion"}, {"variant": "ancestral"}, each=("method",), by="largest")


def corrector_over_worst(metrics: pd.DataFrame) -> pd.Series:
    """Distance of correctors alone over the largest of the other samplers at their cost: the model where it is least."""
    found = {}
    for model in MODELS:
        others = [_by_predictor(metrics, kind, model).max(axis=1) for kind in (DOUBLED, CORRECTED)]
        found[model] = CORRECTOR.also(method=model).per_seed(metrics) / paired(dict(enumerate(others))).max(axis=1)
    return paired(found).min(axis=1)


def corrected_over_plain(metrics: pd.DataFrame) -> pd.Series:
    """Distance of a predictor with a corrector over that of the predictor alone: the worst predictor and model."""
    ratios = {model: _by_predictor(metrics, CORRECTED, model) / _by_predictor(metrics, PLAIN, model) for model in MODELS}
    return pd.concat(ratios, axis=1).max(axis=1)


def corrected_over_doubled(metrics: pd.DataFrame) -> pd.Series:
    """Distance with a corrector over that of twice as many predictor steps: geometric mean over predictors and models."""
    ratios = {model: _by_predictor(metrics, CORRECTED, model) / _by_predictor(metrics, DOUBLED, model) for model in MODELS}
    return np.exp(np.log(pd.concat(ratios, axis=1)).mean(axis=1))


def flow_over_worst(metrics: pd.DataFrame) -> pd.Series:
    """Distance of probability flow alone over the larger of the other predictors': the VE model."""
    found = _by_predictor(metrics, PLAIN, ON_VE)
    return found["probability_flow"] / found[list(OTHERS)].max(axis=1)


def corrected_flow_over_best(metrics: pd.DataFrame) -> pd.Series:
    """Distance of probability flow with a corrector over the smaller of the other predictors' with one: the VE model."""
    found = _by_predictor(metrics, CORRECTED, ON_VE)
    return found["probability_flow"] / found[list(OTHERS)].min(axis=1)


def divided_over_ends(metrics: pd.DataFrame) -> pd.Series:
    """Least distance where evaluations are shared over the lesser of predictor alone and correctors alone: the worse model."""
    found = {}
    for model in MODELS:
        curve = SAMPLERS.also(metric="frechet_share", method=model).along(metrics)
        found[model] = curve.iloc[:, 1:-1].min(axis=1) / curve.iloc[:, [0, -1]].min(axis=1)
    return paired(found).max(axis=1)


REVERSE = SAMPLERS.also(variant="reverse_diffusion")
denoising_change = REVERSE.also(metric="denoising_change").value(each=("method",), by="largest")


def undenoised_over_denoised(metrics: pd.DataFrame) -> pd.Series:
    """Distance without the last denoising step over that with it, by reverse diffusion: the model where it is least."""
    without, denoised = REVERSE.also(metric="frechet_undenoised"), REVERSE.also(metric="frechet_p")
    return paired({name: without.per_seed(metrics, name) / denoised.per_seed(metrics, name) for name in MODELS}).min(axis=1)


# Tables 1, 4 and 5 on CIFAR-10
CIFAR = rows("learned_samplers", dataset="cifar10")
ve_reverse_alone, ve_reverse_corrected, ve_flow_alone, ve_corrector_alone, vp_flow_corrected, vp_reverse_rounded = (
    CIFAR.also(metric=metric, method=method, variant=variant).value()
    for metric, method, variant in (
        ("frechet_p", ON_VE, "reverse_diffusion"),
        ("frechet_pc", ON_VE, "reverse_diffusion"),
        ("frechet_p", ON_VE, "probability_flow"),
        ("frechet_c2", ON_VE, "corrector_only"),
        ("frechet_pc", ON_VP, "probability_flow"),
        ("frechet_p2_rounded", ON_VP, "reverse_diffusion"),
    )
)
