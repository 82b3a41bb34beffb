"""What NCSNv2's experiments are tested with: its sampler written out, a yardstick that says what it saw, untrained networks."""

from pathlib import Path

import numpy as np
import torch

from common.evaluation.yardstick import Yardstick
from common.learning.data.split import ImageSplit
from common.learning.models import ModelSettings
from common.learning.nets.build import MLPSettings
from common.learning.objective_table import recipe_for
from common.learning.training.run import snapshot_file
from common.measure.features import FeatureNet
from common.runs.folders import Outcome, row, write_run, write_weights
from common.runs.layout import model_folder

INFO = dict.fromkeys(("paper", "experiment", "variant", "seed", "level", "device", "commit"), "")
STATES = {"steps": 4, "batch": 1, "learning_rate": 1e-3, "snapshots": 2}
COLOURS = torch.tensor([3, 8, 12]).reshape(1, 3, 1, 1).expand(2, 3, 4, 4)  # of 17


class Recorder:
    """A yardstick that reads the mean of images and puts them into its rows; its features are ten times the pixels."""

    def __init__(self, images=COLOURS, reference=None, training=None):
        self.test, self.reference = ImageSplit(images, None, 17), reference
        self.training = np.zeros((5, 1)) if training is None else training

    def features(self, images):
        return 10 * images.flatten(1).numpy()

    def row(self, metric, images, *, resampled=None, **labels):
        again = float(torch.rand(1, generator=resampled)) if resampled else None
        return {**row(metric, images.double().mean(), n=len(images), **labels), "images": images, "again": again}

    floor_row = Yardstick.floor_row

    def floor(self, n):
        return 0.25


def by(rows, metric, *labels):
    """Return the values of a metric by one or several of their labels."""
    found = [row for row in rows if row["metric"] == metric]
    keys = [row[labels[0]] if len(labels) == 1 else tuple(row[label] for label in labels) for row in found]
    assert len(set(keys)) == len(keys), f"{metric} twice"
    return dict(zip(keys, (row["value"] for row in found)))


def written_out(start, noise, sigmas, steps, rho, score, batch=1000):
    """NCSNv2's sampler on states in [-1, 1], `sigmas` for these and score(x, sigma): without and with its last step."""
    parts = []
    for x in (2 * start - 1).split(batch):
        for sigma in sigmas:
            for _ in range(steps):
                z = torch.randn(x.shape, generator=noise, dtype=x.dtype)
                x = x + rho * sigma**2 * score(x, sigma) + (2 * rho) ** 0.5 * sigma * z
        parts.append(torch.stack([x, x + sigmas[-1] ** 2 * score(x, sigmas[-1])]))
    return torch.cat(parts, 1).clamp(-1, 1)


def scattered(network):
    """Every parameter a value of its own: the last layers start at zero."""
    draws = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.data.normal_(std=0.3, generator=draws)
    return network


def shared_model(objective):
    """Return the suite's network of an objective on digits, at a small size."""
    size = {"backbone": MLPSettings(width=8, blocks=1), "shape": (1, 8, 8), "pixel_range": (-1.0, 1.0)}
    return ModelSettings(**dict(recipe_for(objective, "digits")), **size)


def write_shared(results: Path, *objectives):
    """Write untrained shared networks of digits where the smoke level looks for them, and the network of the features."""
    for objective in objectives:
        folder, model = model_folder(results, "smoke", "digits", "mlp", objective, 0), shared_model(objective)
        weights = scattered(model.build(0)).backbone.state_dict()
        for step in (2, 4):
            for raw in (False, True):
                write_weights(folder / snapshot_file(step, raw=raw), weights)
        losses = {"loss_step": np.array([1, 3, 4]), "loss": np.array([1.0, 0.5, 0.5])}
        outcome = Outcome([], arrays=losses, weights=weights, model=model.model_dump(mode="json"))
        write_run(folder, outcome, {**INFO, "settings": {"train": STATES}})
    write_features(results, "smoke", "digits", 1)


def write_features(results: Path, level, data, channels):
    """Write an untrained network of features."""
    net = FeatureNet(channels, 10, generator=torch.Generator().manual_seed(0))
    write_run(model_folder(results, level, data, "features", "classifier", 0), Outcome([], weights=net.state_dict()), INFO)
