"""A file in the layout of NVIDIA's Inception weights, whose features and classes are known in closed form."""

import hashlib
from pathlib import Path

import pytest
import torch

from common.measure.metrics import inception

CLASSES, GAIN, BIASED = 1008, 3.0, 7


class StandIn(torch.nn.Module):
    """Has the layout of the TorchScript file, and mean colours for features.

    `layers`, which clean-fid calls, gives the mean colours of the image and of its upper half as first features. The whole
    module takes pixels 0 ... 255 of any size and answers with a softmax of `output`, GAIN times these features; its bias favours
    the class BIASED. It does not resize; instead the logit of the next class is the image's width in units of 299 pixels, and
    half precision is an error, so a call with a resize of its own or with another flag is noticed.
    """

    def __init__(self):
        super().__init__()
        self.layers = Colours()
        self.output = torch.nn.Linear(2048, CLASSES)
        torch.nn.init.zeros_(self.output.weight)
        torch.nn.init.zeros_(self.output.bias)
        with torch.no_grad():
            self.output.weight[:6, :6] = GAIN * torch.eye(6)
            self.output.bias[BIASED] = 5.0

    def forward(
        self, img: torch.Tensor, return_features: bool = False, use_fp16: bool = False, no_output_bias: bool = False
    ) -> torch.Tensor:
        assert img.shape[1] == 3 and not use_fp16
        features = self.layers((img.to(torch.float32) - 128) / 128)
        if return_features:
            return features
        logits = torch.nn.functional.linear(features, self.output.weight)
        if not no_output_bias:
            logits = self.output(features)
        logits[:, 8] += img.shape[3] / 299
        return torch.nn.functional.softmax(logits, dim=1)


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
