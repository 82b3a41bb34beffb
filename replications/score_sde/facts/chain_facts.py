"""Samplers as chains: which are the same, how fast two grow alike, which end with the right variance (Song 2021, App. E, H.2).

Rows have the SDE as `dataset`.
"""

from typing import Any

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor

from common.dynamics.ddpm_levels import ddpm_betas, ddpm_path
from common.dynamics.oracles import GaussianMixture
from common.dynamics.paths import GaussianPath, level_times, sub_vp, vp
from common.runs.experiment import Context
from common.runs.folders import row
from common.runs.settings import Settings as Base
from replications.ncsn.annealed_langevin import annealed_langevin as ncsn_sampler
from replications.ncsn.annealed_langevin import annealing
from replications.score_sde.correctors import annealed_langevin
from replications.score_sde.discretisation import Kernels, ddpm, forward_euler
from replications.score_sde.facts.toy_mixture import EPS, ScaleCount, Toy
from replications.score_sde.predictor_corrector import level_scales, predictor_corrector, scales
from replications.score_sde.predictors import Rule, ancestral, ddpm_rule, identity, reverse_diffusion, reverse_diffusion_rule

Row = dict[str, Any]
RULES: dict[str, tuple[Rule, Kernels]] = {
    "euler_maruyama": (reverse_diffusion_rule, forward_euler),
    "reverse_diffusion": (reverse_diffusion_rule, ddpm),
    "ancestral": (ddpm_rule, ddpm),
}
LEVELS, STEPS, SNR = 30, 3, 0.16  # of the chains that should be the same


class ChainSettings(Base):
    """Settings of what is measured of samplers as chains."""

    starts: PositiveInt = Field(description="samples of each chain on the mixture")
    scales: list[ScaleCount] = Field(description="N at which two predictors are compared")
    gaussian_scales: list[ScaleCount] = Field(default=[30, 50, 100, 200, 1000], description="N of the chains on Gaussian data")
    narrowest: PositiveFloat = Field(default=0.1, description="least standard deviation of the Gaussian data")
    widest: PositiveFloat = Field(default=0.5, description="largest standard deviation of the Gaussian data")


def chain_rows(toy: Toy, settings: ChainSettings, context: Context) -> list[Row]:
    """Return all that is measured of samplers as chains."""
    return [
        *same_chain_rows(toy, settings, context),
        *end_point_rows(toy, settings, context),
        *end_variance_rows(settings, context),
    ]


def same_chain_rows(toy: Toy, settings: ChainSettings, context: Context) -> list[Row]:
    """Return how far NCSN's and DDPM's samplers are from the predictors and correctors that they are said to be (Sec. 4.2)."""
    path, levels = toy.paths()["ve"], ddpm_path(LEVELS)
    of_ncsn, of_ddpm = toy.on(path), toy.on(levels)
    unit = torch.randn(settings.starts, toy.means.shape[1], generator=context.generator("starts"), dtype=torch.float64)

    def noise() -> Generator:
        return context.generator("noise")

    corrector_only = predictor_corrector(identity, annealed_langevin(SNR), correctors=STEPS)
    predictor_only = predictor_corrector(ancestral)
    start, steps = path.prior_std * unit, annealing(level_times(path, LEVELS), STEPS)
    gaps = {
        "smld": corrector_only(of_ncsn, start, level_scales(path, LEVELS), generator=noise()).x
        - ncsn_sampler(2 * SNR**2)(of_ncsn, start, steps, generator=noise()).x,
        "ddpm": predictor_only(of_ddpm, unit, level_scales(levels, LEVELS), generator=noise()).x
        - ddpm_sampler(of_ddpm, unit, LEVELS, noise()),
    }
    of = {"smld": "ve", "ddpm": "vp"}
    return [row("same_chain_gap", gap.abs().max(), dataset=of[name], method=name, n=len(unit)) for name, gap in gaps.items()]


def ddpm_sampler(model: GaussianMixture, x: Tensor, count: int, generator: Generator) -> Tensor:
    """Return DDPM's samples as Ho et al. 2020 print them, Algorithm 2 with sigma_t^2 = beta_t."""
    betas = ddpm_betas(count)
    products = (1 - betas).cumprod(0)
    for i in reversed(range(count)):
        noise = model.noise(x, (i + 1) / count)
        x = (x - betas[i] / (1 - products[i]).sqrt() * noise) / (1 - betas[i]).sqrt()
        if i:
            x = x + betas[i].sqrt() * torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return x


def end_point_rows(toy: Toy, settings: ChainSettings, context: Context) -> list[Row]:
    """Return how far ancestral sampling and reverse diffusion end from one another with the same noise, by N (App. E).

    The median over samples: the few whose paths part for different modes say nothing of a step's accuracy.
    """
    rows = []
    for name in ("ve", "vp"):
        path = toy.paths()[name]
        model, shape = toy.on(path), (settings.starts, toy.means.shape[1])
        start = path.prior_sample(shape, generator=context.generator("starts"))
        for count in settings.scales:
            times = scales(path, count, t_min=EPS[name])
            one, other = (
                predictor_corrector(method)(model, start, times, generator=context.generator("noise", count)).x
                for method in (ancestral, reverse_diffusion)
            )
            gap = (one - other).norm(dim=1).median()
            rows.append(row("end_point_gap", gap, dataset=name, axis="scales", at=count, n=len(start)))
    return rows


def end_variance_rows(settings: ChainSettings, context: Context) -> list[Row]:
    """Return the variance at t = eps of each rule's samples of Gaussian data, over the exact one, by N (App. H.2)."""
    drawn = float(torch.rand((), generator=context.generator("spread"), dtype=torch.float64))
    std, rows = settings.narrowest + (settings.widest - settings.narrowest) * drawn, []
    for path in (vp(), sub_vp()):
        for method, (rule, kernels) in RULES.items():
            for count in settings.gaussian_scales:
                ratio = end_variance(path, rule, kernels, std, scales(path, count, t_min=EPS[path.name])[:-1])
                labels = {"dataset": path.name, "method": method, "axis": "scales", "at": count, "unit": "ratio"}
                rows.append(row("end_variance", ratio, **labels))
    return rows


def end_variance(path: GaussianPath, rule: Rule, kernels: Kernels, std: float, times: Tensor) -> float:
    """Return the variance at the last time of a rule's chain on N(0, std^2) with its exact score, over the right one.

    No sampling: the score is linear, so each step scales the variance and adds to it.
    """
    exact = (path.alpha(times) * std).square() + path.sigma(times).square()
    found, variance = kernels(path, times), path.prior_std**2
    for t, wanted in zip(times[:-1].tolist(), exact.tolist()):
        of_x, of_score, noise = rule(found[t])
        variance = (of_x - of_score / wanted) ** 2 * variance + noise**2
    return variance / float(exact[-1])
