# %% [markdown]
r"""
# Flow matching, step by step

Lipman, Chen, Ben-Hamu, Nickel and Le: *Flow Matching for Generative Modeling*, ICLR 2023.

**The question.** A flow carries noise to data along the arrows of a vector field. How do we learn the field without running the
flow while we train? **The answer.** Draw a straight line from a noise point to a data point, and let a network guess the
direction of the line from a point on it.

This is the last notebook of the seminar. From the one on solvers (`gotta_go_fast`) it takes the price of a sample, counted in
evaluations of the network; from `score_sde` the path between data and noise; from `ffjord` what a flow's density is.

Some lines are holes to fill in; a check behind each says whether you are right. All of it runs in a minute on a laptop. What the
replication found, claim by claim: the report's page `report/build/laptop/flow_matching/index.html`.
"""

# %%
import matplotlib.pyplot as plt
import torch

from common.dynamics.denoiser import Denoiser
from common.dynamics.divergence import with_exact_divergence
from common.dynamics.likelihood import log_likelihood, transport
from common.dynamics.paths import optimal_transport, uniform_times, vp
from common.dynamics.samplers.ode import euler, trajectory
from common.learning.data.densities import ENTROPY, checkerboard
from common.learning.nets.mlp import ResidualMLP
from common.learning.objectives import Objective, draw_times, regression_loss
from common.measure.figures import BLACK, BLUE, GREY, VERMILION
from replications.flow_matching.board import share_off_board
from replications.flow_matching.conditional_flow_matching import conditional_field
from replications.flow_matching.exact_fields import checkerboard_mixture
from replications.teaching import budget, check, fit, losses, panels, plane, scatter

generator = torch.Generator().manual_seed(0)

# %% [markdown]
r"""
## 1. A path from data to noise

Take a data point $x_0$ and a noise point $\varepsilon \sim N(0, I)$. A *path* joins them:

$$x_t = \alpha(t)\, x_0 + \sigma(t)\, \varepsilon, \qquad t = 0 \text{ at the data}, \quad t = 1 \text{ at the noise}.$$

Flow matching's choice is the straight one, $\alpha = 1 - t$ and $\sigma \approx t$ (eq. 20; the paper's time is $1 - t$).
"""

# %%
path = optimal_transport()
x0, noise = checkerboard(4000, generator=generator), torch.randn(4000, 2, generator=generator)
t = torch.tensor(0.4)
x_t = path.alpha(t) * x0 + path.sigma(t) * noise  # hole: the points at time t of the paths from x0 to noise (path.alpha(t) is α)

# %%
check("the points at t = 0.4", x_t, path.perturb(x0, t, noise), hint="Data has the factor α, noise has σ.")

# %%
axes = panels(5, width=2.1)
for axis, time in zip(axes, (1.0, 0.75, 0.5, 0.25, 0.0)):
    scatter(axis, path.perturb(x0, torch.tensor(time), noise), f"t = {time:g}")
plt.show()

# %% [markdown]
r"""
From left to right each point runs along its own straight line from noise to data. But the line was drawn with its end in hand,
and who samples has no end to aim at: we need arrows that depend on place and time alone.

## 2. The arrow of one line

Hold $x_0$ and $\varepsilon$ fixed and differentiate the path in $t$:

$$u_t = \alpha'(t)\, x_0 + \sigma'(t)\, \varepsilon.$$

The paper writes the same arrow as a field in $x$ (Theorem 3): `conditional_field(path, x, x0, t)`.
"""

# %%
u_t = path.alpha_dot(t) * x0 + path.sigma_dot(t) * noise  # hole: the derivative of x_t in t (path.alpha_dot(t) is α')

# %%
quotient = (path.perturb(x0, t + 0.01, noise) - path.perturb(x0, t - 0.01, noise)) / 0.02  # exact: the path is straight
check("the arrow is how x_t moves", u_t, quotient, within=1e-3, hint="Only α and σ depend on t.")
check("the arrow is the field of Theorem 3", u_t, conditional_field(path, x_t, x0, t), within=1e-3)

# %% [markdown]
r"""
Another path, another arrow. A diffusion model's path (variance preserving, `vp`) joins the same pairs by curves, some of which
run past their end and turn back. Dots are equal steps of time, black squares are data.
"""

# %%
paths = {"straight (FM-OT)": path, "diffusion": vp()}
colours = {"straight (FM-OT)": BLUE, "diffusion": VERMILION}
for axis, (name, each) in zip(panels(2, width=3.4, height=3.4), paths.items()):
    states = torch.stack([each.perturb(x0[:10], s, noise[:10]) for s in torch.linspace(each.t_min, 1, 21)])
    axis.plot(states[..., 0], states[..., 1], ".-", color=colours[name], markersize=3, linewidth=0.8)
    axis.plot(*x0[:10].T, "s", color=BLACK, markersize=4)
    plane(axis, name)
plt.show()

