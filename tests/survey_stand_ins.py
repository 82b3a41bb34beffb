"""What the survey is tested with: data sets of noise, models with states of a training made as soon as a run asks for them."""

import torch
from gotta_go_fast_stand_ins import small_data
from ncsnv2_stand_ins import INFO, STATES, scattered, write_features

from common.learning.data.training import sample_shape
from common.learning.models import ModelSettings
from common.learning.nets.build import MLPSettings
from common.learning.objective_table import recipe_for
from common.learning.training.run import snapshot_file
from common.runs.experiment import Context
from common.runs.folders import Outcome, row, write_run, write_weights
from common.runs.layout import model_folder

__all__ = ["MadeUp", "context_of", "small_data"]
SECONDS = 8.0  # of a whole training


class MadeUp(Context):
    """A context whose models are there, small and untrained, as soon as a run asks for them."""

    def model(self, data, objective, seed=None, *, backbone=None):
        """Return the folder of a model that is made when it is asked for first."""
        folder = model_folder(self.results, self.level, data, backbone or "mlp", objective, 0)
        if not folder.exists():
            write_model(self, folder, data, objective, backbone)
        self.taken.append(folder)
        return folder


def write_model(context, folder, data, objective, backbone):
    """Write the run folder of a model, with raw and averaged states of its training that all differ."""
    shape = sample_shape(data)
    if backbone == "features":
        write_features(context.results, context.level, data, shape[0])
        return
    more = {"backbone": MLPSettings(width=8, blocks=1), "shape": shape, "pixel_range": (-1.0, 1.0)}
    model = ModelSettings(**dict(recipe_for(objective, "digits" if objective.startswith("ncsnv2") else data)), **more)
    weights = scattered(model.build(0)).backbone.state_dict()
    for step in (2, 4):
        for raw in (False, True):
            scale = step / 4 * (0.9 if raw else 1.0)
            write_weights(folder / snapshot_file(step, raw=raw), {name: scale * weight for name, weight in weights.items()})
    rows = [row("final_training_loss", 1.0, seconds=SECONDS), row("parameters", 7.0)]
    outcome = Outcome(rows, weights=weights, model=model.model_dump(mode="json"))
    write_run(folder, outcome, {**INFO, "settings": {"train": STATES}, "peak_memory_mb": 300.0})


def context_of(experiment, level, tmp_path):
    """Return the context of a run of the survey."""
    return MadeUp("survey", experiment, level, 0, 2, tmp_path, tmp_path / "run", torch.device("cpu"))
