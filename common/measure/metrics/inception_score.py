"""Inception score: exp E_x KL(p(y|x) || p(y)), p(y) the mean of p(y|x), of a classifier of images (Salimans et al. 2016).

Between 1 (every image gets the same answer) and the number of classes (confident answers, evenly spread). As published, the
images are cut in their order into ten equal parts, 50 000 images into parts of 5000, each with a p(y) of its own; the score is
the parts' mean, its error their standard deviation (over ten, not nine). Small parts read lower: compare only equal sizes.

The classifier is that of the published code, Inception-v3 of December 2015, from the file that FID takes its features from:

    resize     the file's own, which imitates TensorFlow 1's bilinear without antialiasing, to 299 pixels; FID's here is another
    classes    all 1008 outputs of that network, of which ImageNet names 1000
    bias       none: the published code multiplies features and weights, and leaves the last layer's bias out

Numbers with another resize, another Inception-v3 (torchvision's has 1000 classes) or the bias measure something else; values
compare with published ones only where these choices are the same.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8

from common.errors import RetraceError
from common.measure.metrics.inception import find_weights, in_colour

SUM_TOLERANCE = 1e-3  # of a softmax over 1008 classes, in float32 or float16


class InceptionScore(NamedTuple):
    """Mean and standard deviation of the parts' scores."""

    mean: float
    std: float


def inception_score(probabilities: Float[np.ndarray, "n classes"], *, splits: int = 10) -> InceptionScore:
    """Return the score of class probabilities p(y|x), a row for each image, over `splits` parts in the rows' order.

    Raises `RetraceError` if there are fewer images than parts, or a row is no distribution.
    """
    if not 1 <= splits <= len(probabilities):
        raise RetraceError(f"the Inception score of {len(probabilities)} images in {splits} parts: give every part an image")
    p = _distributions(probabilities)
    borders = [k * len(p) // splits for k in range(splits + 1)]
    scores = [_score(p[start:end]) for start, end in pairwise(borders)]
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))


def _score(p: Float[np.ndarray, "n classes"]) -> float:
    from scipy.special import rel_entr

    return float(np.exp(rel_entr(p, p.mean(axis=0)).sum(axis=1).mean()))


def _distributions(probabilities: np.ndarray) -> Float[np.ndarray, "n classes"]:
    p = np.asarray(probabilities, dtype=np.float64)
    wrong = ~(np.isfinite(p).all(axis=1) & (p >= 0).all(axis=1) & (np.abs(p.sum(axis=1) - 1) <= SUM_TOLERANCE))
    if wrong.any():
        raise RetraceError(
            f"the Inception score: {int(wrong.sum())} of {len(p)} rows (the first is row {int(wrong.argmax())}) are not finite, "
            "have a negative entry or do not sum to 1; give probabilities, after the softmax, of images that are finite"
        )
    return p


def class_probabilities(
    images: UInt8[np.ndarray, "n c h w"], *, device: torch.device | str = "cpu", batch: int = 64
) -> Float[np.ndarray, "n 1008"]:
    """Return Inception's class probabilities of images of any size, without the last layer's bias; grey is repeated in colour.

    Raises `DataError` if the weights are missing or not the published ones, `RetraceError` for other than 1 or 3 channels.
    """
    colour = in_colour(images, "the Inception score")
    network = torch.jit.load(str(find_weights("the Inception score")), map_location=device).eval()
    parts = []
    with torch.no_grad():
        for start in range(0, len(images), batch):
            pixels = torch.from_numpy(colour[start : start + batch].copy()).to(device)
            parts.append(network(pixels, no_output_bias=True).double().cpu().numpy())
    return np.concatenate(parts)
