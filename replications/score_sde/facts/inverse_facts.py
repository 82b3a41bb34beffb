"""Samples given a linear measurement against the exact posterior of Gaussian data (Song 2021, App. I.4).

Rows have the SDE as `dataset`. Data are N(mean, spread^2 I), of which half as many numbers as they have are measured with noise.
"""

from typing import Any

import torch
from pydantic import Field, PositiveFloat, PositiveInt

from common.dynamics.answers import Guided
from common.dynamics.oracles import gaussian
from common.dynamics.paths import sub_vp, ve, vp
from common.runs.experiment import Context
from common.runs.folders import row
from common.runs.settings import Settings as Base
from replications.score_sde.facts.toy_mixture import EPS, SIGMA_MIN
from replications.score_sde.inverse_problems import measurement_gradient
from replications.score_sde.predictor_corrector import predictor_corrector, scales
from replications.score_sde.predictors import euler_maruyama

WIDEST = 5.0  # noise of the VE path, well above the data


class InverseSettings(Base):
    """Settings of the measurement."""

    dimensions: PositiveInt = Field(default=4, ge=2, description="of the data")
    spread: PositiveFloat = Field(default=0.5, description="standard deviation of the data")
    noise: PositiveFloat = Field(default=0.2, description="standard deviation of a measurement")
    samples: PositiveInt = Field(description="samples given one measurement")
    steps: PositiveInt = Field(description="Euler-Maruyama steps of the reverse SDE")


def inverse_rows(settings: InverseSettings, context: Context) -> list[dict[str, Any]]:
    """Return how far along from the data's mean to the posterior's the samples' mean is, and their variance over the posterior's.

    Both where the posterior is narrower than the data: in the directions that are measured.
    """
    dim, generator = settings.dimensions, context.generator("measurement")
    mean = settings.spread * torch.randn(dim, generator=generator, dtype=torch.float64)
    matrix = torch.randn(dim // 2, dim, generator=generator, dtype=torch.float64)
    x = mean + settings.spread * torch.randn(dim, generator=generator, dtype=torch.float64)
    y = matrix @ x + settings.noise * torch.randn(dim // 2, generator=generator, dtype=torch.float64)
    precision = torch.eye(dim, dtype=torch.float64) / settings.spread**2 + matrix.T @ matrix / settings.noise**2
    covariance = torch.linalg.inv(precision)
    way = covariance @ matrix.T @ (y - matrix @ mean) / settings.noise**2
    measured = torch.linalg.svd(matrix, full_matrices=False).Vh
    rows = []
    for path in (ve(SIGMA_MIN, WIDEST), vp(), sub_vp()):
        given = y.expand(settings.samples, dim // 2)
        gradient = measurement_gradient(path, matrix, given, settings.noise, generator=context.generator("diffusion"))
        prior = path.prior_sample((settings.samples, dim), generator=context.generator("prior")).double()
        found = predictor_corrector(euler_maruyama)(
            Guided(gaussian(path, mean, settings.spread), gradient),
            prior,
            scales(path, settings.steps, t_min=EPS[path.name]),
            generator=context.generator("noise"),
        ).x
        along = float((found.mean(0) - mean) @ way / way.square().sum())
        variances = [(found @ measured.T).var(0).sum(), torch.einsum("kd,de,ke->", measured, covariance, measured)]
        more = {"dataset": path.name, "nfe": settings.steps, "n": settings.samples}
        rows.append(row("share_of_way", along, unit="share", **more))
        rows.append(row("posterior_variance_ratio", float(variances[0] / variances[1]), unit="ratio", **more))
    return rows
