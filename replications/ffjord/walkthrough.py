# %% [markdown]
r"""
# FFJORD, step by step

Grathwohl, Chen, Bettencourt, Sutskever and Duvenaud: *FFJORD: Free-Form Continuous Dynamics for Scalable Reversible Generative
Models*, ICLR 2019.

**The question.** The density of a continuous flow costs the trace of a Jacobian, one backward pass for each dimension. Can it be
had for any network, in many dimensions? **The answer.** Ask one random direction instead of all: the estimate is right on
average and costs one backward pass, whatever the dimension.

From `neural_ode` this notebook takes the flow's log-density, the solver that chooses its steps by a tolerance, and the gradient
through a solve.

Some lines are holes to fill in; a check behind each says whether you are right. All of it runs in a minute on a laptop. What the
replication found, claim by claim: the report's page `report/build/laptop/ffjord/index.html`.
"""

# %%
import matplotlib.pyplot as plt
import torch

from common.dynamics.divergence import gaussian_probe, hutchinson_divergence, rademacher
from common.learning.data.densities import ENTROPY, checkerboard
from common.measure.figures import BLACK, BLUE, GREEN, GREY, VERMILION
from common.measure.grid import square_grid
from common.measure.step_cost import operations
from replications.ffjord.flow_measurements import sample_paths
from replications.ffjord.free_form_flow import FlowSettings
from replications.ffjord.rivals.coupling_flows import CouplingSettings
from replications.ffjord.solving.solve import at_tolerance, push
from replications.ffjord.trace_estimators import bottleneck_variance, estimate, hutchinson_variance
from replications.teaching import budget, check, fit, losses, panels, plane, scatter

generator = torch.Generator().manual_seed(0)
torch.manual_seed(0)

# %% [markdown]
r"""
## 1. What a trace costs

A flow carries data $x$ at $t = 0$ along $dz/dt = f(z, t)$ to a standard normal at $t = 1$, and (eq. 3, in our direction of time)

$$\log p(x) = \log N(z(1);\, 0, I) + \int_0^1 \mathrm{tr} \frac{\partial f}{\partial z}\, dt .$$

The planar field of `neural_ode` knows its trace. A *free-form* field is any network. Backpropagation gives $v^\top \partial f /
\partial z$ for one $v$ at a time, hence the trace by $D$ unit vectors, one for each dimension. The other line is where we are going.
"""

# %%
settings = FlowSettings(hidden=(64, 64, 64), nonlinearity="silu", end_time=1.0)
dimensions, counted = [2, 4, 8, 16, 32, 64], {"exact": [], "rademacher": []}
for dim in dimensions:
    field, z = settings.build(dim, seed=0).fields[0], torch.zeros(8, dim)
    for kind, list_of in counted.items():
        traced = field.traced(field.seed(z, kind, generator))
        list_of.append(operations(lambda traced=traced, z=z: traced(torch.zeros(()), z)) / operations(lambda f=field, z=z: f(torch.zeros(1), z)))
(axis,) = panels(1, width=4.2, height=2.8)
for (kind, values), colour in zip(counted.items(), (VERMILION, BLUE)):
    axis.loglog(dimensions, values, "o-", color=colour, label={"exact": "exact trace", "rademacher": "one random direction"}[kind])
axis.set(xlabel="dimension D", ylabel="operations / those of f alone", title="Field and trace, one evaluation")
axis.legend()
plt.show()

# %% [markdown]
r"""
## 2. One random direction

Take random $\varepsilon$ with mean 0 and covariance $I$ (eq. 7, Hutchinson's estimator):

$$\mathbb{E}\left[ \varepsilon^\top A\, \varepsilon \right] = \sum_{ij} A_{ij}\, \mathbb{E}[\varepsilon_i \varepsilon_j] =
\sum_i A_{ii} = \mathrm{tr}\, A .$$
"""

# %%
A = torch.randn(6, 6, generator=generator, dtype=torch.float64)
probes = gaussian_probe(A.new_empty(100_000, 6), generator=torch.Generator().manual_seed(1))
estimates = ((probes @ A) * probes).sum(1)  # hole: εᵀ A ε of every row ε of `probes`, all at once

# %%
check("100 000 estimates", estimates, estimate(A, probes), hint="(probes @ A) holds εᵀA, a row for each ε.")
check("their mean is the trace", estimates.mean(), A.trace(), within=0.1)

# %% [markdown]
r"""
On average. How far a single one is off depends on the noise. With $S = (A + A^\top) / 2$ Gaussian noise has the variance
$2 \sum_{ij} S_{ij}^2$. Random signs (Rademacher) have $\varepsilon_i^2 = 1$ always: what does not fluctuate adds no variance.
"""

