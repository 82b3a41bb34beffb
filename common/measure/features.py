"""The small classifier whose penultimate layer measures samples inside one data set.

Fréchet and kernel distances compare distributions of features. Inception's features see little in 8x8 digits and are a large
download; a classifier trained on the data set itself sees what tells its classes apart, in seconds and without network. Its
distances are called "feature Fréchet distance", never FID, and compare only under the same weights. Features are scaled so
that those of the training images have variance 1 on average: a distance is then in units of the data's own spread, 64 in all.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from common.errors import CheckpointError, RetraceError
from common.runs.folders import verified

FEATURES = 64
Prepare = Callable[[Tensor], Tensor]
GRID = 4  # side of the feature map that the linear layer sees, whatever the image's size


class FeatureNet(nn.Module):
    """Three convolutions, 64 features, one linear classifier: about 50 000 parameters, for images of any size in [-1, 1].

    The weights depend on `generator` (CPU) alone.
    """

    def __init__(self, channels: int, classes: int, *, generator: Generator) -> None:
        super().__init__()
        # torch's own initialisation draws from the global generator; skipping it would import much of torch's compiler
        with torch.random.fork_rng(devices=[]):
            convolutions = [nn.Conv2d(a, b, kernel_size=3, padding=1) for a, b in ((channels, 16), (16, 32), (32, 32))]
            self.convolutions, self.project = nn.ModuleList(convolutions), nn.Linear(32 * GRID**2, FEATURES)
            self.classify = nn.Linear(FEATURES, classes)
        self.register_buffer("scale", torch.ones(()))
        for layer in (*self.convolutions, self.project, self.classify):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)

    def features(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 64"]:
        """Return the penultimate layer's activations, all >= 0, over `scale`."""
        x = images
        for convolution in self.convolutions:
            x = F.relu(convolution(x))
            if min(x.shape[2:]) >= 2 * GRID:  # 8x8: once; 28x28: twice; 32x32: three times
                x = F.max_pool2d(x, 2)
        return F.relu(self.project(F.adaptive_avg_pool2d(x, GRID).flatten(1))) / self.scale

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Return the classes' logits."""
        return self.classify(self.features(images) * self.scale)


def as_they_are(images: Tensor) -> Tensor:
    """Return images that are in [-1, 1] already."""
    return images


def train_feature_net(
    images: Shaped[Tensor, "n c h w"],
    labels: Int[Tensor, " n"] | None,
    *,
    steps: int,
    generator: Generator,
    batch: int = 128,
    learning_rate: float = 2e-3,
    prepare: Prepare = as_they_are,
    device: torch.device | str = "cpu",
) -> FeatureNet:
    """Return a classifier trained on `device` by Adam with a cosine learning rate on images in [-1, 1].

    `prepare` makes such images of a batch of `images`, so that a large data set is never held as floats. `generator` (CPU)
    decides the initial weights and the batches, drawn with replacement. Raises `RetraceError` without labels.
    """
    if labels is None:
        raise RetraceError("a feature network is a classifier, and these images have no labels; choose a labelled data set")
    labels = labels.long()
    net = FeatureNet(images.shape[1], int(labels.max()) + 1, generator=generator).to(device)
    optimiser = torch.optim.Adam(net.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        chosen = torch.randint(len(images), (batch,), generator=generator)
        loss = F.cross_entropy(net(prepare(images[chosen]).to(device)), labels[chosen].to(device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    net.eval().requires_grad_(False)
    # the activations' size grows as long as the training lasts; a Fréchet distance in units of the data's spread does not
    net.scale.fill_(float(np.sqrt(extract_features(net, images, prepare=prepare).var(axis=0).mean())))
    return net


def extract_features(
    net: FeatureNet, images: Shaped[Tensor, "n c h w"], *, batch: int = 1000, prepare: Prepare = as_they_are
) -> Float[np.ndarray, "n 64"]:
    """Return the features of images in [-1, 1], or of what `prepare` makes such images of, computed on the network's device."""
    weight = net.project.weight
    with torch.no_grad():
        parts = [net.features(prepare(part).to(weight)).cpu().numpy() for part in images.split(batch)]
    return np.concatenate(parts)


def accuracy(
    net: FeatureNet, images: Shaped[Tensor, "n c h w"], labels: Int[Tensor, " n"], *, prepare: Prepare = as_they_are
) -> float:
    """Return the share of images that the network classifies as their label."""
    weight = net.project.weight
    with torch.no_grad():
        guesses = torch.cat([net(prepare(part).to(weight)).argmax(dim=1).cpu() for part in images.split(1000)])
    return (guesses == labels.cpu()).double().mean().item()


def load_feature_net(folder: Path, device: torch.device | str = "cpu") -> Callable[[Tensor], np.ndarray]:
    """Return the function images [n, c, h, w] in [-1, 1] -> features [n, 64] of the network saved in a run folder.

    Raises `CheckpointError` naming the file if it is missing, damaged or of another network.
    """
    return partial(extract_features, read_feature_net(folder).to(device))


def read_feature_net(folder: Path) -> FeatureNet:
    """Return the network saved in a run folder; its channels and classes are read off the weights. Raises as above."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    file = folder / "weights.safetensors"
    try:
        weights = load_file(verified(folder, file.name))
        channels, classes = weights["convolutions.0.weight"].shape[1], len(weights["classify.bias"])
        net = FeatureNet(channels, classes, generator=Generator())
        net.load_state_dict(weights)
    except (OSError, SafetensorError, KeyError, IndexError, RuntimeError) as error:
        raise CheckpointError(f"{file}: not a feature network ({error}); delete {folder} and train it again") from None
    return net.eval().requires_grad_(False)
