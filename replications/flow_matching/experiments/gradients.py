"""Compare the gradients of conditional and marginal flow matching on a finite data set (Theorem 2).

On a finite data set the marginal field is known exactly, so both losses can be taken on the same states. Their gradients agree
in expectation: with n draws they differ by noise alone, which falls as 1 / sqrt(n), where a bias would stay.
"""

from collections.abc import Iterator

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from common.dynamics.oracles import EmpiricalDistribution
from common.dynamics.paths import PATHS, GaussianPath
from common.learning.data.densities import DENSITIES
from common.learning.nets.build import MLPSettings, build_backbone
from common.learning.objectives import draw_times
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base

VARIANT = ()
METHODS = {"fm_ot": "ot", "fm_vp": "vp"}
EARLIEST = 0.01  # the fields of a finite data set are singular at the data


class Settings(Base):
    """Settings of the measurement."""

    points: PositiveInt = Field(default=64, description="points of the data set, drawn from the checkerboard")
    draws: list[PositiveInt] = Field(description="numbers n of draws (t, x_0, eps)")
    repeats: PositiveInt = Field(description="independent measurements at each n")
    backbone: MLPSettings = Field(default=MLPSettings(width=32, blocks=1), description="network, with random weights")


def run(settings: Settings, context: Context) -> Outcome:
    """Measure the gap between both gradients for each path and number of draws."""
    data = DENSITIES["checkerboard"](settings.points, generator=context.generator("data")).double()
    network = build_backbone(settings.backbone, (2,), seed=context.seed_for("weights")).double()
    nn.init.normal_(network.leave.weight, std=0.1, generator=context.generator("leave"))  # zero at first: no gradient below it
    rows = []
    for method, name in METHODS.items():
        for n in settings.draws:
            gaps = torch.tensor(list(relative_gaps(network, PATHS[name](), data, n, settings.repeats, context)))
            labels = {"dataset": "checkerboard", "method": method, "axis": "draws", "at": n, "n": n}
            rows.append(row("gradient_gap", gaps.square().mean().sqrt(), **labels))
    return Outcome(rows)


def relative_gaps(
    network: nn.Module, path: GaussianPath, data: Tensor, n: int, repeats: int, context: Context
) -> Iterator[float]:
    """Yield |gradient of CFM - gradient of FM| / |gradient of FM| on the same n draws, for each repeat."""
    oracle = EmpiricalDistribution(path, data)
    for repeat in range(repeats):
        generator = context.generator("draws", n, repeat)
        x0 = data[torch.randint(len(data), (n,), generator=generator)]
        t = draw_times(path, n, generator=generator, dtype=torch.float64).clamp_min(EARLIEST)
        noise = torch.randn(x0.shape, generator=generator, dtype=torch.float64)
        x = path.perturb(x0, t, noise)
        answer = network(x, t)
        fields = path.conditional_velocity(x0, t, noise), oracle.velocity(x, t)
        conditional, marginal = (flat_gradient(network, (answer - field).square().mean()) for field in fields)
        yield float((conditional - marginal).norm() / marginal.norm())


def flat_gradient(network: nn.Module, loss: Tensor) -> Tensor:
    """Return the loss's gradient in all weights as one vector."""
    parts = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
    return torch.cat([part.flatten() for part in parts])
