"""Forward SDEs against their closed forms, and discrete chains against the SDEs that they become (Song 2021, eq. 29, App. B, C).

Rows have the SDE as `dataset`.
"""

from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from common.dynamics.answers import Answering
from common.dynamics.paths import GaussianPath, sub_vp, ve, vp
from common.runs.experiment import Context
from common.runs.folders import row
from common.runs.settings import Settings as Base
from replications.score_sde.discrete_chains import ddpm_curves, smld_curves
from replications.score_sde.discretisation import forward_euler, simulated

Row = dict[str, Any]
LOOKED_AT = (0.25, 0.5, 0.75, 1.0)  # times of the simulated SDEs
# of the schedules whose variances are compared: where beta_min, beta_max and the variance at t = 0 are drawn from
LEAST, MOST = (0.05, 5.0, 0.0), (1.0, 30.0, 2.0)
CHAINS = {"smld": ("ve", smld_curves), "ddpm": ("vp", ddpm_curves)}
FIGURE, EVERY = 1000, 5  # scales of Figure 5, and every how many of them is kept


class ForwardSettings(Base):
    """Settings of what is measured of forward SDEs."""

    chains: PositiveInt = Field(ge=2, description="simulations of each SDE, from one point")
    steps: PositiveInt = Field(multiple_of=4, description="Euler-Maruyama steps of a simulation")
    schedules: PositiveInt = Field(default=100, description="schedules and variances of data at which variances are compared")
    times: PositiveInt = Field(default=1000, description="times at which they are compared")
    scales: list[PositiveInt] = Field(description="N of the discrete chains")


def forward_rows(settings: ForwardSettings, context: Context) -> list[Row]:
    """Return all that is measured of forward SDEs."""
    return [*simulation_rows(settings, context), *order_rows(settings, context), *kernel_rows(settings.scales)]


def simulation_rows(settings: ForwardSettings, context: Context) -> list[Row]:
    """Return how far simulations from one point are from eq. 29: the mean in standard deviations, the variance relatively.

    The VE SDE adds sigma(t)^2 - sigma(0)^2 to a point, and that is what it is compared with.
    """
    x0 = float(torch.randn((), generator=context.generator("point"), dtype=torch.float64))
    rows = []
    for path in (ve(), vp(), sub_vp()):
        for t, (mean, variance) in simulated_moments(path, x0, settings, context).items():
            scale, wanted = (float(value) for value in of_point(path, torch.tensor(t, dtype=torch.float64)))
            labels = {"dataset": path.name, "axis": "t", "at": t, "n": settings.chains}
            gap = abs(mean - scale * x0) / wanted**0.5
            rows.append(row("simulated_mean_gap", gap, error=settings.chains**-0.5, unit="standard deviations", **labels))
            gap = abs(variance / wanted - 1)
            rows.append(row("simulated_variance_gap", gap, error=(2 / settings.chains) ** 0.5, unit="ratio", **labels))
    return rows


def of_point(path: GaussianPath, t: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean scale and variance of an SDE that starts in a point at t = 0."""
    scale = path.alpha(t)
    return scale, path.sigma(t).square() - (scale * path.sigma(torch.zeros_like(t))).square()


def simulated_moments(
    path: GaussianPath, x0: float, settings: ForwardSettings, context: Context
) -> dict[float, tuple[float, float]]:
    """Return mean and variance of simulations from x0, by time."""
    found, wanted = {}, {round(t * settings.steps) - 1: t for t in LOOKED_AT}

    def look(step: int, t: float, x: Tensor) -> None:
        if step in wanted:
            found[wanted[step]] = (float(x.double().mean()), float(x.double().var()))

    nothing = Answering(path, "score", lambda x, t: x)  # a forward chain asks nothing of its model
    start = torch.full((settings.chains, 1), x0, device=context.device)
    times = torch.linspace(0, 1, settings.steps + 1, dtype=torch.float64)
    noise = context.generator("forward", path.name, device=context.device)
    simulated(forward_euler)(nothing, start, times, generator=noise, callback=look)
    return found


def order_rows(settings: ForwardSettings, context: Context) -> list[Row]:
    """Return sub-VP's variance over VP's, the largest at any time of any schedule, and how near 1 the published ones end."""
    generator, t = context.generator("schedules"), torch.linspace(0, 1, settings.times + 1, dtype=torch.float64)[1:]
    least, most = torch.tensor([LEAST, MOST], dtype=torch.float64)
    drawn = least + (most - least) * torch.rand(settings.schedules, 3, generator=generator, dtype=torch.float64)
    ratios = [
        variance(sub_vp(beta_min, beta_max), start, t) / variance(vp(beta_min, beta_max), start, t)
        for beta_min, beta_max, start in drawn.tolist()
    ]
    start = float(drawn[0, 2])
    return [
        row("sub_vp_over_vp", torch.stack(ratios).max(), method="variance", unit="ratio", n=settings.schedules),
        *(
            row("end_variance_gap", (variance(path, start, t[-1:]) - 1).abs(), dataset=path.name, method="variance")
            for path in (vp(), sub_vp())
        ),
        row("kept_variance_gap", (variance(vp(), 1.0, t) - 1).abs().max(), dataset="vp", method="variance"),
    ]


def variance(path: GaussianPath, start: float, t: Tensor) -> Tensor:
    """Return the variance at times t of data with variance `start`."""
    return path.alpha(t).square() * start + path.sigma(t).square()


def kernel_rows(scales: list[int]) -> list[Row]:
    """Return how far the chains' kernels are from the SDEs' by N: relatively, and as a share of the curve's range."""
    rows = []
    for method, (sde, curves_of) in CHAINS.items():
        for count in scales:
            curves = curves_of(count)
            labels = {"dataset": sde, "method": method, "axis": "scales", "at": count, "unit": "ratio"}
            pairs = {"variance": (curves.variance_of_chain, curves.variance)}
            if method == "ddpm":
                pairs["mean"] = (curves.mean_of_chain, curves.mean)
            for variant, (chain, exact) in pairs.items():
                gap = (chain - exact).abs()
                rows.append(row("kernel_gap", (gap / exact).max(), variant=variant, **labels))
                rows.append(row("overlay_gap", gap.max() / exact.max(), variant=variant, **labels))
    return rows


def figure_5() -> dict[str, np.ndarray]:
    """Return the curves of Figure 5, thinned out."""
    smld, ddpm = smld_curves(FIGURE), ddpm_curves(FIGURE)
    curves = {"t": smld.t, "smld_variance": smld.variance_of_chain, "ve_variance": smld.variance}
    curves |= {"ddpm_mean": ddpm.mean_of_chain, "vp_mean": ddpm.mean}
    curves |= {"ddpm_variance": ddpm.variance_of_chain, "vp_variance": ddpm.variance}
    # from the last one back, so that the end of the curve is there
    return {name: values.flip(0)[::EVERY].flip(0).numpy().astype(np.float32) for name, values in curves.items()}
