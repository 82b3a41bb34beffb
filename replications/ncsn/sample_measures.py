"""What is said of samples: how far from data, how they come about, whether they are recognised, whether they are copies."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from common.evaluation.yardstick import Yardstick
from common.learning.data import catalogue
from common.learning.data.scale import rescaled, to_unit
from common.learning.data.split import ImageSplit
from common.measure.features import FeatureNet
from common.measure.metrics.neighbours import distance_to_data
from common.runs.experiment import Context
from common.runs.folders import row
from replications.ncsn.chains import Chains
from replications.ncsn.networks import Trained, levels_of
from replications.ncsn.sampler_step import Step

Images = Float[Tensor, "n c h w"]
Features = Callable[[Tensor], np.ndarray]
Row = dict[str, Any]


class Known(NamedTuple):
    """The training images in [-1, 1], and their features, which every comparison with them needs."""

    images: Images
    features: Float[np.ndarray, "n features"]


def training_images(data: str, context: Context) -> Images:
    """Return the replicate's training images in [-1, 1], each grey value in the middle of its cell."""
    split = catalogue.load(data, "train", context.seed)
    return to_unit(split.images, split.grey_values)


def distance_rows(images: Images, train: Known, features: Features, labels: Row) -> list[Row]:
    """Return the median distance to the nearest training image, in pixels and in features."""
    shown = images.clamp(-1, 1).cpu().float()
    distances = {
        "nearest_in_pixels": distance_to_data(shown.numpy(), train.images.numpy()),
        "nearest_in_features": distance_to_data(features(shown), train.features),
    }
    return [row(metric, distance, n=len(shown), **labels) for metric, distance in distances.items()]


def held_out_rows(test: ImageSplit, train: Known, features: Features, data: str) -> list[Row]:
    """Return the same distances of test images: those of samples that are no copies."""
    labels = {"dataset": data, "method": "data", "variant": "test split"}
    return distance_rows(to_unit(test.images, test.grey_values), train, features, labels)


def on_the_way(network: Trained, chains: Chains, measure: Yardstick, train: Images, data: str, step: Step) -> list[Row]:
    """Return at the end of each level the samples' distance to data, and the ratio of the step's drift to its noise."""
    model, rows = network.model, []
    times, of_level = model.known_times.tolist(), len(chains.kept) // len(model.known_times)
    ends, sigmas = chains.kept[of_level - 1 :: of_level], model.path.sigma(model.known_times).tolist()
    for t, sigma, level, x in zip(times, sigmas, levels_of(network).tolist(), ends):
        where = {"dataset": data, "method": "ncsn", "axis": "sigma", "at": level}
        shown = x.clamp(-1, 1).cpu().float()
        rows.append(measure.row("frechet_on_the_way", shown, **where))
        rows.append(row("nearest_on_the_way", distance_to_data(shown.numpy(), train.numpy()), n=len(x), **where))
        with torch.no_grad():
            square = model.score(rescaled(x, (-1.0, 1.0), network.pixel_range), t).flatten(1).square().sum(1).mean()
        # |a s|^2 over E |sqrt(2 a) z|^2 with a = rho sigma^2, per dimension
        rows.append(row("drift_over_noise", step.rho * sigma**2 * square / (2 * x[0].numel()), unit="ratio", **where))
    return rows


def denoised_row(network: Trained, chains: Chains, measure: Yardstick, data: str) -> Row:
    """Return the Fréchet distance after one more evaluation, x + sigma^2 s, which the paper does not make."""
    x = rescaled(chains.images, (-1.0, 1.0), network.pixel_range)
    with torch.no_grad():
        clean = rescaled(network.model.denoised(x, float(network.model.known_times[-1])), network.pixel_range)
    labels = {"dataset": data, "method": "ncsn", "variant": "annealed, denoised", "nfe": chains.nfe + 1}
    return measure.row("feature_frechet", clean.clamp(-1, 1), **labels)


def recognised(net: FeatureNet, images: Images, test: ImageSplit, data: str) -> list[Row]:
    """Return how sure the classifier is of samples and of test images, and the entropy of the classes it finds, over log k."""
    rows = []
    for method, shown in (("ncsn", images.clamp(-1, 1)), ("data", to_unit(test.images, test.grey_values))):
        with torch.no_grad():
            probabilities = net(shown.to(net.project.weight)).softmax(1).double().cpu()
        share = probabilities.argmax(1).bincount(minlength=probabilities.shape[1]) / len(probabilities)
        entropy = float(torch.special.entr(share.double()).sum()) / np.log(len(share))
        labels = {"dataset": data, "method": method, "n": len(shown)}
        rows.append(row("confidence", float(probabilities.amax(1).mean()), **labels))
        rows.append(row("class_entropy", entropy, **labels))
    return rows


def nearest_images(images: Images, train: Known, features: Features) -> dict[str, Tensor]:
    """Return samples with the training images nearest to them in pixels and in features."""
    shown = images.clamp(-1, 1).cpu().float()
    spaces = {"pixels": (shown.flatten(1), train.images.flatten(1)), "features": (features(shown), train.features)}
    found = {"copied": shown}
    for name, (x, reference) in spaces.items():
        nearest = torch.cdist(torch.as_tensor(x).double(), torch.as_tensor(reference).double()).argmin(1)
        found[f"nearest_{name}"] = train.images[nearest]
    return found
