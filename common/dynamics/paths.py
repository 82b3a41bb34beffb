"""Gaussian paths between data and noise: x_t = alpha(t) x_0 + sigma(t) eps, eps ~ N(0, I), from t = 0 (data) to t = 1 (noise).

alpha, sigma and their time derivatives say everything. From them follow

    the forward SDE        dx = f(t) x dt + g(t) dw,   f = alpha'/alpha,   g^2 = (sigma^2)' - 2 f sigma^2
    the marginal           p_t(x | x_0) = N(alpha x_0, sigma^2 I)
    the conditional field  alpha' x_0 + sigma' eps

so variance preserving (VP), sub-VP and variance exploding (VE) diffusions (Song 2021, eq. 29), NCSN's ladder of noise levels
(Song & Ermon 2019) and the optimal-transport path of flow matching (Lipman 2022, eq. 20) are rows of one table. Lipman's time
runs the other way: it is 1 - t here.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Generator, Tensor

Schedule = Callable[[Tensor], Tensor]


def broadcast(values: Tensor, x: Tensor) -> Tensor:
    """Return a scalar or [batch] tensor with trailing axes added, so that it multiplies x [batch, *shape]."""
    return values if values.ndim == 0 else values.reshape(-1, *[1] * (x.ndim - 1))


@dataclass(frozen=True)
class Prior:
    """Where a flow ends: N(0, prior_std^2 I) at t = 1, and the times that may be asked for on the way from data at t = 0."""

    name: str
    prior_std: float = field(kw_only=True)  # standard deviation of the prior N(0, prior_std^2 I) that samplers start from
    t_min: float = field(kw_only=True, default=0.0)  # the smallest time at which the model is asked
    t_max: float = field(kw_only=True, default=1.0)  # the largest time at which f and g are finite; the velocity is finite at 1

    def prior_sample(
        self,
        shape: tuple[int, ...],
        *,
        generator: Generator,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float64,
    ) -> Tensor:
        """Return samples of the prior."""
        return self.prior_std * torch.randn(shape, generator=generator, device=device, dtype=dtype)

    def prior_log_density(self, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, " batch"]:
        """Return the prior's log-density in nats."""
        flat = x.flatten(1)
        constant = flat.shape[1] * (0.5 * math.log(2 * math.pi) + math.log(self.prior_std))
        return -0.5 * (flat / self.prior_std).square().sum(1) - constant


STANDARD_NORMAL = Prior("standard normal", prior_std=1.0)


@dataclass(frozen=True)
class GaussianPath(Prior):
    """A path, given by alpha, sigma and their derivatives: functions of a tensor of times, of any shape and float dtype."""

    alpha: Schedule
    sigma: Schedule
    alpha_dot: Schedule
    sigma_dot: Schedule

    def drift_coefficient(self, t: Tensor) -> Tensor:
        """Return f(t) of the forward SDE's drift f(t) x."""
        return self.alpha_dot(t) / self.alpha(t)

    def diffusion_squared(self, t: Tensor) -> Tensor:
        """Return g(t)^2, the squared diffusion coefficient of the forward SDE."""
        sigma = self.sigma(t)
        return 2 * sigma * (self.sigma_dot(t) - self.drift_coefficient(t) * sigma)

    def marginal(
        self, x0: Float[Tensor, "batch *shape"], t: Float[Tensor, "*times"]
    ) -> tuple[Float[Tensor, "batch *shape"], Tensor]:
        """Return mean and standard deviation of p_t(x | x_0); the latter has as many axes as it takes to multiply x_0."""
        return broadcast(self.alpha(t), x0) * x0, broadcast(self.sigma(t), x0)

    def perturb(
        self, x0: Float[Tensor, "batch *shape"], t: Float[Tensor, "*times"], noise: Float[Tensor, "batch *shape"]
    ) -> Float[Tensor, "batch *shape"]:
        """Return x_t = alpha x_0 + sigma eps."""
        mean, std = self.marginal(x0, t)
        return mean + std * noise

    def conditional_velocity(
        self, x0: Float[Tensor, "batch *shape"], t: Float[Tensor, "*times"], noise: Float[Tensor, "batch *shape"]
    ) -> Float[Tensor, "batch *shape"]:
        """Return d x_t / dt = alpha' x_0 + sigma' eps at fixed x_0 and eps."""
        return broadcast(self.alpha_dot(t), x0) * x0 + broadcast(self.sigma_dot(t), x0) * noise


@dataclass(frozen=True)
class VariancePreserving(GaussianPath):
    """A path of alpha^2 + sigma^2 = 1, given by its rate too: f and g^2 are known without an exponential."""

    beta: Schedule = field(kw_only=True)

    def drift_coefficient(self, t: Tensor) -> Tensor:
        """Return f(t) = -beta/2."""
        return -0.5 * self.beta(t)

    def diffusion_squared(self, t: Tensor) -> Tensor:
        """Return g(t)^2 = beta."""
        return self.beta(t)


def _growth(beta_min: float, beta_max: float) -> tuple[Schedule, Schedule]:
    """Return beta(t), linear, and its integral B(t)."""
    slope = beta_max - beta_min
    return lambda t: beta_min + slope * t, lambda t: beta_min * t + 0.5 * slope * t**2


