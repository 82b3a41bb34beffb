"""How large an experiment is beside its trainings, by its settings: for the forecast, which needs ratios between levels only."""

from typing import Any

from common.learning.data.celeba import PUBLISHED as CELEBA
from common.learning.data.digits import SIZES as DIGITS
from common.measure.work import Size, evaluations
from replications.ncsn.experiments.objectives import TRAINED
from replications.ncsn.networks import LEVELS

AT_ONCE = 1000  # chains that run together, unless settings say otherwise
LOSSES_AT_ONCE = 500  # images whose losses are taken together
TEST_IMAGES = {"digits": DIGITS["test"], "celeba32": CELEBA["test"], "celeba64": CELEBA["test"]}
OTHER_TEST_IMAGES = 10_000  # of MNIST, Fashion-MNIST and CIFAR-10
# evaluations that a training step takes: 3 by denoising; by the sliced loss 6 with a gradient inside, 6 by forward mode
TIMED = 3 + 6 + 6
UNTIMED = 3  # turns besides the timed ones: is it possible, what does it cost, and to warm up
TRAININGS = {
    "manifold": lambda settings: [settings.train] * 4,  # the circle and the images, each clean and noised
    "objectives": lambda settings: [settings.train] * len(TRAINED),
}


def test_images(data: str) -> int:
    """Return how many test images a data set has."""
    return TEST_IMAGES.get(data, OTHER_TEST_IMAGES)


def manifold(settings: Any) -> Size:
    """The trainings, and hardly anything besides them."""
    return Size(1, 1)


def score_regions(settings: Any) -> Size:
    """The network and the exact score at every point of a grid, once."""
    return evaluations(1, settings.points**2)


def mixture(settings: Any) -> Size:
    """Chains with exact scores of two modes: plain ones, those of each ladder, and plain ones for each weight of the modes."""
    methods = 1 + len(settings.ladders) + len(settings.weights)
    return evaluations(methods * settings.levels * settings.steps, settings.samples)


def train_refinenet(settings: Any) -> Size:
    """The training, and hardly anything besides it."""
    return Size(1, 1)


def objectives(settings: Any) -> Size:
    """The losses of every model on all test images at every level, its samples, and the timed training steps."""
    models = 1 + len(TRAINED) + len(settings.states)
    losses = evaluations(models * LEVELS, test_images(settings.data), LOSSES_AT_ONCE)
    chains = evaluations(models * LEVELS * settings.steps, settings.samples, AT_ONCE)
    return losses + chains + evaluations(TIMED * (settings.timed + UNTIMED), settings.train.batch)


def samples(settings: Any) -> Size:
    """Chains of either network with either sampler, all with as many evaluations, and of the other settings of the sampler."""
    steps = 4 * settings.step.steps + sum(step.steps for step in settings.others)
    return evaluations(LEVELS * steps, settings.samples, settings.batch)


def inpainting(settings: Any) -> Size:
    """Chains of all completions of all images under three masks, all at once."""
    return evaluations(LEVELS * settings.step.steps, 3 * settings.images * settings.completions)
