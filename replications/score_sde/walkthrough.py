# %% [markdown]
r"""
# Score SDE, step by step

Song, Sohl-Dickstein, Kingma, Kumar, Ermon, Poole: *Score-Based Generative Modeling through Stochastic Differential Equations*,
ICLR 2021.

**The question.** NCSN climbs down a ladder of noise levels, DDPM a chain of a thousand steps. What lies between the levels?
**The answer.** Both are steps of an SDE that turns data into noise. The score of the noisy data runs it backwards, and the same
score gives a flow without noise that has the same marginals.

From `ncsn` this notebook takes score matching and Langevin dynamics, from `ffjord` a flow's density. Some lines are holes to fill
in; a check behind each says whether you are right. All of it runs in a minute on a laptop. What the replication found, claim by
claim: the report's page `report/build/laptop/score_sde/index.html`.
"""

# %%
import matplotlib.pyplot as plt
import torch

from common.dynamics.denoiser import Denoiser
from common.dynamics.likelihood import log_likelihood
from common.dynamics.oracles import GaussianMixture, gaussian
from common.dynamics.paths import vp
from common.dynamics.samplers.ode import integrate
from common.learning.data.densities import ENTROPY, checkerboard, checkerboard_log_density
from common.learning.nets.mlp import ResidualMLP
from common.learning.objectives import Objective, draw_times, regression_loss
from common.measure.figures import BLUE, GREY, PALETTE, VERMILION
from replications.score_sde.correctors import langevin
from replications.score_sde.discrete_chains import ddpm_curves, smld_curves
from replications.score_sde.predictor_corrector import predictor_corrector, scales
from replications.score_sde.predictors import euler_maruyama, identity, probability_flow
from replications.score_sde.probability_flow import decoded, encoded
from replications.teaching import budget, check, fit, panels, scatter

# %% [markdown]
r"""
## 1. From noise levels to an SDE

One step up NCSN's ladder, and one of DDPM's chain:

$$x_i = x_{i-1} + \sqrt{\sigma_i^2 - \sigma_{i-1}^2}\; z_i, \qquad x_i = \sqrt{1 - \beta_i}\; x_{i-1} + \sqrt{\beta_i}\; z_i .$$

Put ever more levels between the same ends, $h$ apart in a time that runs from 0 (data) to 1 (noise). Then $\beta_i = \beta(t) h$
is small, $\sqrt{1 - \beta h} \approx 1 - \beta h / 2$, and both become $dx = f(t)\,x\,dt + g(t)\,dw$ with

$$\text{VE (NCSN): } f = 0,\; g^2 = (\sigma^2)' \qquad\qquad \text{VP (DDPM): } f = -\tfrac12 \beta,\; g^2 = \beta .$$

Euler and Maruyama's rule leads back from an SDE to steps. Noise adds up by *variance*, of which a step $h$ brings $g^2 |h|$.
"""


# %%
path = vp()  # here and below: β grows from 0.1 to 20
seeded = torch.Generator().manual_seed  # seeded(k) is a generator that begins as k says


def solve(drift, x, times, model=None, noise=1):  # all states on the way
    states, generator = [x], seeded(0)
    for t, h in zip(times, times.diff()):  # upwards or, with a negative h, downwards
        g2, z = path.diffusion_squared(t), noise * torch.randn(x.shape, generator=generator)
        x = x + drift(model, x, t) * h + (g2 * h.abs()).sqrt() * z  # hole: x at t + h, from drift(model, x, t), h, g2 (g²), z
        states.append(x)
    return torch.stack(states)


def forward(model, x, t):
    return path.drift_coefficient(t) * x


# %%
two, times = torch.full((20_000, 1), 2.0), torch.linspace(path.t_min, 0.6, 241)  # one data point, often
states, t = solve(forward, two, times), times[-1]
found, wanted = [states[-1].mean(), states[-1].std()], [2 * path.alpha(t), path.sigma(t)]
check("mean and deviation at t = 0.6", found, wanted, within=0.03, hint="The drift goes with h, the noise with its root.")

# %% [markdown]
r"""
Where it goes is known without a simulation. Mean $m$ and variance $v$ of $x_t$ given $x_0$ begin at $x_0$ and 0 and obey
$m' = f m$ and $v' = 2 f v + g^2$. For VP $m = e^{-B/2} x_0$ with $B(t) = \int_0^t \beta$. And the variance?
"""

