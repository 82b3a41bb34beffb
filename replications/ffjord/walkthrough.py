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
from common.measure.figures import BLACK, BLUE, VERMILION
from common.measure.grid import square_grid
from common.measure.step_cost import operations
from replications.ffjord.flow_measurements import sample_paths
from replications.ffjord.free_form_flow import FlowSettings
from replications.ffjord.solving.solve import SolverSettings, at_tolerance, push
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
\partial z$ for one $v$ at a time, hence the trace by $D$ unit vectors, one for each dimension. The other line is where we are
going.
"""

# %%
settings = FlowSettings(hidden=(64, 64, 64), end_time=1.0)
dimensions, names = [2, 4, 8, 16, 32, 64], {"exact": "exact trace", "rademacher": "one random direction"}
(axis,) = panels(1, width=4.2, height=2.8)
for (kind, name), colour in zip(names.items(), (VERMILION, BLUE)):
    costs = []
    for dim in dimensions:
        field, z = settings.build(dim, seed=0).fields[0], torch.zeros(8, dim)
        kinds = [field.traced(field.seed(z, each, generator)) for each in (kind, "none")]  # with the trace and without
        costs.append([operations(lambda f=f, z=z: f(torch.zeros(()), z)) for f in kinds])
    axis.plot(dimensions, [with_trace / alone for with_trace, alone in costs], "o-", color=colour, label=name)
axis.set(xlabel="dimension D", ylabel="operations / those of f alone", title="One evaluation of field and trace")
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
A = torch.randn(16, 16, generator=generator, dtype=torch.float64)
probes = gaussian_probe(A.new_empty(100_000, 16), generator=torch.Generator().manual_seed(1))
estimates = ((probes @ A) * probes).sum(1)  # hole: εᵀ A ε of every row ε of `probes`, all at once

# %%
check("100 000 estimates", estimates, estimate(A, probes), hint="(probes @ A) holds εᵀA, a row for each ε.")
check("their mean is the trace", estimates.mean(), A.trace(), within=0.3)

# %% [markdown]
r"""
On average. How far a single one is off depends on the noise. With $S = (A + A^\top) / 2$ Gaussian noise has the variance
$2 \sum_{ij} S_{ij}^2$. Random signs (Rademacher) have $\varepsilon_i^2 = 1$ always: what does not fluctuate adds no variance.
"""

# %%
S = (A + A.T) / 2
variance = 2 * (S.square().sum() - S.diagonal().square().sum())  # hole: the variance with random signs, from S

# %%
signs = estimate(A, rademacher(A.new_empty(100_000, 16), generator=torch.Generator().manual_seed(2)))
check("the variance", variance, hutchinson_variance(A, "rademacher"), hint="Leave out the squares that do not fluctuate: i = j.")
check("it is what 100 000 estimates show", variance / signs.var(), 1.0, within=0.05)

# %%
left, right = panels(2, width=3.8, height=2.6)
bins = torch.linspace(-60, 60, 81)
for name, found, colour in (("Gaussian", estimates, VERMILION), ("random signs", signs, BLUE)):
    left.hist(found, bins, density=True, histtype="step", color=colour, label=f"{name}, s.d. {found.std():.1f}")
    errors = [found[: 100 * n].reshape(100, n).mean(1).sub(A.trace()).square().mean().sqrt() for n in (1, 4, 16, 64, 256, 1000)]
    right.loglog((1, 4, 16, 64, 256, 1000), errors, "o-", color=colour, label=name)
left.axvline(A.trace(), color=BLACK, linestyle="--")
left.set(xlabel="estimate", ylabel="density", title="Estimates of one trace (dashed)")
right.set(xlabel="estimates averaged", ylabel="error (r.m.s.)", title="Averages")
left.legend(loc="upper left", fontsize=7)
right.legend()
plt.show()

# %% [markdown]
r"""
## 3. Without the matrix

The point is that $A = \partial f / \partial z$ need never be there: $\varepsilon^\top \partial f / \partial z$ is one backward
pass.
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
**A narrow place helps** (eq. 9). If $f = g(h(z))$ passes through a layer of width $H < D$, then $\partial f / \partial z = J_g
J_h$, and a trace does not mind which factor comes first. Fewer entries, less variance.
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

