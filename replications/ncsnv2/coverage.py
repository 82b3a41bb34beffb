"""How much of a mixture its samples cover: how far apart they are, which centres they found, and the classes of these."""

from typing import Any

import torch
from jaxtyping import Float, Integer
from torch import Generator, Tensor

from common.runs.folders import row
from replications.ncsnv2.exact_chains import Centres

Row = dict[str, Any]
AT_ONCE = 1000  # samples whose distances are taken together


def mean_distance(x: Float[Tensor, "n *shape"]) -> float:
    """Return the mean Euclidean distance of two different samples."""
    points = x.double().flatten(1)
    return sum(float(torch.cdist(part, points).sum()) for part in points.split(AT_ONCE)) / (len(x) * (len(x) - 1))


def nearest(x: Float[Tensor, "n *shape"], centres: Float[Tensor, "m *shape"]) -> Integer[Tensor, " n"]:
    """Return the index of each sample's nearest centre."""
    points, to = x.double().flatten(1), centres.double().flatten(1)
    return torch.cat([torch.cdist(part, to).argmin(1) for part in points.split(AT_ONCE)])


def distinct_share(found: Integer[Tensor, " n"], centres: int) -> float:
    """Return the number of distinct centres found over what as many uniform draws find in expectation."""
    return len(found.unique()) / (centres * (1 - (1 - 1 / centres) ** len(found)))


def total_variation(found: Integer[Tensor, " n"], expected: Integer[Tensor, " m"]) -> float:
    """Return the total variation between the histograms of two sets of classes: 0 for equal shares, 1 for none in common."""
    classes = int(torch.cat([found, expected]).max()) + 1
    shares = [labels.bincount(minlength=classes).double() / len(labels) for labels in (found, expected)]
    return float((shares[0] - shares[1]).abs().sum()) / 2


def exact_draws(n: int, centres: Centres, sigma: float, generator: Generator) -> Float[Tensor, "n c h w"]:
    """Return draws of the mixture itself: what chains should be distributed as."""
    which = torch.randint(len(centres.images), (n,), generator=generator).to(centres.images.device)
    chosen = centres.images[which]
    return chosen + sigma * torch.randn(chosen.shape, generator=generator).to(chosen)


def measures(x: Float[Tensor, "n c h w"], centres: Centres) -> dict[str, float]:
    """Return by name what is measured of samples."""
    found = nearest(x, centres.images)
    values = {
        "distance_over_data": mean_distance(x) / mean_distance(centres.images),
        "distinct_centres": distinct_share(found, len(centres.images)),
    }
    if centres.labels is not None:
        values["class_variation"] = total_variation(centres.labels[found].long(), centres.labels.long())
    return values


def coverage_rows(x: Float[Tensor, "n c h w"], centres: Centres, floor: dict[str, float], **labels: Any) -> list[Row]:
    """Return what is measured of samples as rows; `floor` is what exact draws read."""
    return [row(metric, value, floor=floor[metric], n=len(x), **labels) for metric, value in measures(x, centres).items()]
