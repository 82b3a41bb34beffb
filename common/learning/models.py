"""A trained model: backbone + path + what it predicts, described in run.json and kept as safetensors.

Nothing is pickled and no class is rebuilt from a string: the description is a checked pydantic model.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field

from common.dynamics.denoiser import Denoiser
from common.dynamics.paths import PATHS
from common.errors import CheckpointError, SettingsError
from common.learning.nets.build import BackboneSettings, build_backbone
from common.learning.objectives import Objective
from common.runs.settings import Settings, validated


class ObjectiveSettings(Settings):
    """What a model is trained to do: regress `prediction` along `path` with `weight` (common.learning.objectives)."""

    path: Literal["vp", "sub_vp", "ve", "ot"] = Field(description="Gaussian path between data and noise")
    path_options: dict[str, float] = Field(default={}, description="parameters of the path, e.g. {sigma_max: 50}")
    prediction: Literal["data", "noise", "score", "velocity"] = Field(description="what the network's output means")
    weight: Literal["one", "sigma_squared", "diffusion_squared"] = Field(default="one", description="weight over time")

    def build(self) -> Objective:
        """Return the objective with its path."""
        try:
            path = PATHS[self.path](**self.path_options)
        except TypeError as error:
            raise SettingsError(f"path_options of path {self.path!r}: {error}") from None
        return Objective(path, self.prediction, self.weight)


class ModelSettings(Settings):
    """Everything needed to build a denoiser again: objective, backbone, shape of one sample."""

    objective: ObjectiveSettings
    backbone: Annotated[BackboneSettings, Field(description="network and its size")]
    shape: tuple[int, ...] = Field(description="shape of one sample, e.g. [1, 8, 8]")

    def build(self, seed: int) -> Denoiser:
        """Return an untrained denoiser whose initial weights depend on `seed` alone."""
        objective = self.objective.build()
        backbone = build_backbone(self.backbone, self.shape, seed=seed)
        return Denoiser(backbone, objective.path, objective.prediction)


WEIGHTS = "weights.safetensors"


def snapshot_file(step: int) -> str:
    """Return where a model's run folder keeps the averaged weights as they were after `step` steps."""
    return f"snapshots/{step}.safetensors"


def load_denoiser(folder: Path, device: torch.device | str = "cpu", file: str = WEIGHTS) -> Denoiser:
    """Return the trained denoiser of a model's run folder, in evaluation mode; `file` may be one of its snapshots.

    Raises `CheckpointError` naming the file if it is missing, truncated or of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    description = read_description(folder)
    denoiser = description.build(seed=0)
    try:
        denoiser.backbone.load_state_dict(load_file(folder / file))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise CheckpointError(
            f"{folder / file}: not the weights of this model ({error}); delete {folder} and train again"
        ) from None
    return denoiser.eval().requires_grad_(False).to(device)


def read_description(folder: Path) -> ModelSettings:
    """Return what run.json says of the model in `folder`."""
    file = folder / "run.json"
    try:
        content: Mapping[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file}: cannot be read ({error}); delete {folder} and train again") from None
    return validated(ModelSettings, content.get("model"), where=str(file))
