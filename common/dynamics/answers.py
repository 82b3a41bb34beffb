"""What a sampler may ask of a model, and how one answer gives the others.

On x_t = alpha x_0 + sigma eps each quantity of interest is a linear functional (q0, q1) of (x_0, eps):

    data (1, 0)    noise (0, 1)    velocity (alpha', sigma')    score (0, -1/sigma)    and x itself (alpha, sigma)

so any target r follows from x and any prediction q by solving c_x (alpha, sigma) + c_q (q0, q1) = (r0, r1): one formula for all
conversions. It holds for the conditional quantities and, since it is linear, for their means given x_t, which networks learn.

The determinant vanishes where x and q say the same: noise and score know nothing of the data where alpha = 0 (t = 1 on the
optimal-transport path), the data nothing of the noise where sigma = 0.
"""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.divergence import exact_divergence
from common.dynamics.paths import GaussianPath, Prior, broadcast
from common.errors import UnsupportedModelError

Quantity = Literal["data", "noise", "score", "velocity"]
QUANTITIES: tuple[str, ...] = get_args(Quantity)
Time = float | Tensor
Field = Callable[[Tensor, Time], Tensor]  # field(x, t), x [batch, *shape]
SAME_TIME = 1e-5  # times nearer than this are one noise level: float32 must find its own


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
    of_x, of_output = combination(path, source, target, as_time(t, x))
    return broadcast(of_x, x) * x + broadcast(of_output, x) * output


def combination(path: GaussianPath, source: Quantity, target: Quantity, t: Tensor) -> tuple[Tensor, Tensor]:
    """Return (c_x, c_q): the target is c_x x + c_q times the source."""
    if source == target:
        return torch.zeros_like(t), torch.ones_like(t)
    alpha, sigma = path.alpha(t), path.sigma(t)
    (q0, q1), (r0, r1) = functional(path, source, t), functional(path, target, t)
    determinant = alpha * q1 - sigma * q0
    return (r0 * q1 - r1 * q0) / determinant, (alpha * r1 - sigma * r0) / determinant


class Answers:
    """Base of everything that samplers and likelihoods may ask: a model that knows one quantity on a path gives all four.

    A subclass says its `path`, its `prediction` and the `known_times` (None: all of them), and gives `predict(x, t)`: the
    prediction's mean given x_t = x. Denoisers, oracles, guided models and a user's own are told apart by that alone.
    """

    path: Prior
    prediction: Quantity
    known_times: Tensor | None  # of the noise levels that the model knows, if it does not know all times; on the host
    quantities: tuple[str, ...] = QUANTITIES

    def predict(self, x: Tensor, t: Time) -> Tensor:
        """Return what the model itself knows at (x, t)."""
        raise NotImplementedError(f"{type(self).__name__} must say what it predicts")

    def answer(self, quantity: Quantity, x: Tensor, t: Time) -> Tensor:
        """Return any of the model's quantities, of x's shape and dtype, with one evaluation.

        Raises `UnsupportedModelError` between the noise levels of a model that knows only these, and for what it does not know.
        """
        if quantity not in self.quantities:
            raise UnsupportedModelError(f"this model knows its {', '.join(self.quantities)} only, not its {quantity}")
        require_known(self, t)
        output = self.predict(x, t)
        return output if quantity == self.prediction else convert(self.path, self.prediction, quantity, output, x, t)

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

    def velocity_divergence(
        self, x: Float[Tensor, "batch *shape"], t: Tensor, *, chunk: int | None = None
    ) -> Float[Tensor, " batch"]:
        """Return the exact divergence of the velocity; `chunk` bounds how many dimensions are held in memory at once."""
        return exact_divergence(lambda t, state: self.velocity(state, t), t, x, chunk=chunk)[1]


class Answering(Answers):
    """A function that gives one quantity on a path: a foreign checkpoint, a closed form, a user's own network."""

    def __init__(self, path: GaussianPath, prediction: Quantity, function: Field, known_times: Tensor | None = None) -> None:
        self.path, self.prediction, self.function, self.known_times = path, prediction, function, known_times

    def predict(self, x: Float[Tensor, "batch *shape"], t: Time) -> Float[Tensor, "batch *shape"]:
        """Return the function's value."""
        return self.function(x, t)


class Guided(Answers):
    """A model whose score has a gradient added, e.g. of log p_t(y | x) from a classifier (Song 2021, eq. 14)."""

    prediction: Quantity = "score"

    def __init__(self, model: Answers, gradient: Field) -> None:
        self.model, self.gradient, self.path, self.known_times = model, gradient, model.path, model.known_times

    def predict(self, x: Float[Tensor, "batch *shape"], t: Time) -> Float[Tensor, "batch *shape"]:
        """Return the guided score."""
        return self.model.score(x, t) + self.gradient(x, t)


class VelocityFlow(Answers):
    """A flow that knows a velocity and a prior only (CNF, FFJORD): between data (0) and prior (1) lies no Gaussian path."""

    prediction: Quantity = "velocity"
    quantities: tuple[str, ...] = ("velocity",)
    known_times: Tensor | None = None

    def __init__(self, prior: Prior, velocity: Field) -> None:
        self.path, self.field = prior, velocity

    def predict(self, x: Float[Tensor, "batch *shape"], t: Time) -> Float[Tensor, "batch *shape"]:
        """Return dx/dt."""
        return self.field(x, t)


def level_of(known_times: Float[Tensor, " levels"], t: Tensor) -> Tensor:
    """Return the index of the noise level nearest to each time."""
    return (t.reshape(-1, 1) - known_times.to(t)).abs().argmin(1).reshape(t.shape)


def require_known(model: Answers, t: Time) -> None:
    """Raise `UnsupportedModelError` unless the model knows every one of these times.

    The levels' times stay on the host and a sampler asks at a number, so that no evaluation waits for a device.
    """
    if model.known_times is None:
        return
    known = model.known_times.tolist()
    # most are the levels themselves, and need no search
    times = (set(t.reshape(-1).tolist()) if isinstance(t, Tensor) else {t}) - set(known)
    wrong = max(times, key=lambda time: _from_known(known, time), default=None)
    if wrong is not None and not _from_known(known, wrong) <= SAME_TIME:
        raise UnsupportedModelError(f"it knows {len(known)} discrete noise levels only, and t = {wrong:.6g} is none of them")


def _from_known(known: Sequence[float], time: float) -> float:
    return min(abs(time - level) for level in known)


def require(model: Answers, what: str, quantity: Quantity = "velocity", times: Tensor | None = None) -> None:
    """Raise `UnsupportedModelError` unless `what` can run on the model; the message is the reason in the tables.

    `what` asks for `quantity` at `times` only, or, without times, wherever it likes.
    """
    if quantity not in model.quantities:
        known = ", ".join(model.quantities)
        raise UnsupportedModelError(f"{what} asks for the {quantity}, but this model knows its {known} only")
    if model.known_times is None:
        return
    if times is None:
        count = len(model.known_times)
        raise UnsupportedModelError(f"{what} asks for any time, but this network knows {count} discrete noise levels only")
    try:
        require_known(model, times)
    except UnsupportedModelError as error:
        raise UnsupportedModelError(f"{what} cannot run on this network: {error}") from None