# %%
S = (A + A.T) / 2
variance = 2 * (S.square().sum() - S.diagonal().square().sum())  # hole: the variance with random signs, from S

# %%
signs = estimate(A, rademacher(A.new_empty(100_000, 6), generator=torch.Generator().manual_seed(2)))
check("the variance", variance, hutchinson_variance(A, "rademacher"), hint="Leave out the squares that do not fluctuate: i = j.")
check("it is what 100 000 estimates show", variance / signs.var(), 1.0, within=0.05)

# %%
left, right = panels(2, width=3.8, height=2.6)
bins = torch.linspace(-25, 25, 101)
for name, found, colour in (("Gaussian", estimates, VERMILION), ("random signs", signs, BLUE)):
    left.hist(found + 1e-9, bins, density=True, histtype="step", color=colour, label=f"{name}, s.d. {found.std():.1f}")
    errors = [found[: 100 * n].reshape(100, n).mean(1).sub(A.trace()).square().mean().sqrt() for n in (1, 4, 16, 64, 256, 1000)]
    right.loglog((1, 4, 16, 64, 256, 1000), errors, "o-", color=colour, label=name)
left.axvline(A.trace(), color=BLACK, linestyle="--")
left.set(xlabel="estimate", ylabel="density", title="Estimates of one trace (dashed)")
right.set(xlabel="estimates averaged", ylabel="error (r.m.s.)", title="Averages")
left.legend()
right.legend()
plt.show()

# %% [markdown]
r"""
## 3. Without the matrix

The point is that $A = \partial f / \partial z$ need never be there: $\varepsilon^\top \partial f / \partial z$ is one backward pass.
"""

# %%
flow = settings.build(2, seed=0)
field, t = flow.fields[0], torch.tensor(0.3)
z = torch.randn(5, 2, generator=generator).requires_grad_()
probe = rademacher(z, generator=generator)
(product,) = torch.autograd.grad(field(t, z), z, probe)  # row by row εᵀ ∂f/∂z
divergence = (product * probe).sum(1)  # hole: the estimate of the trace at every point, from product and probe

# %%
jacobians = torch.stack([torch.func.jacrev(lambda place: field(t, place[None])[0])(place) for place in z.detach()])
check("the estimates", divergence, estimate(jacobians, probe), hint="εᵀ J is there; ε is missing on the right.")
check("the paper's function", divergence, hutchinson_divergence(field, t, z, probe)[1])

# %% [markdown]
r"""
**A narrow place helps** (eq. 9). If $f = g(h(z))$ passes through a layer of width $H < D$, then $\partial f / \partial z = J_g J_h$,
and a trace does not mind which factor comes first. Fewer entries, less variance.
"""

# %%
J_h, J_g = torch.randn(4, 64, generator=generator) / 8, torch.randn(64, 4, generator=generator) / 2
narrow = J_h @ J_g  # hole: the 4 x 4 matrix with the trace of J_g @ J_h

# %%
check("the trace", narrow.trace(), (J_g @ J_h).trace(), within=1e-4, hint="tr AB = tr BA.")
check("the variance", hutchinson_variance(narrow, "gaussian"), bottleneck_variance(J_h, J_g, "gaussian"), within=1e-3)
print(f"variance {hutchinson_variance(J_g @ J_h, 'gaussian'):.1f} becomes {hutchinson_variance(narrow, 'gaussian'):.1f}")

# %% [markdown]
r"""
## 4. Train

Put the estimate into the integral. Draw $\varepsilon$ **once** before the solve and keep it until the end (eq. 8): the mean over
$\varepsilon$ goes through the integral, so $\log p(x)$ is right on average, and so is its gradient. `to_base` returns the end `z` of each
path, the `integral` of the estimated trace, and `nfe`, how often the solver asked for the field.
"""

# %%
solver, trace_sign = at_tolerance(1e-3), 1


def make_loss(counts):
    def loss(flow, generator):
        base = flow.to_base(checkerboard(256, generator=generator), solver, trace="rademacher", generator=generator)
        counts.append(base.nfe)
        log_p = flow.prior.prior_log_density(base.z) + base.integral  # hole: log p(x), from base.integral and the prior at base.z
        return -log_p.mean()

    return loss


# %%
same, again = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
suite = -flow.log_density(checkerboard(256, generator=same), solver, trace="rademacher", generator=same).mean()
check("the loss", make_loss([])(flow, again), suite, hint="flow.prior.prior_log_density(base.z) is log N(z; 0, I).")