Draw $\varepsilon$ **once** before the solve and keep it until the end (eq. 8): the mean over $\varepsilon$ goes through the
integral, so $\log p(x)$ is right on average, and so is its gradient. `to_base` gives the end `z` of each path, the `integral` of
the estimated trace, and `nfe`, how often the solver asked for the field.
"""

# %%
solver = at_tolerance(1e-3)


def make_loss(counts, sign=1):  # sign: for the second surprise
    def loss(flow, generator):
        base = flow.to_base(checkerboard(128, generator=generator), solver, trace="rademacher", generator=generator)
        counts.append(base.nfe)
        prior, integral = flow.prior.prior_log_density(base.z), sign * base.integral
        return -(prior + integral).mean()  # hole: the negative log-likelihood, from prior (log N of the ends) and integral

    return loss


# %%
same, again = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
suite = -flow.log_density(checkerboard(128, generator=same), solver, trace="rademacher", generator=same).mean()
check("the loss is the suite's", make_loss([])(flow, again), suite, hint="The equation of section 1, its mean, and the sign.")

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
counts, steps = [], budget(full=600, small=20)
trained = fit(settings.build(2, seed=0), make_loss(counts), steps=steps, rate=0.02, average=0.99)
flow = trained.model
left, right = panels(2, width=4.2, height=2.6)
losses(left, "Negative log-likelihood (nats)", {"FFJORD": trained})
left.axhline(floor, color=BLACK, linestyle="--")
left.set(ylim=(3.3, 5.3))
right.plot(counts, ".", color=BLUE, markersize=2)
right.set(xlabel="training step", ylabel="evaluations of a solve", title="Its field becomes harder to solve", ylim=(0, None))
plt.show()

# %% [markdown]
r"""
The sharper the density, the more evaluations: nobody bounds them but you (weight decay helps, the paper found). The paper's
central picture (Figure 2) is data with edges and gaps and what the flow makes of it, here after a short training. For the density
the trace is exact again: in two dimensions we can afford it.
"""

# %%
n = budget(full=80, small=8)
test, noise = checkerboard(2000, generator=generator), torch.randn(2000, 2, generator=generator)
with torch.no_grad():
    density = flow.log_density(square_grid(n, 4.5).float(), solver).exp().reshape(n, n)
    nll = -flow.log_density(test, at_tolerance(1e-5)).mean()
axes = panels(3, width=3.3, height=3.4)
scatter(axes[0], test, f"data (entropy {floor:.2f} nats)", colour=BLACK)
axes[1].imshow(density.T, origin="lower", extent=(-4.5, 4.5, -4.5, 4.5), vmin=0, vmax=0.06, zorder=1)
plane(axes[1], f"density (NLL {nll:.2f} nats)")
paths = torch.as_tensor(sample_paths(flow, noise))  # from t = 1 to 0, six times
scatter(axes[2], paths[-1], "samples")
for axis, points, time in zip(panels(6, width=1.75, height=2), paths, torch.linspace(1, 0, 6)):
    scatter(axis, points, f"t = {time:.1f}")
plt.show()

# %% [markdown]
r"""
## 5. Two surprises

**Fresh noise in every evaluation.** Why not draw a new $\varepsilon$ whenever the solver asks? It is as unbiased, and errors
would even average out along the way. Both, at falling tolerance, for 64 points:
"""

# %%
field, some, again = flow.fields[0], test[:64], torch.Generator().manual_seed(4)


def fresh(t, z):
    return field.traced(field.seed(z, "rademacher", again))(t, z)


tolerances, kept = [10.0**-k for k in range(1, budget(full=5, small=3))], field.traced(field.seed(some, "rademacher", again))
(axis,) = panels(1, width=4.2, height=2.8)
with torch.no_grad():
    for name, each, colour in (("one noise per solve", kept, BLUE), ("fresh noise", fresh, VERMILION)):
        asked = [push(each, some, 0.0, 1.0, at_tolerance(tolerance)).nfe for tolerance in tolerances]
        axis.loglog(tolerances, asked, "o-", color=colour, label=f"{name}: {asked[-1]}")
    rk4, spreads = SolverSettings(method="rk4", steps=10), []
    for make in (lambda: field.traced(field.seed(some, "rademacher", again)), lambda: fresh):
        found = [push(make(), some, 0.0, 1.0, rk4).integral for _ in range(20)]
        spreads.append(torch.stack(found).std(0).mean())
axis.set(xlabel="tolerance", ylabel="evaluations of one solve", title="What noise does to an adaptive solver")
axis.legend()
plt.show()
print(f"s.d. of log p by 10 fixed steps: {spreads[0]:.2f} nats with one noise per solve, {spreads[1]:.2f} with fresh noise")

# %% [markdown]
r"""
With one noise for all evaluations the solver sees a smooth field. With fresh noise the field always jumps, however short the
step: ten times the accuracy costs ten times the steps. The estimates themselves are no worse; by steps that are fixed they are
even better.

**A wrong sign that the loss likes.** Let the trace enter with the wrong sign, as eq. 4 of the paper has it in print. Does the
training tell?
"""

# %%
wrong = fit(settings.build(2, seed=0), make_loss([], sign=-1), steps=budget(full=15, small=8), rate=0.02, average=0.9)
left, right = panels(2, width=3.8, height=3)
losses(left, "Which of them is broken?", {"right sign": trained, "wrong sign": wrong})
left.axhline(floor, color=BLACK, linestyle="--")
left.set(xlim=(0, 30), ylim=(-15, 10))
scatter(right, wrong.model.to_base(test, solver, trace="none").z, "wrong sign: data carried to t = 1", colour=VERMILION)
plt.show()

# %% [markdown]
r"""
The broken one has by far the better loss. It pulls all data into one point, and the volume that is lost there counts as density
gained. Two things give it away: a loss below the entropy, which no density can have; and ends that are not $N(0, I)$. Know the
floor before you train.

## Where to read on

- **The replication.** `report/build/laptop/ffjord/index.html` (`make report` makes it): free-form against coupling flows in two
  dimensions, on tables and on images, and what a solve costs. Equation by equation: `replications/ffjord/README.md`.
- **Neighbours.** Finlay et al. 2020 (arXiv 2002.02798) penalise the work of the path and keep the evaluations low. `score_sde`
  will get such a flow, and its density, without solving anything in training.
- **Try.** Other data (`common/learning/data/densities.py`); Gaussian noise in training; weight decay and the evaluations.
"""
