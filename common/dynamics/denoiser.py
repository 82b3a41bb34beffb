"""A denoiser is a backbone, a path, and what the backbone's output means; it answers every question a sampler can ask.

On x_t = alpha x_0 + sigma eps each quantity of interest is a linear functional (q0, q1) of (x_0, eps):

    data (1, 0)    noise (0, 1)    velocity (alpha', sigma')    score (0, -1/sigma)    and x itself (alpha, sigma)

so any target r follows from x and any prediction q by solving c_x (alpha, sigma) + c_q (q0, q1) = (r0, r1): one formula for all
conversions. It holds for the conditional quantities and, since it is linear, for their means given x_t, which networks learn.

The determinant vanishes where x and q say the same: noise and score know nothing of the data where alpha = 0 (t = 1 on the
optimal-transport path), the data nothing of the noise where sigma = 0.
"""

from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from common.dynamics.paths import GaussianPath, broadcast
from common.errors import UnsupportedModelError

Quantity = Literal["data", "noise", "score", "velocity"]
Time = float | Tensor


@runtime_checkable
class Denoising(Protocol):
    """What samplers and likelihoods ask of a model: trained denoisers and exact oracles alike."""

    path: GaussianPath
    levels: Tensor | None

    def denoised(self, x: Tensor, t: Time) -> Tensor:
        """Return E[x_0 | x_t = x]."""

    def noise(self, x: Tensor, t: Time) -> Tensor:
        """Return E[eps | x_t = x]."""

    def score(self, x: Tensor, t: Time) -> Tensor:
        """Return the gradient of log p_t at x."""

    def velocity(self, x: Tensor, t: Time) -> Tensor:
        """Return the probability-flow field at x."""


def as_time(t: Time, x: Tensor) -> Tensor:
    """Return `t` as a tensor of x's dtype and device, 0-dimensional or [batch]."""
    if isinstance(t, Tensor):
        return t.to(x)
    # filled on the device: a copied number would make the host wait for it at every evaluation
    return torch.full((), t, dtype=x.dtype, device=x.device)


def functional(path: GaussianPath, quantity: Quantity, t: Tensor) -> tuple[Tensor, Tensor]:
    """Return (q0, q1): the quantity is q0 x_0 + q1 eps."""
    zero, one = torch.zeros_like(t), torch.ones_like(t)
    if quantity == "data":
        return one, zero
    if quantity == "noise":
        return zero, one
    if quantity == "score":
        return zero, -1 / path.sigma(t)
    return path.alpha_dot(t), path.sigma_dot(t)


def convert(
    path: GaussianPath,
    source: Quantity,
    target: Quantity,
    output: Float[Tensor, "batch *shape"],
    x: Float[Tensor, "batch *shape"],
    t: Time,
) -> Float[Tensor, "batch *shape"]:
    """Return the target quantity from the source quantity `output` at (x, t), in x's dtype."""
    if source == target:
        return output
    t = as_time(t, x)
    alpha, sigma = path.alpha(t), path.sigma(t)
    (q0, q1), (r0, r1) = functional(path, source, t), functional(path, target, t)
    determinant = alpha * q1 - sigma * q0
    of_x, of_output = (r0 * q1 - r1 * q0) / determinant, (alpha * r1 - sigma * r0) / determinant
    return broadcast(of_x, x) * x + broadcast(of_output, x) * output


class Denoiser(nn.Module):
    """A backbone `net(x, t)` on a path, predicting one quantity and answering all four.

    The backbone runs in its own dtype and the conversions in x's, so that a solver can keep its state in float64 around a float32
    network. `levels` lists the times that the network knows, if it does not know all of them (NCSN v1).
    """

    def __init__(self, backbone: nn.Module, path: GaussianPath, prediction: Quantity, levels: Tensor | None = None) -> None:
        super().__init__()
        self.backbone, self.path, self.prediction = backbone, path, prediction
        # moves with the module, but is no weight
        self.register_buffer("known_times", levels, persistent=False)

    @property
    def levels(self) -> Tensor | None:
        """The times that the network knows, or None if it knows all: a property, as `Denoising` does not look into buffers."""
        return self.known_times

    def forward(self, x: Float[Tensor, "batch *shape"], t: Time) -> Float[Tensor, "batch *shape"]:
        """Return the backbone's own prediction."""
        dtype = next((parameter.dtype for parameter in self.backbone.parameters()), x.dtype)
        # a sampler's one time stays one time: the network embeds it once and not for every sample
        times = as_time(t, x).to(dtype).reshape(-1)
        return self.backbone(x.to(dtype), times).to(x.dtype)

    def answer(self, quantity: Quantity, x: Tensor, t: Time) -> Tensor:
        """Return any of the four quantities with one evaluation of the backbone."""
        return convert(self.path, self.prediction, quantity, self(x, t), x, t)

    def denoised(self, x: Float[Tensor, "batch *shape"], t: Time) -> Float[Tensor, "batch *shape"]:
        """Return E[x_0 | x_t = x]."""
        return self.answer("data", x, t)

    def noise(self, x: Float[Tensor, "batch *shape"], t: Time) -> Float[Tensor, "batch *shape"]:
        """Return E[eps | x_t = x]."""
        return self.answer("noise", x, t)

    def score(self, x: Float[Tensor, "batch *shape"], t: Time) -> Float[Tensor, "batch *shape"]:
        """Return the gradient of log p_t at x."""
        return self.answer("score", x, t)

    def velocity(self, x: Float[Tensor, "batch *shape"], t: Time) -> Float[Tensor, "batch *shape"]:
        """Return the probability-flow field E[alpha' x_0 + sigma' eps | x_t = x]."""
        return self.answer("velocity", x, t)


def require_continuous(denoiser: Denoising, what: str) -> None:
    """Raise `UnsupportedModelError` if the model knows only discrete levels; the message is the reason in the tables."""
    if denoiser.levels is not None:
        raise UnsupportedModelError(
            f"{what} asks for any time, but this network knows {len(denoiser.levels)} discrete noise levels only"
        )
