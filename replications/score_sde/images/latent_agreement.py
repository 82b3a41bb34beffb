"""How far two models give the same data the same latents (Song 2021, App. D.5), beside the latents of other data.

The flow of an exact score depends on the data's distribution alone, so that latents are identifiable: models of another size and
seed should agree. A baseline tells how much of that says nothing: a Gaussian of the data's mean and covariance has a flow too.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.paths import GaussianPath

Latents = Float[Tensor, "images *shape"]


class Agreement(NamedTuple):
    """Latents of one image under two models, beside those of two images: at least two images, in random order.

    difference: median |z_A - z_B| over images and dimensions, over the same of different images: 0 agrees, 1 says nothing.
    correlation: of ranks of z_A and z_B over images in one dimension, the median over dimensions; shuffled: the same of different
    images. Ranks, because one image that a flow takes far out would decide a correlation of values.
    """

    difference: float
    correlation: float
    shuffled: float


def agreement(one: Latents, other: Latents) -> Agreement:
    """Return how far the latents of the same images agree. Different images are each image and the next."""
    a, b = one.double().flatten(1), other.double().flatten(1)
    next_one = b.roll(1, 0)
    apart = (a - b).abs().median() / (a - next_one).abs().median()
    return Agreement(float(apart), float(correlations(a, b).median()), float(correlations(a, next_one).median()))


def correlations(a: Float[Tensor, "images dim"], b: Float[Tensor, "images dim"]) -> Float[Tensor, " dim"]:
    """Return Spearman's correlation over images in each dimension."""
    a, b = (part.argsort(0).argsort(0).double() for part in (a, b))
    a, b = a - a.mean(0), b - b.mean(0)
    return (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0))


def gaussian_latents(path: GaussianPath, x: Latents, data: Float[Tensor, "n *shape"], t_min: float) -> Latents:
    """Return the latents of x, points at `t_min`, under the flow of the Gaussian with the mean and covariance of `data`.

    Along an eigenvector of the covariance the flow keeps what is measured in standard deviations of p_t.
    """
    known, points = data.double().flatten(1), x.double().flatten(1)
    mean, (values, vectors) = known.mean(0), torch.linalg.eigh(known.T.cov())
    alpha, sigma = (schedule(torch.tensor([t_min, 1.0], dtype=torch.float64)) for schedule in (path.alpha, path.sigma))
    std = (alpha[:, None].square() * values.clamp(min=0) + sigma[:, None].square()).sqrt()
    along = (points - alpha[0] * mean) @ vectors * (std[1] / std[0])
    return (alpha[1] * mean + along @ vectors.T).reshape(x.shape)
