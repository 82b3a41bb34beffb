"""How large an experiment is beside its trainings, by its settings: for the forecast, which needs ratios between levels only.

Chains with exact scores of n images of D numbers count n D for each sample: what one evaluation of its score grows with. Pairs of
images, and distances of samples, are little beside them and left out.
"""

import math
from typing import Any

from common.learning.data.stand_ins import SHAPES
from common.learning.objective_table import WIDE
from common.measure.work import Size, evaluations
from replications.ncsn.networks import LEVELS as OF_NCSN
from replications.ncsn.sizes import LOSSES_AT_ONCE, test_images
from replications.ncsnv2.experiments.ablation import ARMS
from replications.ncsnv2.experiments.exact_scores import arms
from replications.ncsnv2.experiments.losses import MODELS
from replications.ncsnv2.experiments.resolution import ladders as of_resolution
from replications.ncsnv2.noise_levels import number_of_levels
from replications.ncsnv2.published import NCSN, PUBLISHED

# largest noise level and number of levels, by data set
LADDERS: dict[str, tuple[float, int]] = {**{model.data: (model.sigma_max, model.levels) for model in PUBLISHED}, **WIDE}
LADDERS["lsun_tower128"] = LADDERS["lsun_bedroom128"]
# distances of images over the root of their dimension, roughly; the number of levels grows with their logarithm
WIDEST, MEDIAN = 0.9, 0.35
STARTS = 3  # of the chains with exact scores
CHUNK = 1024  # states whose exact scores are taken together


def train_refinenet(settings: Any) -> Size:
    """The training, and hardly anything besides it."""
    return Size(1, 1)


def ladders(settings: Any) -> Size:
    """Chains at three levels of every published ladder; `numbers` are chains times dimensions."""
    steps = sum(model.steps for model in (NCSN, *PUBLISHED)) * len(settings.steps.dimensions)
    return evaluations(steps, settings.steps.numbers)


def ablation(settings: Any) -> Size:
    """Chains of every arm at every state and at the end, and at the end once more where these are scored."""
    steps = sum(
        OF_NCSN * settings.ncsn.steps if arm.objective == "ncsn" else own_levels(settings) * settings.steps
        for arm in ARMS.values()
    )
    states = evaluations(len({*settings.states, 1.0}) * steps, settings.samples, settings.batch)
    return states + evaluations(steps, settings.scored, settings.batch) if settings.scored else states


def sampler_settings(settings: Any) -> Size:
    """Chains of every number of levels, with about as many evaluations as the network's own ladder, and of every step size."""
    own = own_levels(settings) * settings.steps
    of_levels = sum(count * max(1, round(own / count)) for count in settings.levels)
    of_sizes = (len(settings.sizes) + 1) * own  # one more that is unstable
    return evaluations(of_levels + of_sizes, settings.samples, settings.batch)


def losses(settings: Any) -> Size:
    """The losses of both models at every level on images of both splits."""
    images = min(settings.images, test_images(settings.data))
    return evaluations(len(MODELS) * 2 * own_levels(settings), images, LOSSES_AT_ONCE)


def interpolation(settings: Any) -> Size:
    """Chains of all points of all paths, and of either end alone."""
    steps, points = own_levels(settings) * settings.steps, 2**settings.halvings + 1
    alone = evaluations(steps, settings.pairs, settings.at_once)
    return evaluations(steps, settings.pairs * points, settings.at_once * points) + alone + alone


def exact_scores(settings: Any) -> Size:
    """Chains of every ladder from every start, and those of one budget split into levels and steps from one start."""
    dim = math.prod(SHAPES[settings.data])
    median, widest = MEDIAN * math.sqrt(dim), settings.largest or largest_distance(settings.data, dim)
    sigmas = arms(median, widest, settings).values()
    steps = settings.steps * sum(number_of_levels(sigma, settings.sigma_min, dim, settings.mass) for sigma in sigmas)
    split = sum(levels * (settings.budget // levels) for levels in settings.splits)
    size = evaluations(steps, STARTS * settings.chains, CHUNK) + evaluations(split, settings.chains, CHUNK)
    return Size(size.calls, size.samples * settings.centres * dim)


def resolution(settings: Any) -> Size:
    """Chains of both ladders at every resolution."""
    channels, height, _ = SHAPES[settings.data]
    size = Size(0, 0)
    for side in settings.sides:
        dim = channels * side**2
        widest = largest_distance(settings.data, channels * height**2) * side / height
        steps = sum(ladder.nfe for ladder in of_resolution(widest, dim, settings).values())
        here = evaluations(steps, settings.chains, CHUNK)
        size += Size(here.calls, here.samples * settings.centres * dim)
    return size


def own_levels(settings: Any) -> int:
    """Return the number of levels of a data set's ladder."""
    return LADDERS[settings.data][1]


def largest_distance(data: str, dim: int) -> float:
    """Return about the largest distance between two images, with pixels in [0, 1]."""
    return LADDERS[data][0] if data in LADDERS else WIDEST * math.sqrt(dim)