# %% [markdown]
r"""
## 3. Many lines cross: take the mean

Through one place $x$ at one time $t$ run many lines, each with its own arrow. The flow has one arrow there. Which? The mean of
those that pass,

$$v_t(x) = \mathbb{E}\left[\, u_t \mid x_t = x \,\right].$$

If every point follows the mean arrow, the cloud as a whole moves as it does along the lines (Theorem 1). Here are 400 000 lines,
and those of them that pass near one place.
"""

# %%
many_x0, many_noise = checkerboard(400_000, generator=generator), torch.randn(400_000, 2, generator=generator)
place, t = torch.tensor([0.9, 0.4]), torch.tensor(0.5)
near = (path.perturb(many_x0, t, many_noise) - place).norm(dim=1) < 0.1
arrows = path.conditional_velocity(many_x0[near], t, many_noise[near])
mean_arrow = arrows.mean(0)  # hole: the one arrow with the least mean squared distance to all of `arrows`

# %%
exact = checkerboard_mixture(path)  # the checkerboard made of many small Gaussians: its field is known in closed form
right = exact.velocity(place[None].double(), t)[0]
check("the mean arrow is the exact field's", mean_arrow, right, within=0.3, hint="What minimises Σ |v - uᵢ|² over v?")

# %%
(axis,) = panels(1, width=4.2, height=4.2)
for arrow in arrows[:60]:
    axis.annotate("", place - 0.5 * arrow, place, arrowprops={"arrowstyle": "->", "color": GREY, "lw": 0.5})
axis.annotate("", place - 0.5 * mean_arrow, place, arrowprops={"arrowstyle": "->", "color": BLUE, "lw": 2.5})
scatter(axis, x0, "Where lines through one place lead,\nand their mean", colour="#D8D8D8")
plt.show()

# %% [markdown]
r"""
## 4. So regress

A mean is what least squares finds. No need to collect lines that pass nearby: show the network one line at a time, ask for
its arrow, and the best it can answer is the mean. That is the whole method, eq. 9 of the paper:

$$\mathcal{L}(\theta) = \mathbb{E}_{t,\, x_0,\, \varepsilon} \left\| v_\theta(x_t, t) - u_t \right\|^2 .$$

No solver and no divergence. (Theorem 2: its gradient is that of the regression on the mean itself.)
"""


# %%
def make_loss(path, sign=1):  # sign: for the second surprise
    def loss(network, generator):
        x0, noise = checkerboard(256, generator=generator), torch.randn(256, 2, generator=generator)
        t = draw_times(path, 256, generator=generator)  # one uniform time for each line
        x_t, u_t = path.perturb(x0, t, noise), path.conditional_velocity(x0, t, sign * noise)
        return (network(x_t, t) - u_t).square().mean()  # hole: the mean squared error of network(x_t, t)

    return loss


# %%
same, again = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
batch_x0, batch_noise = checkerboard(256, generator=same), torch.randn(256, 2, generator=same)
batch_t = draw_times(path, 256, generator=same)
suite = regression_loss(exact.velocity, Objective(path, "velocity", "one"), batch_x0, t=batch_t, noise=batch_noise).mean()
check("the loss is the suite's", make_loss(path)(exact.velocity, again), suite, hint="Subtract, square, mean.")


# %%
steps, trained = budget(full=4000, small=20), {}
for name, each in paths.items():  # once on straight lines and once on the diffusion path; nothing else differs
    torch.manual_seed(0)  # the same initial weights
    network = Denoiser(ResidualMLP((2,), width=64, blocks=3), each, "velocity")
    trained[name] = fit(network, make_loss(each), steps=steps)
flows = {name: each.model for name, each in trained.items()}

# %%
with torch.no_grad():
    floor = torch.stack([make_loss(path)(exact.velocity, generator) for _ in range(20)]).mean()
(axis,) = panels(1, width=5, height=2.6)
losses(axis, "Lines that cross differ from their mean: no loss can be zero", {"network": trained["straight (FM-OT)"]})
axis.axhline(floor, color=BLACK, linestyle="--", label="exact field")
axis.legend()
plt.show()

# %% [markdown]
r"""
## 5. Sample

Start at noise and follow the arrows, here by Euler's method. Our time runs from data to noise: walk down from $t = 1$ to $0$.
"""


# %%
def walk(flow, x, times):
    for t, t_next in zip(times[:-1].tolist(), times[1:].tolist()):
        x = x + (t_next - t) * flow.velocity(x, t)  # hole: x after one Euler step from t to t_next along flow.velocity(x, t)
    return x


# %%
flow, start = flows["straight (FM-OT)"], torch.randn(2000, 2, generator=generator, dtype=torch.float64)
with torch.no_grad():
    walked = walk(flow, start[:100], uniform_times(path, 8))
check("eight Euler steps", walked, euler(flow, start[:100], uniform_times(path, 8)).x, hint="The step t_next - t is negative.")

# %% [markdown]
r"""
The paper's central picture: few evaluations of the network, from the same noise. How many points lie on the wrong squares?
"""

