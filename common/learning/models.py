"""A trained model: what it was trained to do, what its network is given, the network; described in run.json, kept as safetensors.

Nothing is pickled and no class is rebuilt from a string: the description is a checked pydantic model.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, PositiveFloat, PositiveInt, SerializeAsAny, model_validator

from common.dynamics.ddpm_levels import ddpm_path
from common.dynamics.denoiser import Conditioning, Denoiser, StateInput, TimeInput
from common.dynamics.paths import PATHS, level_times
from common.errors import CheckpointError, SettingsError
from common.learning.nets.build import COMMON, Backbone, build_backbone
from common.learning.objectives import Objective
from common.runs.folders import verified
from common.runs.settings import Settings, hint, validated


class ObjectiveSettings(Settings):
    """What a model is trained to do: regress `prediction` along `path` with `weight` (common.learning.objectives)."""

    path: Literal["vp", "sub_vp", "ve", "ot", "ddpm"] = Field(
        description="Gaussian path between data and noise; ddpm = through its noise levels"
    )
    path_options: dict[str, float] = Field(default={}, description="parameters of the path, e.g. {sigma_max: 50}")
    prediction: Literal["data", "noise", "score", "velocity"] = Field(description="what the network's output means")
    weight: Literal["one", "sigma_squared", "diffusion_squared"] = Field(default="one", description="weight over time")
    noise_levels: PositiveInt | None = Field(
        default=None, description="number of evenly spaced times it is trained at; null = all times"
    )

    @model_validator(mode="after")
    def _ddpm_needs_noise_levels(self) -> "ObjectiveSettings":
        if self.path == "ddpm" and self.noise_levels is None:
            raise ValueError("path ddpm leads through DDPM's noise levels; set noise_levels to their number (1000)")
        return self

    def build(self) -> Objective:
        """Return the objective with its path."""
        make = partial(ddpm_path, self.noise_levels) if self.path == "ddpm" else PATHS[self.path]
        try:
            path = make(**self.path_options)
        except TypeError as error:
            raise SettingsError(f"path_options of path {self.path!r}: {error}") from None
        known_times = level_times(path, self.noise_levels) if self.noise_levels else None
        return Objective(path, self.prediction, self.weight, known_times)


class ConditioningSettings(Settings):
    """What the network is given for a state and its time (common.dynamics.denoiser.Conditioning)."""

    x: StateInput = Field(default="raw", description="the state itself, scaled to unit variance, or over its own scale")
    t: TimeInput = Field(
        default="t", description="the time, 999 t, log sigma, the noise level's index, nothing, or log of the state's own scale"
    )
    data_std: PositiveFloat = Field(default=1.0, description="standard deviation of the data that the scaling assumes")


class Recipe(Settings):
    """How a model is trained and asked, whatever its data and network: one row of the table of objectives."""

    objective: ObjectiveSettings
    conditioning: ConditioningSettings = ConditioningSettings()

    @model_validator(mode="after")
    def _index_needs_noise_levels(self) -> "Recipe":
        if self.conditioning.t == "index" and self.objective.noise_levels is None:
            raise ValueError("conditioning.t: index needs objective.noise_levels; set it, or choose log_sigma")
        return self


class ModelSettings(Recipe):
    """Everything needed to build a denoiser again."""

    pixel_range: tuple[float, float] | None = Field(
        default=None, description="range that grey values were scaled to; null = no image"
    )
    backbone: SerializeAsAny[Backbone] = Field(description="network and its size")
    shape: tuple[int, ...] = Field(description="shape of one sample, e.g. [1, 8, 8]")

    def build(self, seed: int) -> Denoiser:
        """Return an untrained denoiser whose initial weights depend on `seed` alone."""
        objective, conditioning = self.objective.build(), Conditioning(**self.conditioning.model_dump())
        backbone = build_backbone(self.backbone, self.shape, seed=seed)
        return Denoiser(backbone, objective.path, objective.prediction, objective.known_times, conditioning)


WEIGHTS = "weights.safetensors"


def load_denoiser(
    folder: Path,
    device: torch.device | str = "cpu",
    file: str = WEIGHTS,
    *,
    backbones: Sequence[type[Backbone]] = (),
) -> Denoiser:
    """Return the trained denoiser of a model's run folder, in evaluation mode; `file` may be one of its snapshots.

    `backbones` are the kinds of network that a caller knows beside common's own. Raises `CheckpointError` naming the file if it
    is missing, truncated or of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    denoiser = read_description(folder, backbones).build(seed=0)
    try:
        denoiser.backbone.load_state_dict(load_file(verified(folder, file)))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise CheckpointError(
            f"{folder / file}: not the weights of this model ({error}); delete {folder} and train again"
        ) from None
    return denoiser.eval().requires_grad_(False).to(device)


def read_description(folder: Path, backbones: Sequence[type[Backbone]] = ()) -> ModelSettings:
    """Return what run.json says of the model in `folder`, whose network is of common's kinds or one of `backbones`."""
    file = folder / "run.json"
    try:
        model: Mapping[str, Any] = json.loads(file.read_text())["model"]
        kind = model["backbone"]["kind"]
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file}: cannot be read ({error}); delete {folder} and train again") from None
    except (KeyError, TypeError):
        raise CheckpointError(f"{file}: describes no denoiser; give the folder of a model that `common train` made") from None
    kinds = {each.model_fields["kind"].default: each for each in (*COMMON, *backbones)}
    if kind not in kinds:
        raise CheckpointError(f"{file}: model.backbone.kind: no network {kind!r} is known here{hint(str(kind), kinds)}")
    backbone = validated(kinds[kind], model["backbone"], where=f"{file}: model.backbone")
    return validated(ModelSettings, {**model, "backbone": backbone}, where=f"{file}: model")
