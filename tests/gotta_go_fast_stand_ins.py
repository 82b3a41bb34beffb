"""What the experiment on trained models is tested with: data sets of noise, models made as soon as a run asks for them."""

from functools import partial

import torch
from ncsnv2_stand_ins import INFO, STATES, scattered, write_features

from common.evaluation import yardstick
from common.learning.data import catalogue
from common.learning.data.split import ImageSplit
from common.learning.data.training import sample_shape
from common.learning.models import ModelSettings
from common.learning.nets.build import MLPSettings
from common.learning.objective_table import OBJECTIVES
from common.learning.training.run import snapshot_file
from common.runs.experiment import Context
from common.runs.folders import Outcome, write_run, write_weights
from common.runs.layout import model_folder
from replications.score_sde.networks.named_models import MODELS, Size, description

SIZES = {"fashion_mnist": (1, 8, 8), "cifar10": (3, 8, 8)}
TINY = Size(channels=4, multipliers=(1, 2), attention=(), dropout=0.0)


class MadeUp(Context):
    """A context whose models are there, small and untrained, as soon as a run asks for them."""

    def model(self, data, objective, seed=None, *, backbone=None):
        """Return the folder of a model that is made when it is asked for first."""
        folder = model_folder(self.results, self.level, data, backbone or "mlp", objective, 0)
        if not folder.exists():
            write_model(self, folder, data, objective, backbone)
        return folder


def write_model(context, folder, data, objective, backbone):
    """Write the run folder of a model, with states of its training that differ."""
    shape = sample_shape(data)
    if backbone == "features":
        write_features(context.results, context.level, data, shape[0])
        return
    if backbone == "ncsnpp":
        model = description(MODELS[objective], shape, size=TINY)
    else:
        more = {"backbone": MLPSettings(width=8, blocks=1), "shape": shape, "pixel_range": (-1.0, 1.0)}
        model = ModelSettings(**dict(OBJECTIVES[objective]), **more)
    weights = scattered(model.build(0)).backbone.state_dict()
    for step in (2, 4):
        write_weights(folder / snapshot_file(step), {name: step / 4 * weight for name, weight in weights.items()})
    described = model.model_dump(mode="json")
    write_run(folder, Outcome([], weights=weights, model=described), {**INFO, "settings": {"train": STATES}})


def made_up(size, split):
    """Return a dozen labelled images of noise."""
    generator = torch.Generator().manual_seed(len(split))
    return ImageSplit(torch.randint(0, 256, (12, *size), generator=generator, dtype=torch.uint8), torch.arange(12) % 10, 256)


def small_data(monkeypatch):
    """Put noise in the place of large data sets, and mean colours in that of Inception's features."""
    for name, size in SIZES.items():
        monkeypatch.setitem(catalogue.LOADERS, name, partial(made_up, size))
    monkeypatch.setattr(yardstick, "inception_features", lambda pixels, **_: pixels.astype(float).mean((2, 3)))
