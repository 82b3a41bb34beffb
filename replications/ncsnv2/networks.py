"""Which networks are measured: the suite's shared one, or the paper's RefineNet, with all techniques or without some.

    ncsnv2         techniques 1 to 4: the ladder of the data, a network that is told no level, its output divided by sigma
    ncsnv2_index   techniques 1, 2 and 4: that ladder, a network that is told the level
    ncsn           none of them: ten levels from 1 to 0.01, a network that is told the level

The fifth technique, averaged weights, is a choice among the states that a training keeps: each keeps both. The shared network
sees pixels in [-1, 1], so its levels are twice as wide; what is measured speaks of pixels in [0, 1].
"""

import math
from pathlib import Path
from typing import Literal

from common.learning.models import load_denoiser, read_description
from common.runs.experiment import Context
from replications.ncsn.networks import PIXELS, Trained, levels_of
from replications.ncsnv2.refinenets import Objective, RefineNetV2Settings

Network = Literal["shared", "refinenet_v2"]
LEAST = 0.01  # noise level, for pixels in [0, 1]


def folder_of(context: Context, data: str, objective: Objective, network: Network) -> Path:
    """Return the run folder of a trained network. Raises `RetraceError`, saying how to make it, if it is not there."""
    return context.model(data, objective, backbone=None if network == "shared" else network)


def trained(context: Context, data: str, objective: Objective, network: Network, file: str = "weights.safetensors") -> Trained:
    """Return a trained network, or one of the states that its training kept."""
    folder = folder_of(context, data, objective, network)
    pixels = read_description(folder, [RefineNetV2Settings]).pixel_range or PIXELS["shared"]
    return Trained(load_denoiser(folder, context.device, file, backbones=[RefineNetV2Settings]), pixels)


def ratio_of(network: Trained) -> float:
    """Return the ratio of neighbouring noise levels."""
    levels = levels_of(network).tolist()
    return math.exp(math.log(levels[0] / levels[-1]) / (len(levels) - 1))
