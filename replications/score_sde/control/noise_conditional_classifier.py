"""A classifier of noisy images that is told how noisy they are (Song 2021, Sec. 5, App. I.1): log p_t(class | x(t)).

It is trained by cross-entropy on x(t) at random times of a path. Its gradient in x, added to the score of an unconditional model,
makes samples of a class; `conditional.class_gradient` takes it.
"""

from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, PositiveInt, field_validator
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from common.dynamics.answers import Time, as_time
from common.dynamics.paths import GaussianPath, broadcast
from common.errors import RetraceError
from common.learning.data import catalogue
from common.learning.data.batches import EpochSampler
from common.learning.data.scale import to_unit
from common.learning.data.split import ImageSplit
from common.learning.nets.build import seeded
from common.learning.nets.mlp import ResidualMLP
from common.learning.objectives import draw_times
from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.runs import distributed
from common.runs.experiment import Context
from common.runs.settings import Settings
from replications.score_sde.control.wide_resnet import WideResNet

DATA_STD = 0.5  # of images in [-1, 1], as the suite's VE models assume


class MLPClassifier(nn.Module):
    """The suite's residual perceptron and a linear layer to the classes, for small images."""

    def __init__(self, shape: tuple[int, ...], classes: int, *, width: int, blocks: int) -> None:
        super().__init__()
        self.body = ResidualMLP(shape, width, blocks)
        self.classify = nn.Linear(torch.Size(shape).numel(), classes)

    def forward(self, x: Float[Tensor, "n *shape"], log_sigma: Float[Tensor, " times"]) -> Float[Tensor, "n classes"]:
        """Return the logits; log_sigma is each image's, or [1], that of all."""
        return self.classify(self.body(x, log_sigma).flatten(1))


class MLPClassifierSettings(Settings):
    """A residual perceptron."""

    kind: Literal["mlp"] = Field(default="mlp", description="kind of network")
    width: PositiveInt = Field(description="units per layer")
    blocks: PositiveInt = Field(description="residual blocks of two layers")

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return an untrained network."""
        return MLPClassifier(shape, classes, width=self.width, blocks=self.blocks)


class WideResNetSettings(Settings):
    """A wide residual network."""

    kind: Literal["wide_resnet"] = Field(default="wide_resnet", description="kind of network")
    depth: PositiveInt = Field(default=28, description="convolutions: 6 n + 4, with n blocks in each of three groups")
    width: PositiveInt = Field(default=10, description="channels of the first group, in units of 16")

    @field_validator("depth")
    @classmethod
    def _whole_blocks(cls, depth: int) -> int:
        if depth < 10 or depth % 6 != 4:
            raise ValueError(f"a wide residual network has 10, 16, 22, 28 ... convolutions, not {depth}")
        return depth

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return an untrained network."""
        return WideResNet(shape[0], classes, depth=self.depth, width=self.width)


ClassifierSettings = Annotated[MLPClassifierSettings | WideResNetSettings, Field(discriminator="kind")]


class NoiseConditionalClassifier(nn.Module):
    """`classifier(x, t)`: logits of noisy images, from x(t) at unit variance and ln sigma(t), in x's dtype."""

    def __init__(self, net: nn.Module, path: GaussianPath) -> None:
        super().__init__()
        self.net, self.path = net, path

    def forward(self, x: Float[Tensor, "n *shape"], t: Time) -> Float[Tensor, "n classes"]:
        """Return the classes' logits at a time, or one for each sample."""
        t, dtype = as_time(t, x), next(self.net.parameters()).dtype
        alpha, sigma = self.path.alpha(t), self.path.sigma(t)
        size = ((DATA_STD * alpha).square() + sigma.square()).sqrt()
        return self.net((x / broadcast(size, x)).to(dtype), sigma.log().to(dtype).reshape(-1)).to(x.dtype)


def labelled(data: str, split: str, replicate: int) -> ImageSplit:
    """Return a split of a replicate. Raises `RetraceError` unless it has labels."""
    found = catalogue.load(data, split, replicate)
    if found.labels is None:
        raise RetraceError(f"data: {data} has no labels, so no classifier can be trained on it; choose another data set")
    return found


def trained_classifier(
    net: ClassifierSettings, path: GaussianPath, train: TrainSettings, data: str, context: Context, *, of: Settings
) -> NoiseConditionalClassifier:
    """Return a classifier of a data set's images along a path, trained by cross-entropy at times uniform on the path.

    `of` is the description of all that the training depends on.
    """
    split, seed = labelled(data, "train", context.seed), context.seed_for("classifier")
    shape, classes = tuple(split.images.shape[1:]), int(split.labels.max()) + 1
    model = seeded(seed, lambda: NoiseConditionalClassifier(net.build(shape, classes), path)).to(context.device)
    images, labels = split.images.to(context.device), split.labels.long().to(context.device)
    sampler = EpochSampler(len(images), train.batch, seed, distributed.rank(), distributed.world())

    def loss(network: nn.Module, step: int, generator: Generator) -> Tensor:
        chosen = sampler(step).to(context.device)
        x0 = to_unit(images[chosen], split.grey_values, generator=generator)
        drawn = {"generator": generator, "device": context.device, "dtype": x0.dtype}
        t = draw_times(path, len(x0), **drawn)
        return F.cross_entropy(network(path.perturb(x0, t, torch.randn(x0.shape, **drawn)), t), labels[chosen])

    found = train_run(context, model, loss, train, seed=seed, of=of, name="classifier").model
    return found.eval().requires_grad_(False)


@torch.no_grad()
def noisy_accuracy(
    classifier: nn.Module,
    path: GaussianPath,
    images: Float[Tensor, "n *shape"],
    labels: Int[Tensor, " n"],
    t: float,
    *,
    generator: Generator,
    batch: int = 1000,
) -> float:
    """Return the share of images, made as noisy as time t is, whose class is found."""
    right = 0
    for x0, wanted in zip(images.split(batch), labels.split(batch)):
        noise = torch.randn(x0.shape, generator=generator, device=x0.device, dtype=x0.dtype)
        x = path.perturb(x0, torch.full((len(x0),), t, device=x0.device, dtype=x0.dtype), noise)
        right += int((classifier(x, t).argmax(1) == wanted).sum())
    return right / len(images)
