"""Samples of a trained model as the paper makes them: by the flow, by the reverse SDE, with a corrector (Tables 1 and 2)."""

from typing import NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Answers
from common.dynamics.denoiser import Denoiser
from common.dynamics.paths import GaussianPath, vp
from common.dynamics.samplers.loop import Method, Sampler, Times
from common.learning.models import load_denoiser
from common.runs.experiment import Context
from replications.score_sde.correctors import langevin
from replications.score_sde.predictor_corrector import predictor_corrector, scales, to_clean
from replications.score_sde.predictors import ancestral, euler_maruyama, reverse_diffusion
from replications.score_sde.probability_flow import rk45

# the least time of sampling (App. C): the smallest noise of a VP model is not worth its evaluations
EPS = {"ve": 1e-5, "vp": 1e-3, "sub_vp": 1e-3}


class SamplingSettings(Protocol):
    """What the settings of an experiment must say."""

    batch: int
    tolerance: float
    scales: int
    snr: float


class Drawn(NamedTuple):
    """Samples and the mean number of evaluations for one of them."""

    x: Float[Tensor, "n *shape"]
    nfe: float


def methods(path: GaussianPath, settings: SamplingSettings) -> dict[str, tuple[Sampler, Times]]:
    """Return the samplers of a path with their times: the flow by RK45, the reverse SDE, on the VE path with a corrector too.

    All end with a denoising step.
    """
    flow, grid = torch.tensor([1.0, EPS[path.name]], dtype=torch.float64), scales(path, settings.scales, t_min=EPS[path.name])
    predictor = of_continuous_times(path)
    found = {"ODE": (rk45(settings.tolerance), flow), "SDE": (predictor_corrector(predictor), grid)}
    if path.name == "ve":
        found["PC"] = predictor_corrector(predictor, langevin(settings.snr)), grid
    return found


def of_continuous_times(path: GaussianPath) -> Method:
    """Return the paper's predictor for models of continuous times: reverse diffusion on the VE path, else Euler-Maruyama."""
    return reverse_diffusion if path.name == "ve" else euler_maruyama


class Way(NamedTuple):
    """A sampler with its times, and what it asks: the model, or its network as a model of all times."""

    model: Answers
    sampler: Sampler
    times: Times


def ways(model: Denoiser, settings: SamplingSettings) -> dict[str, Way]:
    """Return the samplers of a trained model: of one of discrete levels over its own levels, however many scales are set.

    DDPM's are sampled by ancestral sampling, SMLD's by reverse diffusion without and with a corrector. The flow of DDPM's network
    is that of the VP path, as in Table 2; SMLD's network cannot be asked between its levels.
    """
    if model.known_times is None:
        return {how: Way(model, *method) for how, method in methods(model.path, settings).items()}
    grid = to_clean(model.known_times)
    if model.path.name == "ddpm":
        whole = at_all_times(model)
        return {"ODE": Way(whole, *methods(whole.path, settings)["ODE"]), "SDE": Way(model, predictor_corrector(ancestral), grid)}
    corrected = predictor_corrector(reverse_diffusion, langevin(settings.snr))
    return {"SDE": Way(model, predictor_corrector(reverse_diffusion), grid), "PC": Way(model, corrected, grid)}


def at_all_times(model: Denoiser) -> Denoiser:
    """Return the model itself if it knows all times, and a network of DDPM's levels as a model on the VP path.

    It is given 999 t, which need not be whole; the authors take the likelihoods of these networks so.
    """
    if model.path.name != "ddpm":
        return model
    return Denoiser(model.backbone, vp(), model.prediction, None, model.conditioning)


def ve_model(data: str, count: int, context: Context) -> tuple[Denoiser, Times]:
    """Return the suite's VE model of a data set, and `count` times at which it is asked."""
    model = load_denoiser(context.model(data, "score_ve"), context.device)
    return model, scales(model.path, count, t_min=EPS["ve"])


def halved(images: Tensor) -> np.ndarray:
    """Return pictures or states as they are kept."""
    return images.half().cpu().numpy()


def samples(
    model: Answers, noise: Float[Tensor, "n *shape"], sampler: Sampler, times: Times, batch: int, context: Context
) -> Drawn:
    """Return samples that start from standard normal `noise`; `batch` of them share their steps, and norms of a corrector.

    The SDE's own noise is the same for every model and sampler of a run.
    """
    generator = context.generator("noise on the way", device=context.device)
    starts = (model.path.prior_std * noise).to(context.device)
    parts = [sampler(model, part, times, generator=generator) for part in starts.split(batch)]
    return Drawn(torch.cat([part.x for part in parts]), float(torch.cat([part.nfe for part in parts]).double().mean()))