# %%
t = times[[20, 80, 240]]
B = 0.1 * t + 0.5 * (20 - 0.1) * t**2
std = (1 - torch.exp(-B)).sqrt()  # hole: the standard deviation √v at the three times, from B: solve v' = -βv + β

# %%
check("the deviation that paths have", std, states[[20, 80, 240], :, 0].std(1), within=0.03, hint="For v = 1 - w it is w' = -βw.")
check("the deviation", std, path.sigma(t), within=1e-4)

# %%
for axis, (name, curves) in zip(panels(2, width=3.6), {"NCSN and VE": smld_curves(25), "DDPM and VP": ddpm_curves(25)}.items()):
    axis.plot(curves.t, curves.variance_of_chain, "o", color=VERMILION, markersize=4, label="25 noise levels")
    axis.plot(curves.t, curves.variance, color=BLUE, label="SDE")
    axis.set(title=name, xlabel="t", ylabel="variance of the noise", yscale="log" if "VE" in name else "linear")
    axis.legend()
plt.show()

# %% [markdown]
r"""
## 2. Run it backwards

Where did $x_t$ come from, a moment $h$ ago? Bayes: $p(x_{t-h} \mid x_t) \propto p(x_t \mid x_{t-h})\, p(x_{t-h})$. The first
factor alone undoes the drift. The second draws towards more data: over a step of variance $g^2 h$, a slope $\nabla \log p$ of the
log-density moves the mean by $g^2 h\, \nabla \log p$. So (Anderson 1982; eq. 6 of the paper), with the
score of the noisy data as the one unknown,

$$dx = \left[ f x - g^2\, \nabla \log p_t(x) \right] dt + g\, d\bar w, \qquad dt < 0 .$$
"""


# %%
def backward(model, x, t):
    f, g2 = path.drift_coefficient(t), path.diffusion_squared(t)
    return f * x - g2 * model.score(x, t)  # hole: the drift of the reverse-time SDE, from f, g2, x and model.score(x, t)


# %%
bell = gaussian(path, torch.tensor([1.0]), 0.5)  # data N(1, 0.5²), with the exact score
start, down = torch.randn(5000, 1, generator=seeded(1)), torch.linspace(1, path.t_min, 401)
found = solve(backward, start, down, bell)[-1]
check("back at N(1, 0.5²)", [found.mean(), found.std()], [1.0, 0.5], within=0.03, hint="Minus the whole g² times the score.")

# %% [markdown]
r"""
## 3. The same marginals without noise

A density moves by the Fokker-Planck equation, $\partial_t p = -\nabla \cdot (f x\, p) + \tfrac12 g^2 \Delta p$. Now
$\Delta p = \nabla \cdot (p\, \nabla \log p)$: noise spreads a cloud just as *flowing* down the slope of its log-density does,

$$\partial_t p = -\nabla \cdot \Big( \big[\, f x - \tfrac12 g^2\, \nabla \log p \,\big]\, p \Big) .$$

This is how an ODE moves a density, the *probability-flow ODE* (eq. 13). The paper's central picture is drawn below: noise becomes
two bumps by either equation. Grey is the density $p_t(x)$, the same in all panels, while the ways through it are not.
"""


# %%
def flow(model, x, t):
    f, g2 = path.drift_coefficient(t), path.diffusion_squared(t)
    return f * x - 0.5 * g2 * model.score(x, t)  # hole: the flow's velocity, from f, g2, x and model.score(x, t)


# %%
weights, means, stds = torch.tensor([[0.4, 0.6], [-1.5, 1.0], [0.2, 0.4]])
bumps = GaussianMixture(path, weights=weights, means=means[:, None], stds=stds)
t, found = torch.tensor(0.3), solve(flow, start, down, bell, noise=0)[-1]
check("it is the mean velocity E[α'x₀ + σ'ε | x]", flow(bumps, start, t), bumps.velocity(start, t), within=0.01, hint="Half.")
check("the flow ends at N(1, 0.5²) too", [found.mean(), found.std()], [1.0, 0.5], within=0.03)

