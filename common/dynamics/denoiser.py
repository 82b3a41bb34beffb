"""A denoiser is a backbone, a path, what the backbone's output means, and what the backbone is given for x and t."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from common.dynamics.answers import Answers, Quantity, Time, as_time, combination, level_of, require_known
from common.dynamics.paths import GaussianPath, broadcast

StateInput = Literal["raw", "unit_variance", "own_scale"]
TimeInput = Literal["t", "steps", "log_sigma", "index", "none", "log_own_scale"]
TINY = 1e-12  # under the root of a state that is zero everywhere


class Conditioning(NamedTuple):
    """What the backbone is given for a state and its time.

    x: the state itself, divided by sqrt(alpha^2 data_std^2 + sigma^2), which makes its variance 1 (Karras 2022, c_in), or divided
    by its own scale, the root mean square of its values, which tells nothing that is not in x.
    t: the time; 999 t, the step of a thousand (Ho 2020); log sigma(t); the index of the noise level, largest noise first (NCSN);
    or nothing of the time: a network whose noise prediction divided by sigma is the score (NCSNv2, technique 3), given zero or
    the logarithm of the state's own scale.
    """

    x: StateInput = "raw"
    t: TimeInput = "t"
    data_std: float = 1.0


class Denoiser(nn.Module, Answers):
    """A backbone `net(x, t)` on a path, predicting one quantity and answering all four.

    The backbone runs in its own dtype and the conversions in x's, so that a solver can keep its state in float64 around a float32
    network. `known_times` lists the times of the noise levels that it was trained on, if it does not know all times.
    """

    def __init__(
        self,
        backbone: nn.Module,
        path: GaussianPath,
        prediction: Quantity,
        known_times: Tensor | None = None,
        conditioning: Conditioning = Conditioning(),  # noqa: B008 - a constant
    ) -> None:
        super().__init__()
        self.backbone, self.path, self.prediction, self.conditioning = backbone, path, prediction, conditioning
        self.known_times = known_times
        # what tells a time's level apart moves with the module, but is no weight
        self.register_buffer("levels", known_times, persistent=False)

    def forward(self, x: Float[Tensor, "batch *shape"], t: Time) -> Float[Tensor, "batch *shape"]:
        """Return the backbone's own prediction."""
        dtype = next((parameter.dtype for parameter in self.backbone.parameters()), x.dtype)
        t = as_time(t, x)
        state = self.state_input(x, t).to(dtype)
        # a sampler's one time stays one time: the network embeds it once and not for every sample
        return self.backbone(state, self.time_input(x, t).to(dtype).reshape(-1)).to(x.dtype)

    def predict(self, x: Float[Tensor, "batch *shape"], t: Time) -> Float[Tensor, "batch *shape"]:
        """Return the backbone's own prediction."""
        return self(x, t)

    def state_input(self, x: Float[Tensor, "batch *shape"], t: Tensor) -> Float[Tensor, "batch *shape"]:
        """Return what the backbone is given for x."""
        if self.conditioning.x == "raw":
            return x
        if self.conditioning.x == "own_scale":
            return x / broadcast(own_scale(x), x)
        return x / broadcast(self.state_std(t), x)

    def state_std(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """Return the standard deviation of x_t, sqrt(alpha^2 data_std^2 + sigma^2)."""
        return ((self.path.alpha(t) * self.conditioning.data_std).square() + self.path.sigma(t).square()).sqrt()

    def time_input(self, x: Float[Tensor, "batch *shape"], t: Float[Tensor, "*times"]) -> Float[Tensor, "*given"]:
        """Return what the backbone is given for t, for each sample where that is in x."""
        kind = self.conditioning.t
        if kind == "log_own_scale":
            return own_scale(x).log()
        if kind == "steps":
            return 999 * t
        if kind == "log_sigma":
            return self.path.sigma(t).log()
        if kind == "index":
            return level_of(self.levels, t).to(t.dtype)
        return torch.zeros_like(t) if kind == "none" else t

    def velocity_divergence(
        self, x: Float[Tensor, "batch *shape"], t: Tensor, *, chunk: int | None = None
    ) -> Float[Tensor, " batch"]:
        """Return the exact divergence of the velocity, in closed form where the backbone has one: then nothing differentiates it.

        The velocity is c_x x + c_q times the backbone's answer, so its divergence is c_x dim + c_q times the backbone's. An input
        that is scaled by itself would add a term.
        """
        scaled_by_itself = self.conditioning.x == "own_scale" or self.conditioning.t == "log_own_scale"
        if scaled_by_itself or not hasattr(self.backbone, "divergence"):
            return super().velocity_divergence(x, t, chunk=chunk)
        require_known(self, t)
        t, dtype = as_time(t, x), next(self.backbone.parameters()).dtype
        times = self.time_input(x, t).to(dtype).reshape(-1)
        found = self.backbone.divergence(self.state_input(x, t).to(dtype), times).to(x.dtype)
        if self.conditioning.x == "unit_variance":
            found = found / self.state_std(t)
        of_x, of_output = combination(self.path, self.prediction, "velocity", t)
        return of_x * x[0].numel() + of_output * found


def own_scale(x: Float[Tensor, "batch *shape"]) -> Float[Tensor, " batch"]:
    """Return the root mean square of each sample's values."""
    return (x.flatten(1).square().mean(1) + TINY).sqrt()
