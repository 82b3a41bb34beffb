"""A file in the layout of clean-fid's Inception weights, whose features are known in closed form."""

import hashlib
from pathlib import Path

import pytest
import torch

from common.measure.metrics import inception


class StandIn(torch.nn.Module):
    """Has the layout of clean-fid's TorchScript file, the mean colours of the image and of its upper half as first features."""

    def __init__(self):
        super().__init__()
        self.layers = Colours()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class Colours(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        means = torch.cat([x.mean(dim=[2, 3]), x[:, :, : x.shape[2] // 2].mean(dim=[2, 3])], dim=1)
        return torch.nn.functional.pad(means, [0, 2042])


def put_weights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the stand-in's weights into `folder`, where they are looked for and taken for the published ones."""
    file = folder / inception.WEIGHTS
    torch.jit.script(StandIn()).save(str(file))
    monkeypatch.setenv("RETRACE_DATA", str(folder))
    monkeypatch.setattr(inception, "WEIGHTS_SHA256", hashlib.sha256(file.read_bytes()).hexdigest())
    return file
