"""Free-form continuous flows: any chain of time-conditioned layers as the field (Grathwohl 2018, eq. 2 to 4).

Time runs from data (0) to base (`end_time`). Along dz/dt = f(t, z), log p(x) = log N(z(T)) + int_0^T tr(df/dz) dt, flow after
flow where there are several. What the trace is taken by is drawn once per solve (eq. 8).
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from common.dynamics.answers import Time, VelocityFlow, as_time
from common.dynamics.paths import STANDARD_NORMAL
from common.learning.nets.build import seeded
from common.runs.settings import Settings
from replications.ffjord.chain import NONLINEARITIES, Nonlinearity, Seed, chain, value_and_trace
from replications.ffjord.layers import LAYERS, LayerName
from replications.ffjord.solving.chain_tape import ChainTape
from replications.ffjord.solving.solve import Evaluations, Pushed, SolverSettings, push
from replications.ffjord.trace_estimators import Noise, draw

Trace = Literal["exact", "none"] | Noise
Points = Float[Tensor, "batch dim"]


class FlowSettings(Settings):
    """A flow on flat data."""

    hidden: tuple[PositiveInt, ...] = Field(min_length=1, description="units of the hidden layers")
    layer: LayerName = Field(default="concatsquash", description="how a layer knows the time")
    nonlinearity: Nonlinearity = Field(default="tanh", description="between the layers")
    flows: PositiveInt = Field(default=1, description="flows one after another")
    end_time: PositiveFloat = Field(default=0.5, description="time of the base in every flow")
    bottleneck: bool = Field(default=False, description="take traces at the narrowest layer (eq. 9)")

    def build(self, dim: int, *, seed: int) -> "FreeFormFlow":
        """Return an untrained flow whose weights depend on the seed alone."""
        return seeded(seed, lambda: FreeFormFlow(dim, self))


class FreeFormField(nn.Module):
    """dz/dt = a chain of layers, none of them followed by the nonlinearity at its end."""

    def __init__(self, dim: int, settings: FlowSettings) -> None:
        super().__init__()
        sizes = [dim, *settings.hidden, dim]
        make = LAYERS[settings.layer]
        self.layers = nn.ModuleList(make(inputs, outputs) for inputs, outputs in pairwise(sizes))
        self.nonlinearity: Nonlinearity = settings.nonlinearity
        narrowest = min(range(len(sizes) - 1), key=sizes.__getitem__)
        self.traced_after = narrowest if settings.bottleneck else 0  # so many layers
        self.traced_width = sizes[self.traced_after]

    def forward(self, t: Float[Tensor, "*one"], z: Points) -> Points:
        """Return dz/dt layer by layer; t is the time of all, or [batch], of each."""
        for layer in self.layers[:-1]:
            z = NONLINEARITIES[self.nonlinearity](layer(t, z))
        return self.layers[-1](t, z)

    def seed(self, z: Points, trace: Trace, generator: Generator | None = None) -> Seed:
        """Return what the trace of one solve from z is taken by; `generator` draws the probe of an estimate."""
        width, batch = self.traced_width, len(z)
        if trace == "none":
            return Seed(0, z.new_empty(0, width, batch))
        if trace == "exact":
            return Seed(self.traced_after, torch.eye(width, dtype=z.dtype, device=z.device)[:, :, None].expand(-1, -1, batch))
        probe = draw(trace, z.new_empty(batch, width), generator=generator)
        return Seed(self.traced_after, probe.T[None].contiguous())

    def traced(self, seed: Seed) -> "TracedField":
        """Return the field with its trace beside its value, for one solve."""
        return TracedField(self, seed)


class TracedField:
    """A field and its trace, exact or estimated by the one probe of a solve; a `DivergenceField` with a tape of its own."""

    def __init__(self, field: FreeFormField, seed: Seed) -> None:
        self.field, self.of_trace = field, seed

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return what the field learns."""
        return self.field.parameters()

    def __call__(self, t: Float[Tensor, ""], z: Points) -> tuple[Points, Float[Tensor, " batch"]]:
        """Return dz/dt and the trace."""
        field = self.field
        layers = chain(field.layers, field.nonlinearity).at(t.reshape(1).to(z))
        value, trace = value_and_trace(layers, field.nonlinearity, z.T, self.of_trace)
        return value.T, trace

    def tape(self) -> ChainTape:
        """Return a tape for one solve."""
        return ChainTape(self.field.layers, self.field.nonlinearity, self.of_trace)


class FreeFormFlow(nn.Module):
    """One or several fields, each solved over [0, end_time] after the one before."""

    def __init__(self, dim: int, settings: FlowSettings) -> None:
        super().__init__()
        self.dim, self.end_time = dim, settings.end_time
        self.fields = nn.ModuleList(FreeFormField(dim, settings) for _ in range(settings.flows))
        self.prior = STANDARD_NORMAL
        self.evaluations = Evaluations()  # of all solves since it was last reset, summed over the flows

    def to_base(self, x: Points, solver: SolverSettings, *, trace: Trace = "exact", generator: Generator | None = None) -> Pushed:
        """Return the base points of x, and the integral of the trace on the way; differentiable."""
        return self._through(x, solver, trace, generator, towards_data=False)

    def to_data(self, z: Points, solver: SolverSettings, *, trace: Trace = "none", generator: Generator | None = None) -> Pushed:
        """Return the data points of z, and the integral of the trace on the way, which runs backwards in time; differentiable."""
        return self._through(z, solver, trace, generator, towards_data=True)

    def log_density(
        self, x: Points, solver: SolverSettings, *, trace: Trace = "exact", generator: Generator | None = None
    ) -> Float[Tensor, " batch"]:
        """Return log p(x) in nats, unbiased where the trace is an estimate."""
        base = self.to_base(x, solver, trace=trace, generator=generator)
        return self.prior.prior_log_density(base.z) + base.integral

    @torch.no_grad()
    def sample(self, n: int, solver: SolverSettings, *, generator: Generator) -> Float[Tensor, "n dim"]:
        """Return n samples."""
        weight = next(self.parameters())
        base = self.prior.prior_sample((n, self.dim), generator=generator, device=weight.device, dtype=weight.dtype)
        return self.to_data(base, solver).z

    def answers(self) -> VelocityFlow:
        """Return the flow as a model that samplers ask for its velocity, its time scaled to [0, 1] whatever the flows."""
        return VelocityFlow(self.prior, self._velocity)

    def _velocity(self, z: Points, t: Time) -> Points:
        """Return dz/dt where all flows together take one unit of time; all points at one time."""
        count = len(self.fields)
        inside = float(as_time(t, z).reshape(-1)[0]) * count
        which = min(count - 1, max(0, int(inside)))
        state = z.to(next(self.parameters()))
        local = state.new_tensor((inside - which) * self.end_time)
        return (count * self.end_time * self.fields[which](local, state)).to(z)

    def _through(
        self, z: Points, solver: SolverSettings, trace: Trace, generator: Generator | None, *, towards_data: bool
    ) -> Pushed:
        integral, nfe = z.new_zeros(len(z)), 0
        start, end = (self.end_time, 0.0) if towards_data else (0.0, self.end_time)
        for field in reversed(self.fields) if towards_data else self.fields:
            traced = field.traced(field.seed(z, trace, generator))
            pushed = push(traced, z, start, end, solver, evaluations=self.evaluations)
            z, integral, nfe = pushed.z, integral + pushed.integral, nfe + pushed.nfe
        return Pushed(z, integral, nfe)
