"""NCSNv2's sampler: annealed Langevin dynamics from uniform noise, T steps at each level of technique 4's size, never clipped on
the way, and at the end, once, the mean of the data given the sample (Tweedie):

    x <- x + sigma_L^2 s(x, sigma_L)
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from common.dynamics.answers import Answering, Answers
from common.learning.data.scale import rescaled
from replications.ncsn.chains import Chains, run_chains
from replications.ncsn.networks import Trained
from replications.ncsn.sampler_step import Step
from replications.ncsnv2.networks import LEAST, ratio_of
from replications.ncsnv2.step_size import best_step_size

Images = Float[Tensor, "n c h w"]


class Sampled(NamedTuple):
    """Samples in [-1, 1] as the chains left them, and after the last denoising step; evaluations of each without that step."""

    noisy: Images
    denoised: Images
    nfe: int
    diverged: float  # share of the chains

    @property
    def either(self) -> dict[str, tuple[Images, int]]:
        """Return both, what they are called, with the evaluations of each."""
        return {"not denoised": (self.noisy, self.nfe), "denoised": (self.denoised, self.nfe + 1)}


def chosen_step(network: Trained, steps: int) -> Step:
    """Return the sampler's settings by technique 4, from the ratio of the network's levels."""
    return Step(steps=steps, rho=best_step_size(ratio_of(network), steps, LEAST).rho)


def samples(
    network: Trained,
    start: Images,
    step: Step,
    *,
    generator: Generator,
    levels: Tensor | None = None,
    model: Answers | None = None,
    batch: int = 1000,
) -> Sampled:
    """Return samples from chains that begin at `start`, which is in [0, 1).

    `levels` are the times of the levels, by default the network's own; `model` may answer in the network's place.
    """
    more = {"generator": generator, "levels": levels, "model": model, "batch": batch}
    chains = run_chains(network, start, rho=step.rho, steps=step.steps, **more)
    last = float((network.model.known_times if levels is None else levels)[-1])
    clean = denoised(model or network.model, chains, network.pixel_range, last, batch)
    return Sampled(chains.images.clamp(-1, 1), clean.clamp(-1, 1), chains.nfe, chains.diverged)


def denoised(model: Answers, chains: Chains, pixel_range: tuple[float, float], last: float, batch: int) -> Images:
    """Return E[x_0 | x] at the last level, in [-1, 1]."""
    x = rescaled(chains.images, (-1.0, 1.0), pixel_range)
    with torch.no_grad():
        return rescaled(torch.cat([model.denoised(part, last) for part in x.split(batch)]), pixel_range)


def at_any_level(network: Trained) -> Answering:
    """Return a network that is told no level as what it is: one that answers at every level, h(x) / sigma (technique 3)."""
    known = float(network.model.known_times[0])
    return Answering(network.model.path, "noise", lambda x, t: network.model.noise(x, known))
