"""FFJORD as a flow of the posterior: fields whose weights move with the image, solved one after another from time 0."""

from typing import Literal

from jaxtyping import Float
from torch import Generator, Tensor, nn

from replications.ffjord.posteriors.amortised_field import ActivationName, AmortisedField, probe_row, unit_rows
from replications.ffjord.posteriors.amortised_layers import FullLayers, LowRankLayers
from replications.ffjord.posteriors.posterior_flows import Moved
from replications.ffjord.solving.solve import SolverSettings, push

Amortisation = Literal["low_rank", "full"]


class AmortisedFFJORD(nn.Module):
    """`flows` fields in turn, each on [0, end_time] with layers of its own; `solver` may be replaced at any time.

    With rank 0 the fields are the same for every image. With "full" amortisation they are the encoder's alone (Section 4.3).
    """

    def __init__(
        self,
        latent: int,
        features: int,
        flows: int,
        hidden: tuple[int, ...],
        *,
        rank: int,
        amortisation: Amortisation = "low_rank",
        activation: ActivationName = "softplus",
        end_time: float = 0.5,
        solver: SolverSettings,
    ) -> None:
        super().__init__()
        widths = (latent, *hidden, latent)
        self.layers = nn.ModuleList(
            FullLayers(widths, features) if amortisation == "full" else LowRankLayers(widths, features, rank)
            for _ in range(flows)
        )
        self.activation, self.end_time, self.solver = activation, end_time, solver

    def forward(
        self, z: Float[Tensor, "batch latent"], feature: Tensor, generator: Generator | None = None, exact: bool = True
    ) -> Moved:
        """Return the end of the solves, the integral of the trace, and the forward evaluations of all fields together.

        The trace is exact or Hutchinson's estimate; of this a new probe is drawn for every solve, and kept in it.
        """
        log_det, nfe = z.new_zeros(len(z)), 0
        for layers in self.layers:
            rows = unit_rows(z) if exact else probe_row(z, generator=generator)
            field = AmortisedField(layers(feature), rows, self.activation)
            pushed = push(field, z, 0.0, self.end_time, self.solver, parameters=field.constants)
            z, log_det, nfe = pushed.z, log_det + pushed.integral, nfe + pushed.nfe
        return Moved(z, log_det, nfe)
