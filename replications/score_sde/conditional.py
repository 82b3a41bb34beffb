"""Controllable generation with an unconditional score (Song 2021, Sec. 5, App. I): imputation, colourisation, classes.

Imputation wraps the steps: after every update, of a predictor or a corrector, what is known is overwritten by a fresh sample of
p_t(. | known) at the time t at which the update started, as coded; the error of one step shrinks with their number. The mean,
which is what a sampler returns, gets the kernel's mean. It is the known values themselves where the last time is repeated.
Fresh samples do not belong to one path of the SDE, so a predictor alone falls short of the conditional at any number of steps;
correctors make up for it.

Colourisation is imputation in another basis of the channels, in which the grey value is one of them. The basis is orthogonal, so
noise in it is as isotropic as before.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from common.dynamics.answers import Answers, Field, Time, as_time
from common.dynamics.paths import GaussianPath
from common.dynamics.samplers.loop import Method, Noise, Step, Times, at

State = Float[Tensor, "batch *shape"]


class Known(NamedTuple):
    """Known values, where they are known, and the orthogonal basis of the channels in which both are told (None: their own).

    A basis is a matrix whose columns are the new channels; channels are the first axis of a sample.
    """

    values: State
    mask: Bool[Tensor, "*mask"]
    basis: Float[Tensor, "c c"] | None = None

    def into(self, x: State) -> State:
        """Return a state in the basis."""
        return x if self.basis is None else torch.einsum("bc...,ck->bk...", x, self.basis)

    def back(self, y: State) -> State:
        """Return a state of the basis in the channels' own."""
        return y if self.basis is None else torch.einsum("bk...,ck->bc...", y, self.basis)

    def put(self, values: State, x: State) -> State:
        """Return x with values, told in the basis, in place of what is known."""
        return self.back(torch.where(self.mask, values, self.into(x)))


def start(known: Known, prior: State) -> State:
    """Return where sampling starts: known data as they are, and samples of the prior elsewhere."""
    return known.put(known.values, prior)


def imputing(method: Method, known: Known) -> Method:
    """Return a predictor or corrector that puts known values back after each of its updates."""

    def imputing_method(path: GaussianPath, times: Times) -> Step:
        update, alpha, sigma = method(path, times), at(times, path.alpha), at(times, path.sigma)

        def step(model: Answers, x: State, t: float, t_next: float, noise: Noise) -> tuple[State, State]:
            x, mean = update(model, x, t, t_next, noise)
            kernel_mean = alpha[t] * known.values
            of_mean = known.values if t_next == t else kernel_mean
            return known.put(kernel_mean + sigma[t] * noise(x), x), known.put(of_mean, mean)

        return step

    return imputing_method


def colour_basis(like: Tensor) -> Float[Tensor, "3 3"]:
    """Return the published basis: columns (1, 1, 1) / sqrt 3, which is grey, (-2, 1, 1) / sqrt 6 and (0, 1, -1) / sqrt 2."""
    columns = torch.tensor([[1.0, 1.0, 1.0], [-2.0, 1.0, 1.0], [0.0, 1.0, -1.0]], dtype=torch.float64).T
    return (columns / columns.norm(dim=0)).to(like)


def grey_known(grey: Float[Tensor, "batch 1 *pixels"]) -> Known:
    """Return that the mean over the channels of each pixel is known: sqrt(3) times it is the first channel of the basis."""
    values = torch.cat([3**0.5 * grey, torch.zeros_like(grey), torch.zeros_like(grey)], 1)
    mask = torch.arange(3, device=grey.device).eq(0).reshape(3, *[1] * (grey.ndim - 2))
    return Known(values, mask, colour_basis(grey))


def class_gradient(
    classifier: Callable[[Tensor, Tensor], Tensor], classes: Int[Tensor, " batch"], *, weight: float = 1.0
) -> Field:
    """Return the gradient in x of weight log p_t(class | x), for common's `Guided` model (eq. 14).

    classifier(x, t) gives logits [batch, classes] for a time or one for each sample; the paper's weight is 1.
    """

    def gradient(x: State, t: Time) -> State:
        with torch.enable_grad():
            at_x = x.detach().requires_grad_()
            logits = classifier(at_x, as_time(t, at_x))
            chosen = logits.log_softmax(1).gather(1, classes[:, None]).sum()
            (found,) = torch.autograd.grad(chosen, at_x)
        return weight * found

    return gradient