def vp(beta_min: float = 0.1, beta_max: float = 20.0) -> GaussianPath:
    """Variance preserving (Song 2021, eq. 11, 29): alpha = exp(-B/2), sigma^2 = 1 - exp(-B), f = -beta/2, g^2 = beta."""
    beta, integral = _growth(beta_min, beta_max)

    def alpha(t: Tensor) -> Tensor:
        return torch.exp(-0.5 * integral(t))

    def sigma(t: Tensor) -> Tensor:
        return torch.sqrt(-torch.expm1(-integral(t)))

    def alpha_dot(t: Tensor) -> Tensor:
        return -0.5 * beta(t) * alpha(t)

    def sigma_dot(t: Tensor) -> Tensor:
        return 0.5 * beta(t) * torch.exp(-integral(t)) / sigma(t)

    return VariancePreserving("vp", alpha, sigma, alpha_dot, sigma_dot, beta=beta, prior_std=1.0, t_min=1e-5)


def sub_vp(beta_min: float = 0.1, beta_max: float = 20.0) -> GaussianPath:
    """Sub-VP (Song 2021, eq. 13, 29): alpha = exp(-B/2), sigma = 1 - exp(-B), g^2 = beta (1 - exp(-2B))."""
    beta, integral = _growth(beta_min, beta_max)

    def alpha(t: Tensor) -> Tensor:
        return torch.exp(-0.5 * integral(t))

    def sigma(t: Tensor) -> Tensor:
        return -torch.expm1(-integral(t))

    def alpha_dot(t: Tensor) -> Tensor:
        return -0.5 * beta(t) * alpha(t)

    def sigma_dot(t: Tensor) -> Tensor:
        return beta(t) * torch.exp(-integral(t))

    return GaussianPath("sub_vp", alpha, sigma, alpha_dot, sigma_dot, prior_std=1.0, t_min=1e-5)


def ve(sigma_min: float = 0.01, sigma_max: float = 50.0) -> GaussianPath:
    """Variance exploding (Song 2021, eq. 9, 29): alpha = 1, sigma = sigma_min (sigma_max/sigma_min)^t, g^2 = d sigma^2 / dt.

    The kernel's variance is taken as sigma(t)^2, as published; an SDE simulated from clean data has sigma(t)^2 - sigma_min^2.
    """
    rate = math.log(sigma_max / sigma_min)

    def sigma(t: Tensor) -> Tensor:
        return sigma_min * torch.exp(rate * t)

    def sigma_dot(t: Tensor) -> Tensor:
        return rate * sigma(t)

    return GaussianPath("ve", torch.ones_like, sigma, torch.zeros_like, sigma_dot, prior_std=sigma_max, t_min=1e-5)


def optimal_transport(sigma_min: float = 1e-5) -> GaussianPath:
    """Lipman 2022, eq. 20, in our time: alpha = 1 - t, sigma = sigma_min + (1 - sigma_min) t; f = -1/(1 - t).

    alpha vanishes at t = 1, so f and g^2 are infinite there: SDE samplers start at `t_max`, ODE samplers at 1.
    """

    def alpha(t: Tensor) -> Tensor:
        return 1 - t

    def sigma(t: Tensor) -> Tensor:
        return sigma_min + (1 - sigma_min) * t

    def alpha_dot(t: Tensor) -> Tensor:
        return torch.full_like(t, -1.0)

    def sigma_dot(t: Tensor) -> Tensor:
        return torch.full_like(t, 1 - sigma_min)

    return GaussianPath("ot", alpha, sigma, alpha_dot, sigma_dot, prior_std=1.0, t_min=0.0, t_max=1 - 1e-3)


PATHS: dict[str, Callable[..., GaussianPath]] = {"vp": vp, "sub_vp": sub_vp, "ve": ve, "ot": optimal_transport}


def level_times(path: GaussianPath, count: int) -> Float[Tensor, " levels"]:
    """Return the times of `count` noise levels, largest noise first: evenly spaced from 1 down to the least noise there is.

    On the VE path they are NCSN's geometric ladder, down to sigma_min; where there is no noise at 0 they end at 1/count (DDPM).
    """
    last = 0.0 if float(path.sigma(torch.zeros(()))) > 0 else 1 / count
    return torch.linspace(1, last, count, dtype=torch.float64)


def ladder(sigma_max: float, sigma_min: float, count: int) -> Float[Tensor, " levels"]:
    """Return NCSN's geometric ladder of noise levels, largest first: the VE path's sigma at evenly spaced times."""
    path = ve(sigma_min, sigma_max)
    return path.sigma(level_times(path, count))


def uniform_times(path: Prior, steps: int, *, t_min: float | None = None, t_max: float = 1.0) -> Float[Tensor, " points"]:
    """Return steps + 1 evenly spaced times in float64, from `t_max` down to `t_min` (the path's own unless given)."""
    return torch.linspace(t_max, path.t_min if t_min is None else t_min, steps + 1, dtype=torch.float64)
