# %% [markdown]
r"""
# Neural ordinary differential equations, step by step

Chen, Rubanova, Bettencourt and Duvenaud: *Neural Ordinary Differential Equations*, NeurIPS 2018.

**The question.** A residual network corrects its state block by block. What if there are infinitely many blocks, each of them
infinitely small? **The answer.** The network is then the right-hand side of an ODE: a solver chooses the depth, a second solve
gives the gradient in constant memory, and densities can be carried along for the price of a trace.

This is the first notebook of the seminar; you need backpropagation and a little linear algebra. Some lines are holes to fill in,
and a check behind each says whether you are right. All of it runs in a minute on a laptop. What the replication found, claim by
claim: the report's page `report/build/laptop/neural_ode/index.html`.
"""

# %%
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from torch import nn

from common.learning.data.densities import moons
from common.measure.figures import BLUE, VERMILION
from common.measure.grid import square_grid
from replications.neural_ode.adjoint import augmented, solve_ode, solve_ode_adjoint
from replications.neural_ode.measures import relative_error, saved_bytes
from replications.neural_ode.planar_cnf import PlanarCNF, base_log_density, log_density, runge_kutta, solve
from replications.neural_ode.solvers import adaptive, fixed
from replications.teaching import budget, check, fit, panels, plane, scatter

generator = torch.Generator().manual_seed(0)

# %% [markdown]
r"""
## 1. From blocks to an equation

A residual network adds to its state (eq. 1 of the paper, with a step $h$ that a block hides in its weights). It is Euler's method
for the equation on the right, and depth is time:

$$z_{k+1} = z_k + h\, f(t_k, z_k) \quad\xrightarrow{\;h \to 0\;}\quad \frac{dz}{dt} = f(t, z).$$

The figure below is the paper's Figure 1. Five blocks let states jump over each other, the ODE does not. Remember it.
"""


# %%
def wave(t, z):  # a field on the line, for pictures
    return 2 * torch.sin(z - 1.5 * t)


def residual_network(field, z, times):
    states = [z]
    for t, t_next in pairwise(times):
        z = z + (t_next - t) * field(t, z)  # hole: the state z after a block of length t_next - t, from field(t, z)
        states.append(z)
    return torch.stack(states)


# %%
inputs, times, fine = torch.linspace(-5, 5, 11), torch.linspace(0, 5, 6), torch.linspace(0, 5, 101)
euler = solve_ode(wave, inputs, times, fixed("euler", 5))
check("five blocks are five Euler steps", residual_network(wave, inputs, times), euler, hint="z plus h times f.")

