"""What a sampler's run cost, as published and otherwise."""

from typing import Any

from common.dynamics.samplers.result import Samples
from common.runs.folders import row


def published_nfe(found: Samples) -> int:
    """Return a batch's evaluations as the adaptive solver's are published: its slowest sample's, without the denoising one."""
    return int(found.nfe.max()) - 1


def cost_rows(found: Samples, *, nfe: float, **labels: Any) -> list[dict[str, Any]]:
    """Return rows of the evaluations as published, of their mean over samples, and of the share of rejected steps.

    nfe: as published, of one batch or the mean over batches. The mean over samples leaves the denoising evaluation out too; a
    step on trial takes two.
    """
    mean = float(found.nfe.double().mean()) - 1
    labels |= {"n": len(found.x), "nfe": nfe}
    return [
        row("nfe_max", nfe, unit="evaluations", **labels),
        row("nfe_mean", mean, unit="evaluations", **labels),
        row("rejected_share", 2 * float(found.rejected.double().mean()) / mean, **labels),
    ]