# %%
up, grid, fan = down.flip(0), torch.linspace(-4, 4, 161)[:, None], torch.linspace(-1.8, 1.8, 8)[:, None]
density = torch.stack([bumps.log_density(grid, float(t)).exp() for t in up[::4]])
ways = {
    "SDE, data to noise": (up, solve(forward, bumps.sample(7, generator=seeded(2)), up)),
    "reverse SDE, noise to data": (down, solve(backward, fan, down, bumps)),
    "flow, noise to data": (down, solve(flow, fan, down, bumps, noise=0)),
}
for axis, (title, (times, states)) in zip(panels(3, width=3.3, height=3), ways.items()):
    axis.imshow(density.T, origin="lower", extent=(0, 1, -4, 4), aspect="auto", cmap="Greys", vmax=0.8)
    for line, colour in zip(states[:, :, 0].T, PALETTE * 2):
        axis.plot(times, line, color=colour, linewidth=0.8)
    axis.set(title=title, xlabel="t", ylabel="x", xlim=(0, 1), ylim=(-4, 4))
    axis.grid(False)
plt.show()

# %% [markdown]
r"""
## 4. Learn the score

Now data whose score nobody knows. Denoising score matching (from `ncsn`), at all times at once: given $x_0$ the score of $x_t$ is
$-\varepsilon / \sigma$, and its mean over all $x_0$ that lead to $x_t$ is the score. The weight $\lambda = \sigma^2$ keeps small
noise, where scores are huge, from drowning the rest (eq. 7):

$$\mathcal L(\theta) = \mathbb E_{t, x_0, \varepsilon}\; \sigma^2 \left\| s_\theta(x_t, t) + \varepsilon / \sigma \right\|^2 .$$
"""


# %%
def loss(network, generator):
    x0, noise = checkerboard(256, generator=generator), torch.randn(256, 2, generator=generator)
    t = draw_times(path, 256, generator=generator)
    x_t, sigma = path.perturb(x0, t, noise), path.sigma(t)[:, None]
    return (sigma * network.score(x_t, t) + noise).square().mean()  # hole: the mean of |σs + ε|², with network.score(x_t, t)


# %%
known, same = gaussian(path, torch.zeros(2), 2.0), seeded(1)
x0, noise = checkerboard(256, generator=same), torch.randn(256, 2, generator=same)
t, objective = draw_times(path, 256, generator=same), Objective(path, "score", "sigma_squared")
suite = regression_loss(known.score, objective, x0, t=t, noise=noise).mean()
check("the loss is the suite's", loss(known, seeded(1)), suite, within=1e-4, hint="σ²|s + ε/σ|² = |σs + ε|².")


# %%
def trained(seed, width, blocks):
    torch.manual_seed(seed)  # the network inside predicts the noise ε; its score is -ε/σ
    network = Denoiser(ResidualMLP((2,), width, blocks), path, "noise")
    return fit(network, loss, steps=budget(full=4000, small=20), seed=seed).model


model, other = trained(0, width=64, blocks=3), trained(1, width=96, blocks=2)  # the other one is for section 6

# %% [markdown]
r"""
## 5. Predictor and corrector

A step of the reverse SDE *predicts* $x_{t-h}$, with an error of discretisation. But we know the score of the law that $x_{t-h}$
should have, and Langevin dynamics (from `ncsn`) leads to it while time stands still: it *corrects* (Algorithm 1), in steps that
hold signal to noise at a ratio $r$ (norms are means over the batch),

$$x \leftarrow x + \epsilon\, s_\theta(x, t) + \sqrt{2 \epsilon}\; z, \qquad \epsilon = 2\, (r\, \|z\| / \|s\|)^2 .$$
"""

# %%
r, t, (x, z) = 0.3, 0.25, torch.randn(2, 100, 2, generator=seeded(5))
s = bell.score(x, t)
eps = 2 * (r * z.norm(dim=1).mean() / s.norm(dim=1).mean()) ** 2
corrected = x + eps * s + (2 * eps).sqrt() * z  # hole: x after one Langevin step, from eps, s and z

# %%
suite = langevin(r)(path, torch.tensor([t, 0.0]))(bell, x, t, t, lambda state: z)[0]
check("one corrector step", corrected, suite, hint="Under the root stands twice eps.")

