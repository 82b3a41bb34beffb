"""One regression under four names, and DDPM's chain as the VP-SDE at equal times (Yang 2022, Section 2).

    |noise|^2  =  sigma^2 |score|^2  =  (alpha / sigma)^2 |data|^2  =  |velocity|^2 / (sigma' - sigma alpha' / alpha)^2

for the errors of one model, whatever it predicts.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Answering, Quantity, Time
from common.dynamics.ddpm_levels import ddpm_path
from common.dynamics.paths import PATHS, GaussianPath, Schedule, vp
from common.learning.objectives import Objective, Weight, regression_loss
from common.runs.experiment import Context
from common.runs.folders import row
from replications.score_sde.facts.toy_mixture import Toy

Row = dict[str, Any]
EARLY, LATE = 0.05, 0.95  # times of the losses: away from where a quantity is infinite


def weights(path: GaussianPath) -> dict[Quantity, Weight | Schedule]:
    """Return the weight with which each quantity's loss is the noise loss."""
    return {
        "noise": "one",
        "score": "sigma_squared",
        "data": lambda t: (path.alpha(t) / path.sigma(t)).square(),
        "velocity": lambda t: (path.sigma_dot(t) - path.sigma(t) * path.drift_coefficient(t)).pow(-2),
    }


def loss_rows(toy: Toy, points: int, context: Context) -> list[Row]:
    """Return the largest relative difference of each loss to the noise loss, over random points, times and noise."""
    generator, dim = context.generator("losses"), toy.means.shape[1]
    x0 = toy.on(vp()).sample(points, generator=generator)
    noise = torch.randn(points, dim, generator=generator, dtype=torch.float64)
    t = EARLY + (LATE - EARLY) * torch.rand(points, generator=generator, dtype=torch.float64)
    matrix = torch.randn(dim, dim, generator=generator, dtype=torch.float64)

    def guess(x: Float[Tensor, "n dim"], t: Time) -> Float[Tensor, "n dim"]:
        """Return some prediction of the noise: the identities ask nothing of it."""
        return torch.tanh(x @ matrix + t[:, None])

    rows = []
    for name, make in PATHS.items():
        path = make()
        model, found = Answering(path, "noise", guess), {}
        for quantity, weight in weights(path).items():
            objective = Objective(path, quantity, weight)
            found[quantity] = regression_loss(lambda x, t: model.answer(quantity, x, t), objective, x0, t=t, noise=noise)  # noqa: B023
        for quantity in ("score", "data", "velocity"):
            gap = (found[quantity] / found["noise"] - 1).abs().max()
            rows.append(row("loss_gap", gap, method=quantity, variant=name, n=points))
    return rows


def ddpm_rows(levels: list[int]) -> list[Row]:
    """Return the relative difference of DDPM's alpha_bar_N and the VP-SDE's alpha(1)^2 by N, and the order at which it falls."""
    end, rows = torch.ones(1, dtype=torch.float64), []
    for count in levels:
        gap = abs(float(ddpm_path(count).alpha(end).square() / vp().alpha(end).square()) - 1)
        rows.append(row("ddpm_gap", gap, variant="vp", axis="scales", at=count))
    return [*rows, order_row([found["value"] for found in rows], levels, method="ddpm_gap", variant="vp")]


def order_row(errors: list[float], steps: list[int], **labels: Any) -> Row:
    """Return the row of the power of the number of steps with which errors fall, at the two largest."""
    (coarse, fine), (few, many) = errors[-2:], steps[-2:]
    order = torch.tensor(coarse / fine).log() / torch.tensor(many / few).log()
    return row("order", order, axis="steps", at=many, **labels)
