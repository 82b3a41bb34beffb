"""FID: the Fréchet distance in features of Inception-v3, as clean-fid computes them (Parmar et al. 2022).

Resizing decides FID's second digit, so the resize (bicubic with antialiasing, in float) and the network are clean-fid's.
The network's weights are a file of 96 MB that is looked for, never fetched in passing: a metric that downloads silently
would fail half-way on a cluster without network.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8

from common.errors import DataError, RetraceError

WEIGHTS = "inception-2015-12-05.pt"
WEIGHTS_URL = f"https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/{WEIGHTS}"
WEIGHTS_SHA256 = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"


def inception_features(
    images: UInt8[np.ndarray, "n c h w"], *, device: torch.device | str = "cpu", batch: int = 64
) -> Float[np.ndarray, "n 2048"]:
    """Return the 2048 pooled features of each image; a grey image is repeated in three channels."""
    from cleanfid.inception_torchscript import InceptionV3W
    from cleanfid.resize import build_resizer

    colour = in_colour(images, "FID").transpose(0, 2, 3, 1)
    network = InceptionV3W(str(find_weights().parent), download=False).to(device)
    resize = build_resizer("clean")
    features = []
    with torch.no_grad():
        for start in range(0, len(images), batch):
            resized = np.stack([resize(image) for image in colour[start : start + batch]])
            pixels = torch.from_numpy(resized).permute(0, 3, 1, 2).to(device)
            features.append(network(pixels).double().cpu().numpy())
    return np.concatenate(features)


def in_colour(images: UInt8[np.ndarray, "n c h w"], metric: str) -> UInt8[np.ndarray, "n 3 h w"]:
    """Return images of three channels, grey ones repeated; raises `RetraceError` in the name of `metric` for other channels."""
    if images.shape[1] not in (1, 3):
        raise RetraceError(f"{metric} needs images of 1 or 3 channels, not {images.shape[1]}")
    return np.broadcast_to(images, (len(images), 3, *images.shape[2:]))


def find_weights(metric: str = "FID") -> Path:
    """Return the file of Inception weights from $RETRACE_DATA, ./data or clean-fid's own place, with its SHA-256 checked.

    Raises `DataError`, in the name of the `metric` that needs it, if it is missing or another file.
    """
    from tempfile import gettempdir

    given = os.environ.get("RETRACE_DATA")
    places = [*([Path(given)] if given else []), Path("data"), Path(gettempdir())]
    found = [place / WEIGHTS for place in places if (place / WEIGHTS).is_file()]
    if not found:
        searched = ", ".join(map(str, places))
        raise DataError(f"{metric} needs {WEIGHTS}, found in none of {searched}; put {WEIGHTS_URL} in ./data or $RETRACE_DATA")
    with found[0].open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != WEIGHTS_SHA256:
        raise DataError(f"{found[0]}: not the published weights (SHA-256 {digest}); delete it and put {WEIGHTS_URL} there")
    return found[0]
