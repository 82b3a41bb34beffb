"""Conditional flow matching: regress a vector field that is known in closed form once the data point is fixed.

A continuous normalizing flow moves noise to data along dx/dt = v_t(x). The marginal field that does so is an intractable
average over the data set, but its regression has the same gradient as the regression of each data point's own field
(Lipman 2022, Theorem 2). For a Gaussian path x_t = alpha(t) x_0 + sigma(t) eps that field is (Theorem 3)

    u_t(x | x_0) = (sigma' / sigma) (x - alpha x_0) + alpha' x_0  =  alpha' x_0 + sigma' eps,

so training draws a data point, a noise and a time, and is a plain regression: no solver, no divergence.

Time runs from data (t = 0) to noise (t = 1) here; the paper's time is 1 - t, and its field has the other sign.

The paper compares five objectives with one network (common.learning.objective_table): flow matching on straight ("optimal
transport") conditional paths (fm_ot) and on the variance-preserving diffusion path (fm_vp), score matching (score_vp), noise
matching (ddpm_vp) and ScoreFlow's likelihood weighting (scoreflow_vp). They differ in the path and in what the network's output
means.
"""

from jaxtyping import Float
from torch import Tensor

from common.dynamics.paths import GaussianPath, broadcast


def conditional_field(
    path: GaussianPath, x: Float[Tensor, "batch *shape"], x0: Float[Tensor, "batch *shape"], t: Float[Tensor, "*batch"]
) -> Float[Tensor, "batch *shape"]:
    """Return u_t(x | x_0), the field that carries the Gaussian around `x0` along the path (Theorem 3, in our time)."""
    alpha, sigma = broadcast(path.alpha(t), x), broadcast(path.sigma(t), x)
    alpha_dot, sigma_dot = broadcast(path.alpha_dot(t), x), broadcast(path.sigma_dot(t), x)
    return sigma_dot / sigma * (x - alpha * x0) + alpha_dot * x0
