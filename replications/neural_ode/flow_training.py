"""Fit planar flows, continuous or discrete, to an unnormalised target or to samples (Chen 2018, Sections 4.1 and 4.2).

All models of one kind are trained side by side: the loss is the sum of theirs, and Adam moves every parameter by its own
gradient alone, so none of them notices the others.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from common.learning.training.loop import Trained
from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.settings import Settings
from replications.neural_ode.planar_cnf import PlanarCNF, base_log_density, runge_kutta
from replications.neural_ode.planar_flow import PlanarFlow
from replications.neural_ode.target_energies import ENERGIES

Loss = Callable[[nn.Module, int, Generator], Tensor]
Push = Callable[[nn.Module, Tensor], tuple[Tensor, Tensor]]  # points -> image, log|det| of the map


def cnf_to_data(steps: int) -> Push:
    """Return the map from base to data of a CNF solved with `steps` Runge-Kutta steps, and its log-determinant."""
    return lambda flow, base: runge_kutta(flow, base, 1.0, 0.0, steps)


def cnf_to_base(steps: int) -> Push:
    """Return the map from data to base of a CNF solved with `steps` Runge-Kutta steps, and its log-determinant."""
    return lambda flow, x: runge_kutta(flow, x, 0.0, 1.0, steps)


def planar_push(flow: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return what a planar flow makes of x: towards data in density matching, towards base in maximum likelihood."""
    return flow(x)


def annealed_weight(step: int, steps: int, share: float, first: float = 0.01) -> float:
    """Return the energy's weight at a step of so many: it climbs from `first` to 1 over the first `share` of the training.

    Rezende and Mohamed's beta_t (2015, their eq. 20): a target that is flat at first loses no mode before the flow finds it.
    """
    return min(1.0, first + (1 - first) * step / (share * steps)) if share else 1.0


def reverse_kl(
    flow: nn.Module, push: Push, base: Float[Tensor, "1 batch dim"], targets: Sequence[str], models: int, weight: float = 1.0
) -> Float[Tensor, " models"]:
    """Return E_q[log q(x) + weight U(x)] of every model, which go target by target.

    At weight 1 that is KL(q || p) less the target's log-normaliser; a smaller one tempers the target.
    """
    base = base.expand(models, -1, -1)
    x, log_det = push(flow, base)
    parts = x.unflatten(0, (len(targets), -1)).unbind(0)
    energies = torch.cat([ENERGIES[name](part) for name, part in zip(targets, parts)])
    return (base_log_density(base) - log_det + weight * energies).mean(1)


def negative_log_likelihood(flow: nn.Module, push: Push, x: Float[Tensor, "models batch dim"]) -> Float[Tensor, "models batch"]:
    """Return -log q(x) of every model in nats; `push` leads from data to base."""
    base, log_det = push(flow, x)
    return -base_log_density(base) - log_det


def build(kind: str, sizes: Sequence[int], generator: Generator) -> nn.Module:
    """Return untrained models of one kind, "cnf" with so many hidden units or "nf" with so many layers."""
    return {"cnf": PlanarCNF, "nf": PlanarFlow}[kind](sizes, generator=generator)


def train_flows(
    kind: str, sizes: Sequence[int], loss: Loss, schedule: TrainSettings, settings: Settings, context: Context
) -> Trained:
    """Train models of one kind on `loss`, which depends on the experiment's `settings`."""
    flow = build(kind, sizes, context.generator("weights", kind)).to(context.device)
    # the same noise for both kinds: what differs between them is the flow alone
    return train_run(context, flow, loss, schedule, seed=context.seed_for("training noise"), of=settings, name=kind)
