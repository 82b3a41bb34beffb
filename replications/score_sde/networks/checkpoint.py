"""Read a checkpoint of the official implementation (github.com/yang-song/score_sde_pytorch) into a model of ours.

Its file is a dictionary: under `model` the weights by name, under `ema` their averages in the same order, then the optimiser and
the step. On the VE path its networks give minus the noise (before they divide by sigma), ours the noise: the last convolutions
change sign.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from common.errors import CheckpointError, SettingsError
from common.learning.models import ModelSettings
from common.runs.folders import Outcome, digest, write_run
from replications.score_sde.networks.ncsnpp import NCSNpp, NCSNppSettings
from replications.score_sde.networks.official_names import moved, places
from replications.score_sde.networks.progressive import OutputSkip

Weights = Literal["raw", "averaged"]
REMEDY = "name the configuration that it was trained with (named_models.CONFIGS), or describe its network"


def import_checkpoint(file: Path, model: ModelSettings, folder: Path, weights: Weights = "averaged") -> None:
    """Write a run folder that `common.learning.models.load_denoiser` reads, with the checkpoint's weights.

    Raises `CheckpointError`, naming file and key, if it is not a checkpoint of the model's network.
    """
    state = read_checkpoint(file, model, weights)
    source = {"file": file.name, "sha256": digest(file), "weights": weights}
    labels = dict.fromkeys(("variant", "level", "device", "commit"), "")
    info = {"paper": "score_sde", "experiment": "import", "seed": 0, "source": source, **labels}
    write_run(folder, Outcome([], weights=state, model=model.model_dump(mode="json")), info)


def read_checkpoint(file: Path, model: ModelSettings, weights: Weights = "averaged") -> dict[str, Tensor]:
    """Return the state of the model's network from a checkpoint: its weights, or their moving averages.

    Raises `CheckpointError`, naming file and key, if it is not a checkpoint of that network.
    """
    if not isinstance(model.backbone, NCSNppSettings) or model.objective.prediction != "noise":
        raise SettingsError(
            "backbone.kind, objective.prediction: an official checkpoint is an ncsnpp network that predicts noise; describe one"
        )
    content = _read(file)
    # without initial weights: every one is in the file
    with torch.device("meta"):
        net = model.backbone.build(model.shape)
    net.to_empty(device="cpu")
    _fill(net, _entry(content, "model", Mapping, file), file)
    if weights == "averaged":
        averages = _entry(_entry(content, "ema", Mapping, file), "shadow_params", list, file, within="ema.")
        _fill_in_order(net, averages, file)
    if model.objective.path == "ve":
        negate_output(net)
    return net.state_dict()


@torch.no_grad()
def negate_output(net: NCSNpp) -> None:
    """Turn the sign of the network's output, by that of the weights of the convolutions whose sum it is."""
    last = [part.conv for part in net.modules() if isinstance(part, OutputSkip)] or [net.leave[-1]]
    for parameter in nn.ModuleList(last).parameters():
        parameter.neg_()


def _read(file: Path) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{file} is missing; download it from the link in the official repository's README") from None
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{file}: cannot be read as a PyTorch checkpoint ({reason}); download it again") from None


def _entry(content: Any, key: str, kind: type, file: Path, within: str = "") -> Any:
    known = f"it has {', '.join(map(str, content))}" if isinstance(content, Mapping) else f"it is a {type(content).__name__}"
    if not isinstance(content, Mapping) or not isinstance(content.get(key), kind):
        raise CheckpointError(f"{file}: no {within}{key} ({known}); give a checkpoint_N.pth of the official PyTorch code")
    return content[key]


@torch.no_grad()
def _fill(net: NCSNpp, weights: Mapping[str, Any], file: Path) -> None:
    """Copy weights by name; the noise levels, which the path knows, are passed over."""
    given = {name.removeprefix("module."): tensor for name, tensor in weights.items()}
    wanted = places(net)
    given.pop("sigmas", None)
    if missing := [name for name in wanted if name not in given]:
        raise CheckpointError(f"{file}: model.{missing[0]}: not there ({len(missing)} weights are missing); {REMEDY}")
    if surplus := [name for name in given if name not in wanted]:
        raise CheckpointError(f"{file}: model.{surplus[0]}: not of this network ({len(surplus)} weights are too many); {REMEDY}")
    for name, view in wanted.items():
        _copy(view, given[name], f"{file}: model.{name}")


@torch.no_grad()
def _fill_in_order(net: NCSNpp, averages: list[Any], file: Path) -> None:
    wanted = moved(places(net))
    if len(averages) != len(wanted):
        raise CheckpointError(f"{file}: ema.shadow_params: {len(averages)} averages for {len(wanted)} weights; {REMEDY}")
    for index, (view, tensor) in enumerate(zip(wanted, averages)):
        _copy(view, tensor, f"{file}: ema.shadow_params[{index}]")


def _copy(view: Tensor, tensor: Any, where: str) -> None:
    if not isinstance(tensor, Tensor) or tensor.shape != view.shape:
        found = list(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
        raise CheckpointError(f"{where}: is {found}, but the network has {list(view.shape)}; {REMEDY}")
    view.copy_(tensor)