# %% [markdown]
r"""
A number to compare with, before we start. No density can do better on average than the data's own: the least
negative log-likelihood is the data's entropy. The board's density is constant on eight squares of side 2.
"""

# %%
floor = torch.tensor(32.0).log()  # hole: the entropy in nats, -E[log p], of the board

# %%
check("the floor", floor, ENTROPY["checkerboard"], hint="p = 1 / area on the squares.")

# %%
counts, steps = [], budget(full=700, small=20)
trained = fit(settings.build(2, seed=0), make_loss(counts), steps=steps, rate=0.02, average=0.99)
flow = trained.model
rival = CouplingSettings(linear=False).build(2, generator=torch.Generator().manual_seed(0))  # Real NVP


def rival_loss(flow, generator):
    return -flow.log_density(checkerboard(256, generator=generator)).mean()


coupling = fit(rival, rival_loss, steps=2 * steps, rate=0.005, average=0.99)

# %%
left, right = panels(2, width=4.2, height=2.6)
losses(left, "Negative log-likelihood (nats)", {"FFJORD": trained, "Real NVP": coupling})
left.axhline(floor, color=BLACK, linestyle="--")
left.set(ylim=(3.3, 4.8))
right.plot(counts, ".", color=BLUE, markersize=2)
right.set(xlabel="training step", ylabel="evaluations of a solve", title="The field becomes harder to solve", ylim=(0, None))
plt.show()

# %% [markdown]
r"""
The paper's central picture (Figure 2): data with edges and gaps. Real NVP is made of layers whose determinant is cheap: each moves
one coordinate by a network of the other. It got the same seconds.
"""

# %%
n = budget(full=80, small=8)
grid = square_grid(n, 4.5)
test = checkerboard(2000, generator=generator)
with torch.no_grad():
    fitted = {"Real NVP": rival_density := coupling.model.log_density, "FFJORD": lambda x: flow.log_density(x, solver)}
    axes = panels(3, width=3.3, height=3.5)
    scatter(axes[0], test, f"data\nentropy {floor:.2f} nats")
    for axis, (name, log_density) in zip(axes[1:], fitted.items()):
        density = log_density(grid.float()).exp().reshape(n, n)
        axis.imshow(density.T, origin="lower", extent=(-4.5, 4.5, -4.5, 4.5), vmin=0, vmax=0.06)
        plane(axis, f"{name}\nNLL {-log_density(test).mean():.2f} nats")
        axis.grid(False)
plt.show()

# %% [markdown]
r"""
Sampling is the same solve from $t = 1$ to $0$, without the trace. A cloud of noise becomes a board:
"""

# %%
noise = torch.randn(3000, 2, generator=generator)
for axis, points, time in zip(panels(6, width=1.75, height=2), sample_paths(flow, noise), torch.linspace(1, 0, 6)):
    scatter(axis, torch.as_tensor(points), f"t = {time:.1f}")
    axis.set(ylabel="")
plt.show()

# %% [markdown]
r"""
## 5. Two surprises

**Fresh noise in every evaluation.** Why not draw a new $\varepsilon$ whenever the solver asks? It is unbiased as well, and errors
would average out along the way. Here are both, at falling tolerance.
"""


# %%
class TooMany(Exception):
    pass


def redrawn(field, noise, limit=20_000):
    calls = []

    def fresh(t, z):
        calls.append(t)
        if len(calls) > limit:
            raise TooMany
        return field.traced(field.seed(z, "rademacher", noise))(t, z)

    return fresh


field, some, again = flow.fields[0], test[:64], torch.Generator().manual_seed(4)
tolerances, evaluations = [10.0**-k for k in range(1, budget(full=5, small=2))], {"one noise per solve": [], "fresh noise": []}
with torch.no_grad():
    for tolerance in tolerances:
        kept = field.traced(field.seed(some, "rademacher", again))
        for found, each in zip(evaluations.values(), (kept, redrawn(field, again))):
            found.append(push(each, some, 0.0, 1.0, at_tolerance(tolerance)).nfe)
(axis,) = panels(1, width=4.2, height=2.8)
for (name, found), colour in zip(evaluations.items(), (BLUE, VERMILION)):
    axis.loglog(tolerances, found, "o-", color=colour, label=name)
axis.set(xlabel="tolerance", ylabel="evaluations of one solve", title="What noise does to an adaptive solver")
axis.legend()
plt.show()
print(evaluations)

# %% [markdown]
r"""
A solver judges a step by how much the field differs between its evaluations. TODO

**A wrong sign that the loss likes.** TODO
"""

# %%
