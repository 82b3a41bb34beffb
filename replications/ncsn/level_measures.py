"""What a trained network knows at each noise level: its weighted denoising loss, and the size of its score (Section 4.2)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from common.learning.data.scale import rescaled
from common.runs.experiment import Context
from common.runs.folders import row
from replications.ncsn.networks import Trained, levels_of
from replications.ncsn.score_matching import half_square


def by_level(network: Trained, images: Float[Tensor, "n c h w"], context: Context) -> dict[float, tuple[float, float]]:
    """Return at each noise level (for pixels in [0, 1]) the loss times sigma^2, and the score's mean norm, on noised images."""
    model, x0 = network.model, rescaled(images, (-1.0, 1.0), network.pixel_range)
    generator = context.generator("noise of the test images", device=context.device)
    scale, found = network.pixel_range[1] - network.pixel_range[0], {}
    with torch.no_grad():
        for t, level in zip(model.known_times.tolist(), levels_of(network).tolist()):
            sigma = level * scale
            noise = torch.randn(x0.shape, generator=generator, device=x0.device)
            score = torch.cat([model.score(part, t) for part in (x0 + sigma * noise).split(500)])
            loss = half_square(sigma * score + noise).mean()
            found[level] = (float(loss), float(score.flatten(1).norm(dim=1).mean()) * scale)
    return found


def level_rows(measured: Mapping[float, tuple[float, float]], labels: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of each level, and the mean of the weighted losses, which is the objective on unseen images."""
    rows = [row("objective", np.mean([loss for loss, _ in measured.values()]), unit="1", **labels)]
    for sigma, (loss, norm) in measured.items():
        where = {"axis": "sigma", "at": sigma, **labels}
        rows += [row("weighted_loss", loss, **where), row("score_norm", norm, **where)]
    return rows