# %%
start, count = torch.randn(budget(full=2000, small=20), 2, generator=seeded(6)), 50
samplers = {  # all with 50 evaluations of the network
    "flow alone": (probability_flow, identity, count),
    "corrector alone": (identity, langevin(r), count),
    "predictor alone": (euler_maruyama, identity, count),
    "predictor + corrector": (euler_maruyama, langevin(r), count // 2),
}
for axis, (name, (predictor, corrector, steps)) in zip(panels(4, width=2.5, height=2.9), samplers.items()):
    samples = predictor_corrector(predictor, corrector)(model, start, scales(path, steps, t_min=1e-3), generator=seeded(7)).x
    share = torch.isinf(checkerboard_log_density(samples)).double().mean()
    scatter(axis, samples, f"{name}:\n{share:.0%} off the board")
plt.show()

# %% [markdown]
r"""
## 6. Likelihood, and one code for two networks

The flow is a continuous normalizing flow that was trained without a solver; `ffjord`'s integral gives its exact density. Run
upwards it turns a data point into *its* noise, a code. The flow depends on the score alone, the score on the data alone. Whoever
learned the score well encodes a point the same way: here are two networks of different width, depth and seed.
"""

# %%
test = checkerboard(budget(full=500, small=5), generator=seeded(8))
nll = -log_likelihood(model, test, t_min=1e-3).log_density.mean()
codes, others = (encoded(each, test, t_min=1e-3).x for each in (model, other))
error = (decoded(model, codes, t_min=1e-3).x - test).abs().max()
print(f"nats: {nll:.3f}; the least there can be: {ENTROPY['checkerboard']:.3f}; to the code and back: off by at most {error:.4f}")
(axis,) = panels(1, width=3.6, height=3.3)
axis.plot(codes[:, 0], others.roll(1, 0)[:, 0], ".", color=GREY, markersize=2)
axis.plot(codes[:, 0], others[:, 0], ".", color=BLUE, markersize=3)
axis.set(title="codes of one point (grey: of two)", xlabel="first network's $z_1$", ylabel="second network's $z_1$")
plt.show()

# %% [markdown]
r"""
## 7. A surprise: all of $g^2$, and no noise

Mix both equations up: the *whole* $g^2$ without noise. For data $N(m, s^2)$ let $y = x / \alpha$, of variance
$u(t) = s^2 + \sigma^2 / \alpha^2$. The right half gives $(y - m)' = \frac{u'}{2u} (y - m)$: so $y - m$ shrinks like $\sqrt u$, as
a standard deviation should. With the whole $g^2$ the half is gone.
"""

# %%
ends = torch.tensor([1.0, path.t_min])
u = 0.5**2 + (path.sigma(ends) / path.alpha(ends)) ** 2  # at the noise, u[0], and at the data, u[1]
y = start[:5, :1] / path.alpha(ends[0])
end = 1.0 + (y - 1.0) * u[1] / u[0]  # hole: y at the data with the whole g², from y at the noise, u and m = 1

# %%
solved = integrate(lambda t, x: backward(bell, x, t), start[:5, :1], ends, method="dopri5", rtol=1e-7, atol=1e-7)[-1]
check("where the whole g² leads", end, solved, within=1e-4, hint="Now (y - m)' = (u'/u)(y - m): y - m shrinks like u itself.")
print(f"deviation of the samples: {(end - 1).std() / start[:5, :1].std():.4f}; of the data: 0.5")

# %%
wrongs = {"right: ½g², no noise": (flow, 0), "g², no noise": (backward, 0), "½g² and noise": (flow, 1)}
with torch.no_grad():
    for axis, (name, (drift, noise)) in zip(panels(3, width=3, height=3.2), wrongs.items()):
        scatter(axis, solve(drift, start, down[::4], model, noise)[-1], name, colour=BLUE if "right" in name else VERMILION)
plt.show()

# %% [markdown]
r"""
The whole $g^2$ without noise climbs the density. While noise is large its only peak is the middle, and later nothing leads out.
Half of $g^2$ with noise spreads too far. No loss would tell: the network is the same in all three.

## Where to read on

- **The replication.** `report/build/laptop/score_sde/index.html` (`make report`): samplers at equal cost, likelihoods and codes
  of digits, inpainting, colours. Equation by equation: `replications/score_sde/README.md`.
- **Neighbours.** Song, Durkan et al. 2021 (arXiv 2101.09258) train for likelihood; Karras et al. 2022 (2206.00364): the design.
- **Try.** Other data; another $r$; a sampler between SDE and flow, with $\frac12 (1 + \lambda^2)\, g^2$ and noise $\lambda g$.
"""
