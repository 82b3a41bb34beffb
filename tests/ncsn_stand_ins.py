"""Networks of noise levels whose answers are known by hand, in either range of pixels."""

import torch

from common.dynamics.answers import Answering
from common.dynamics.oracles import gaussian
from common.dynamics.paths import level_times, ve
from common.learning.data.scale import rescaled
from replications.ncsn.networks import Trained

F64, SHAPE = torch.float64, (1, 4, 4)
RANGES = {"half": (0.0, 1.0), "unit": (-1.0, 1.0)}
MEAN, STD = torch.linspace(-0.5, 0.5, 16, dtype=F64), 0.3  # of images in [-1, 1]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=0):
    """Return standard normals in float64."""
    return torch.randn(*shape, generator=generator(seed), dtype=F64)


def level_network(pixel_range, levels=3, score=None):
    """Return what is exact for images of independent Gaussian pixels, or any score(x, t), at levels of 1 to 0.01 of the range."""
    width = pixel_range[1] - pixel_range[0]
    path = ve(0.01 * width, width)
    oracle = gaussian(path, rescaled(MEAN, (-1.0, 1.0), pixel_range), STD * width / 2)

    def exact(x, t):
        return oracle.score(x.flatten(1), t).reshape(x.shape)

    return Trained(Answering(path, "score", score or exact, level_times(path, levels)), pixel_range)
