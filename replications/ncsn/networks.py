"""Which networks are measured: the suite's shared one, or the paper's RefineNet with the paper's own ladder.

Both learn the scores of the same noise levels. The shared network sees pixels in [-1, 1], so its ladder is twice as wide, and
predicts the noise; the paper's sees pixels in [0, 1] and its output is the score itself.
"""

from pathlib import Path
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor

from common.dynamics.denoiser import Denoiser
from common.learning.data.training import sample_shape
from common.learning.models import ConditioningSettings, ModelSettings, ObjectiveSettings, Recipe, load_denoiser, read_description
from common.learning.objective_table import OBJECTIVES
from common.runs.experiment import Context
from replications.ncsn.refinenet import RefineNetSettings

Objective = Literal["ncsn", "ncsn_single"]
Network = Literal["shared", "refinenet"]
PIXELS = {"shared": (-1.0, 1.0), "refinenet": (0.0, 1.0)}
LEVELS = 10


def _recipe(sigma_max: float, levels: int, time: str) -> Recipe:
    objective = ObjectiveSettings(
        path="ve",
        path_options={"sigma_min": 0.01, "sigma_max": sigma_max},
        prediction="score",
        weight="sigma_squared",
        noise_levels=levels,
    )
    return Recipe(objective=objective, conditioning=ConditioningSettings(t=time))


# the paper's own: Section 5; the baseline of Appendix C.1 knows the least level alone
PAPER: dict[str, Recipe] = {"ncsn": _recipe(1.0, LEVELS, "index"), "ncsn_single": _recipe(0.01, 1, "none")}


class Trained(NamedTuple):
    """A trained network and the range of its pixels."""

    model: Denoiser
    pixel_range: tuple[float, float]


def description(data: str, objective: Objective, backbone: RefineNetSettings) -> ModelSettings:
    """Return what a training of the paper's network makes; the baseline's normalisation knows no levels."""
    fitting = backbone.model_copy(update={"levels": LEVELS if objective == "ncsn" else None})
    recipe = dict(PAPER[objective])
    return ModelSettings(**recipe, backbone=fitting, shape=sample_shape(data), pixel_range=PIXELS["refinenet"])


def shared_description(data: str, backbone: object) -> ModelSettings:
    """Return the shared ladder model of a data set with a network of its own size."""
    return ModelSettings(**dict(OBJECTIVES["ncsn"]), backbone=backbone, shape=sample_shape(data), pixel_range=PIXELS["shared"])


def folder_of(context: Context, data: str, objective: Objective, network: Network) -> Path:
    """Return the run folder of a trained network. Raises `RetraceError`, saying how to make it, if it is not there."""
    return context.model(data, objective, backbone=None if network == "shared" else network)


def trained(context: Context, data: str, objective: Objective, network: Network, file: str = "weights.safetensors") -> Trained:
    """Return a trained network, or one of the states that its training kept."""
    folder = folder_of(context, data, objective, network)
    model = load_denoiser(folder, context.device, file, backbones=[RefineNetSettings])
    return Trained(model, read_description(folder, [RefineNetSettings]).pixel_range or PIXELS[network])


def levels_of(network: Trained) -> Float[Tensor, " levels"]:
    """Return the noise levels for pixels in [0, 1], largest first."""
    low, high = network.pixel_range
    # rounded: they name rows
    return (network.model.path.sigma(network.model.known_times) / (high - low)).round(decimals=6)