# %%
shown = {f"{n} blocks": (fine[:: 100 // n], residual_network(wave, inputs, fine[:: 100 // n])) for n in (5, 20)}
shown["ODE"] = fine, solve_ode(wave, inputs, fine, adaptive("dopri5", 1e-5))
place = torch.cartesian_prod(torch.linspace(-6, 6, 16), torch.linspace(0, 5, 12))
for axis, (name, (grid, states)) in zip(panels(3, width=3.2, height=3.2), shown.items()):
    axis.quiver(*place.T, wave(place[:, 1], place[:, 0]), torch.ones(len(place)), color="#C8C8C8", angles="xy", width=0.004)
    axis.plot(states, grid, "-" if name == "ODE" else ".-", color=BLUE, linewidth=1, markersize=4)
    axis.set(title=name, xlabel="state z", ylabel="depth t", xlim=(-7, 7))
plt.show()

# %% [markdown]
r"""
## 2. The gradient is another ODE

Backpropagation keeps the states of all steps. The *adjoint* $a(t) = \partial L / \partial z(t)$ is how the loss reacts to a nudge
of the state at time $t$. In a step the nudge becomes $(I + h\, \partial f / \partial z)\, \delta z$; the loss reacts to both the
same. So $a(t)^\top = a(t + h)^\top (I + h\, \partial f / \partial z)$. In the limit (eq. 4), to be solved from $t = 1$ to $0$,

$$\frac{da^\top}{dt} = -\, a^\top \frac{\partial f}{\partial z}, \qquad a(1) = \frac{\partial L}{\partial z(1)}.$$
"""


# %%
class Field(nn.Sequential):  # a small network f(t, z)
    def forward(self, t, z):
        return super().forward(torch.cat([z, t.expand(*z.shape[:-1], 1)], -1))


torch.manual_seed(0)
net = Field(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 2)).double()


def adjoint_slope(t, z, a):
    jacobian = torch.func.jacrev(lambda place: net(t, place))(z)  # row i: the gradient of f_i
    return -a @ jacobian  # hole: da/dt, from a and jacobian


# %%
z0, a, times = (torch.tensor(each, dtype=torch.float64) for each in ([1.0, -0.5], [0.3, 2.0], [0.0, 1.0]))
slope = augmented(net, [])(times[1], (z0, a))[1]  # the paper's function: one vector-Jacobian product, no Jacobian
check("the adjoint's slope", adjoint_slope(times[1], z0, a), slope, hint="aᵀ times the Jacobian; mind the sign.")
with torch.no_grad():
    tight, nudges = adaptive("dopri5", 1e-9), 1e-4 * torch.eye(2, dtype=torch.float64)
    z1 = solve_ode(net, z0, times, tight)[-1]  # 2 z1 is the gradient of the loss L = |z(1)|²
    a0 = tight(lambda t, s: (net(t, s[0]), adjoint_slope(t, *s)), (z1, 2 * z1), times.flip(0))[1][-1]
    up, down = (solve_ode(net, z0 + sign * nudges, times, tight)[-1].square().sum(1) for sign in (1, -1))
check("the gradient is the difference quotient", a0, (up - down) / 2e-4, within=1e-5)

# %% [markdown]
r"""
The state was not stored: the backward solve found $z(t)$ again on its way. The same product gives the gradient of the
parameters, $dL/d\theta = \int_0^1 a^\top \partial f / \partial\theta\, dt$ (eq. 5). `solve_ode_adjoint` does it all. Beside
backpropagation through the solver's steps: the same gradient, and what is kept for it.
"""

# %%
ways = {"backpropagation": (solve_ode, VERMILION), "adjoint": (solve_ode_adjoint, BLUE)}
cloud = torch.randn(64, 2, generator=generator, dtype=torch.float64)
ends = [way(net, cloud, times, adaptive("dopri5", 1e-8))[-1].square().mean() for way, _ in ways.values()]
gradients = [torch.autograd.grad(end, net[0].weight)[0] for end in ends]
print(f"the two gradients differ by {relative_error(*gradients):.1e} of their size")
(axis,) = panels(1, width=4.2, height=2.6)
for name, (way, colour) in ways.items():
    kept = [saved_bytes(lambda n=n, way=way: way(net, cloud, times, fixed("euler", n)), net) / 1024 for n in (4, 16, 32, 64)]
    axis.plot((4, 16, 32, 64), kept, "o-", color=colour, label=name)
axis.set(xlabel="Euler steps", ylabel="kept (KiB)", title="Memory for the backward pass")
axis.legend()
plt.show()

# %% [markdown]
r"""
## 3. Densities for the price of a trace

Where a field drives points apart their cloud grows thinner. In a step a small volume grows by $\det(I + h\, \partial f / \partial
z) = 1 + h\, \mathrm{tr}\, \partial f / \partial z + \dots$: of the determinant only the trace survives the limit (Theorem 1),

$$\frac{d \log p(z(t))}{dt} = -\, \mathrm{tr}\, \frac{\partial f}{\partial z} .$$

The paper's field is a sum of units $f(z) = u \tanh(w^\top z + b)$ (eq. 9). Differentiate one of them.
"""

# %%
w, u, b, z = (torch.randn(n, generator=generator, dtype=torch.float64) for n in (2, 2, 1, 2))
tanh = torch.tanh(w @ z + b)
trace = (1 - tanh**2) * (u @ w)  # hole: the trace of the Jacobian of u tanh(w·z + b), from tanh, u and w

# %%
log_dets = [torch.func.jacrev(lambda z, h=h: z + h * u * torch.tanh(w @ z + b))(z).logdet() for h in (1e-4, -1e-4)]
check(
    "the trace",
    trace,
    (log_dets[0] - log_dets[1])[None] / 2e-4,
    within=1e-5,
    hint="J = u (1 - tanh²) wᵀ; the trace of u wᵀ is u·w.",
)

# %% [markdown]
r"""
A *continuous normalizing flow* carries data ($t = 0$) to a standard normal ($t = 1$; the paper counts time the other way).
`runge_kutta` gives the end $z$ of the path from $x$, and the integral of the trace from $0$ to $1$.
"""


# %%
def log_q(flow, x, steps=8):
    z, integral = runge_kutta(flow, x, 0.0, 1.0, steps)
    return base_log_density(z) + integral  # hole: log q(x), from integral and base_log_density(z), the log-density of N(0, I)


# %%
untrained = PlanarCNF([16], generator=torch.Generator().manual_seed(0))  # must be a density anyway
with torch.no_grad():  # summed over 60 x 60 cells of [-8, 8]²
    total = log_q(untrained, square_grid(60, 8.0, cells=True)[None].float()).double().exp().sum() * (16 / 60) ** 2
check("the density has the integral 1", total, 1.0, within=1e-3, hint="Where volume grows towards the normal, is q larger?")

# %% [markdown]
r"""
## 4. Fit it by maximum likelihood

Raise $\log q$ of the data, two moons. Sampling is then the same solve from $t = 1$ to $0$, and each sample knows its density. The
paper's central picture (Figure 5) is that solve at six times, density above, samples below. How deep is this network? The
tolerance decides how often the solver asks for the field: the figure after it.
"""

# %%
flow, steps = PlanarCNF([64], generator=torch.Generator().manual_seed(0)), budget(full=1200, small=20)
flow = fit(flow, lambda f, g: -log_q(f, moons(256, generator=g)[None]).mean(), steps=steps, rate=0.005, average=0.99).model

# %%
base = torch.randn(1, 2000, 2, generator=torch.Generator().manual_seed(1))
moved = solve(flow, base, (1.0, 0.0), tolerance=1e-7)
samples, integral = moved.states[-1], moved.integrals[-1]  # the integral of the trace from t = 1 to 0
log_q_samples = base_log_density(base) - integral  # hole: log q of the samples, from integral and base_log_density(base)

# %%
there = log_density(flow, samples, tolerance=1e-7).log_density  # the way of a data point: from 0 to 1
check("the samples' log-density", log_q_samples, there, within=1e-2, hint="The integral runs from 1 to 0, not from 0 to 1.")

# %%
shares = (0.05, 0.2, 0.4, 0.6, 0.8, 1.0)
states, n = solve(flow, base, (1.0, *(1 - share for share in shares))).states, budget(full=60, small=8)
rows = panels(len(shares), rows=2, width=1.7, height=1.9)
for top, bottom, share, points in zip(*rows, shares, states[1:]):
    density = log_density(flow, square_grid(n, 4.5)[None], time=1 - share, tolerance=1e-3).log_density[0].exp().reshape(n, n)
    top.imshow(density.T, origin="lower", extent=(-4.5, 4.5, -4.5, 4.5), zorder=1)
    plane(top, f"{share:.0%}")
    scatter(bottom, points[0], "")
plt.show()

# %%
*found, exact = (log_density(flow, samples[:, :400], tolerance=10.0**-k) for k in (2, 3, 4, 5, 6, 7, 8, 10))
left, right = panels(2, width=3.8)
left.plot(range(2, 9), [each.nfe for each in found], "o-", color=BLUE)
left.set(xlabel="digits asked for (-log10 tolerance)", ylabel="evaluations", ylim=(0, None))
right.semilogy(range(2, 9), [(each.log_density - exact.log_density).abs().mean() for each in found], "o-", color=BLUE)
right.set(xlabel="digits asked for", ylabel="mean error of log q (nats)")
plt.show()

# %% [markdown]
r"""
## 5. Two surprises

**The way back may be lost.** The adjoint stores nothing because it walks the path backwards. But a field that pulls paths
together forgets where they came from; backwards it drives them apart, and each error with them. A fading memory: $z_1$ decays at
the rate $k$, and $z_2$ adds up its square. The gradient of $z_2(1)$ in $z_1(0)$ is known,

$$\frac{dz_1}{dt} = -k z_1, \quad \frac{dz_2}{dt} = z_1^2 \quad\Rightarrow\quad
\frac{\partial z_2(1)}{\partial z_1(0)} = \frac{1 - e^{-2k}}{k}\, z_1(0).$$
"""

# %%
start, usual = torch.tensor([1.0, 0.0], dtype=torch.float64).requires_grad_(), adaptive("dopri5", 1e-5)
left, right = panels(2, width=3.8, height=2.9)
rates, errors = torch.arange(1, 21), {}
fading = [lambda t, z, rate=rate: torch.stack([-rate * z[0], z[0] ** 2]) for rate in rates]
for (name, (_, colour)), way in zip(ways.items(), (solve_ode, lambda *what: solve_ode_adjoint(*what, parameters=()))):
    ends = [way(field, start, times, usual)[-1, 1] for field in fading]
    found = torch.stack([torch.autograd.grad(end, start)[0][0] for end in ends])
    errors[name] = (found * rates / (1 - torch.exp(-2.0 * rates)) - 1).abs()
    right.semilogy(rates, errors[name], "o-", color=colour, label=name)
right.set(xlabel="rate k", ylabel="relative error", title=f"Gradient; k = 20: off by a factor of {errors['adjoint'][-1]:.0f}")
right.legend()
there = solve_ode(fading[13], start.detach(), fine.double() / 5, usual)
back = solve_ode(fading[13], there[-1], fine.double().flip(0) / 5, usual)
left.plot(fine / 5, torch.stack([there, back.flip(0)], 1)[..., 0], color=BLUE)
left.set(xlabel="depth t", ylabel="$z_1$", title="k = 14: there, and back")
plt.show()

# %% [markdown]
r"""
Nothing warns you: each solve keeps its tolerance. If a gradient matters, compare both ways once, or save some states on the way.

**What no depth can do.** Swap the numbers $1$ and $-1$. One residual block can: $f(z) = -2z$ makes $z + f(z) = -z$. Where does
the same $f$ take $z(0) = 1$ as an ODE, at $t = 1$? No field does better: to change places two paths on a line must meet, and
solutions that meet are one. Train it all the same, on the line and with one more coordinate that begins at 0.
"""

# %%
end = torch.tensor(-2.0).exp()  # hole: z(1) of dz/dt = -2z from z(0) = 1

# %%
right_end = solve_ode(lambda t, z: -2 * z, torch.ones(1).double(), times, adaptive("dopri5", 1e-8))[-1, 0]
check("where the ODE ends", end, right_end, hint="z shrinks in proportion to itself.")


# %%
def swap_loss(net, generator):
    z = torch.where(torch.rand(64, 1, generator=generator) < 0.5, 1.0, -1.0) + 0.1 * torch.randn(64, 1, generator=generator)
    start = torch.cat([z, torch.zeros(64, net[2].out_features - 1)], 1)
    return (solve_ode(net, start, times.float(), fixed("rk4", 8))[-1, :, :1] + z).square().mean()


steps, nets = budget(full=200, small=15), {d: Field(nn.Linear(d + 1, 32), nn.Tanh(), nn.Linear(32, d)) for d in (1, 2)}
swaps = {dim: fit(net, swap_loss, steps=steps, rate=0.02, average=0.9) for dim, net in nets.items()}
left, right = panels(2, width=3.8, height=3.2)
for axis, (dim, done) in zip((left, right), swaps.items()):
    pairs = torch.cat([torch.linspace(-1.2, 1.2, 12)[:, None], torch.zeros(12, dim - 1)], 1)
    paths = solve_ode(done.model, pairs, fine / 5, adaptive("dopri5", 1e-4)).detach()
    for path, colour in zip(paths.unbind(1), [VERMILION] * 6 + [BLUE] * 6):
        axis.plot(*(path.T if dim == 2 else (fine / 5, path)), color=colour, linewidth=1)
left.set(xlabel="depth t", ylabel="z", title=f"on the line: loss {swaps[1].losses[-1]:.2g}")
right.set(xlabel="z", ylabel="one more coordinate", title=f"in the plane: loss {swaps[2].losses[-1]:.1g}")
plt.show()

# %% [markdown]
r"""
With room to turn in, red and blue pass each other; an ODE block often does better with a few empty channels.

## Where to read on

- **The replication.** `report/build/laptop/neural_ode/index.html` (`make report` makes it): does an ODE block do the work of six
  residual blocks? Equation by equation: `replications/neural_ode/README.md`. The next notebook, `ffjord`, frees the field's form.
- **Neighbours.** On the first surprise Gholami et al. 2019 (arXiv 1902.10298), on the second Dupont et al. (arXiv 1904.01681).
- **Try.** The rate 0.02 in section 4. The loss falls to 1.4 nats, below the data's entropy (2.3): what has the flow learnt about
  its eight Runge-Kutta steps? Compare `log_q` with `log_density` (2.39 and 2.39 at the rate above, 1.40 and 3.44 at this).
"""
