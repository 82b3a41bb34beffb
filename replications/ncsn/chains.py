"""Many Langevin chains of images at once: as published, from uniform noise, through every level, never clipped on the way."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from common.dynamics.answers import Answering, Answers
from common.learning.data.scale import rescaled
from common.runs.experiment import Context
from replications.ncsn.annealed_langevin import annealed_langevin, annealing, uniform_start
from replications.ncsn.networks import Trained

OUT = 1000.0  # ranges of pixels: a chain that has come so far is held there, so that it stays a number; it has diverged


class Chains(NamedTuple):
    """Where chains ended and what was kept on the way, in [-1, 1]; evaluations of each; which of them never diverged."""

    images: Float[Tensor, "n c h w"]
    kept: Float[Tensor, "moments n c h w"]
    nfe: int
    stayed: Bool[Tensor, " n"]

    @property
    def diverged(self) -> float:
        """The share of chains that diverged."""
        return float((~self.stayed).double().mean())


def run_chains(
    network: Trained,
    start: Float[Tensor, "n c h w"],
    *,
    rho: float,
    steps: int,
    generator: Generator,
    levels: Tensor | None = None,
    model: Answers | None = None,
    keep_every: int = 0,
    batch: int = 1000,
    callback: Callable[[int, float, Tensor], Tensor | None] | None = None,
) -> Chains:
    """Run chains from `start`, which is in [0, 1), with `steps` steps of relative size `rho` at each level.

    `levels` are the times of the levels, by default the network's own; `model` may answer in the network's place. States are kept
    after every `keep_every` steps. `callback` is the sampler's.
    """
    model, low_high = model or network.model, network.pixel_range
    times = annealing(network.model.known_times if levels is None else levels, steps)
    limit = OUT * (low_high[1] - low_high[0])
    parts, kept, out = [], [], []
    for part in start.split(batch):
        moments: list[Tensor] = []
        # a chain that comes back from so far, as a wide level's may under a narrow one, has diverged all the same
        held = torch.zeros(len(part), dtype=torch.bool, device=part.device)

        def on_step(number: int, t: float, x: Tensor, moments: list[Tensor] = moments, held: Tensor = held) -> Tensor:
            if callback and (new := callback(number, t, x)) is not None:
                x = new
            held.logical_or_(x.flatten(1).abs().amax(1) >= limit)
            x = x.clamp(-limit, limit)
            if keep_every and (number + 1) % keep_every == 0:
                moments.append(x)
            return x

        found = annealed_langevin(rho)(model, rescaled(part, (0.0, 1.0), low_high), times, generator=generator, callback=on_step)
        parts.append(found.x)
        out.append(held)
        kept.append(torch.stack(moments) if moments else found.x.new_empty(0, *found.x.shape))
    stayed = ~torch.cat(out)
    return Chains(rescaled(torch.cat(parts), low_high), rescaled(torch.cat(kept, 1), low_high), int(found.nfe[0]), stayed)


def starts(n: int, shape: tuple[int, ...], context: Context) -> Float[Tensor, "n c h w"]:
    """Return the uniform noise that all chains of a replicate start from, in [0, 1)."""
    return uniform_start((n, *shape), (0.0, 1.0), generator=context.generator("starts")).to(context.device)


def noise_of_chains(context: Context) -> Generator:
    """Return the generator of the chains' noise; methods that are compared each get a fresh one and so share their noise."""
    return context.generator("chains", device=context.device)


def at_every_level(single: Trained, path_of: Trained) -> Answering:
    """Return a network of one noise level as if it knew all: its prediction of the noise, whatever the level is said to be."""
    only = float(single.model.known_times[0])
    return Answering(path_of.model.path, "noise", lambda x, t: single.model.noise(x, only), path_of.model.known_times)