# %%
axes = panels(4, rows=2, width=2.5, height=2.9)
for row, (name, each) in zip(axes, flows.items()):
    for axis, count in zip(row, (2, 4, 8, 64)):
        samples = euler(each, start, uniform_times(each.path, count)).x
        scatter(axis, samples, f"{name}, {count} steps:\n{share_off_board(samples):.0%} off the board", colour=colours[name])
plt.show()

# %% [markdown]
r"""
## 6. The density comes for free

A flow is a continuous normalizing flow however it was trained. Along it the density changes by the divergence of the field
(from `neural_ode`), so with $z$ the place at $t = 1$ where the flow from $x$ ends, which `transport` finds with the integral,

$$\log p(x) = \log N(z;\, 0, I) + \int_0^1 \nabla \cdot v_t(x_t)\, dt .$$
"""

# %%
test = checkerboard(200, generator=generator).double()
field = with_exact_divergence(lambda t, x: flow.velocity(x, t))
with torch.no_grad():
    moved = transport(field, test, torch.tensor([0.0, 1.0], dtype=torch.float64), torch.zeros(200, dtype=torch.float64))
z, integral = moved.states[-1], moved.integrals[-1]
log_p = path.prior_log_density(z) + integral  # hole: log p of the test points (path.prior_log_density(z) is log N(z; 0, I))

# %%
check("the log-density", log_p, log_likelihood(flow, test).log_density, within=1e-3, hint="The prior at z, and the integral.")
print(f"mean negative log-likelihood: {-log_p.mean():.3f} nats; the least there can be: {ENTROPY['checkerboard']:.3f}")

# %%
grid = torch.linspace(-4.5, 4.5, budget(full=70, small=8), dtype=torch.float64)
density = log_likelihood(flow, torch.cartesian_prod(grid, grid)).log_density.exp().reshape(len(grid), -1)
(axis,) = panels(1, width=4.2, height=3.4)
image = axis.imshow(density.T, origin="lower", extent=(-4.5, 4.5, -4.5, 4.5), vmin=0, vmax=0.06)
plane(axis, "The model's density (the board's is 1/32 ≈ 0.031)")
axis.grid(False)
plt.colorbar(image, ax=axis, label="density")
plt.show()

# %% [markdown]
r"""
## 7. Two surprises

**Straight lines, one step?** Each *line* is straight, so why not take one Euler step from $t = 1$ to $0$? At $t = 1$ every place
is reached by lines from all data points alike, so there $v_1(x) = x - \mathbb{E}[x_0]$. Where do all the samples land?
"""

# %%
landing = many_x0.mean(0)  # hole: the one point where every sample lands, from many_x0

# %%
one_step = euler(exact, start, uniform_times(path, 1)).x  # with the exact field: no network is to blame
check("where one step leads", landing, one_step[0], within=0.05, hint="Put v_1(x) into x + (0 - 1) v_1(x).")

# %%
axes = panels(2, width=3)
scatter(axes[0], one_step, "one Euler step, exact field")
lines = trajectory(exact, start[:40], uniform_times(path, 60), rtol=1e-5, atol=1e-5)
axes[1].plot(lines[..., 0], lines[..., 1], color=BLUE, linewidth=0.7)
plane(axes[1], "the exact flow from t = 1 to 0: it bends")
plt.show()

# %% [markdown]
r"""
Lines cross, a flow's ways cannot: where lines meet, it turns. Straight conditional paths make it *straighter*, not straight.

**A wrong sign that the loss likes.** Let us teach the network $\alpha' x_0 - \sigma' \varepsilon$. Will the training tell?
"""

# %%
wrong = fit(Denoiser(ResidualMLP((2,), width=64, blocks=3), path, "velocity"), make_loss(path, sign=-1), steps=steps // 4)
axes = panels(2, width=3.4, height=3)
losses(axes[0], "Which of them is broken?", {"right sign": trained["straight (FM-OT)"], "wrong sign": wrong})
scatter(axes[1], euler(wrong.model, start, uniform_times(path, 64)).x, "samples with the wrong sign", colour=VERMILION)
plt.show()

# %% [markdown]
r"""
The broken one has the better loss, and its samples fly apart. Losses of different targets do not compare. The difference quotient
of section 2 would have shown the mistake in a millisecond.

## Where to read on

- **The replication.** `report/build/laptop/flow_matching/index.html` (`make report` makes it): does the straight path win on
  digits too, by how much, and how sure is that? Equation by equation: `replications/flow_matching/README.md`.
- **Neighbours.** Rectified flow (Liu, Gong and Liu 2022, arXiv 2209.03003) is the same regression, repeated on the pairs that a
  flow makes, which unbends it. Stochastic interpolants (Albergo and Vanden-Eijnden 2022, arXiv 2209.15571) generalise the path.
  Pairs chosen by optimal transport in each batch make lines cross less (Tong et al. 2023, arXiv 2302.00482).
- **Try.** Another data set (`common/learning/data/densities.py`); Heun's method at equal evaluations; more times near the data.
"""
