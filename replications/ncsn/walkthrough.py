# %% [markdown]
r"""
# Score matching and Langevin dynamics, step by step

Song and Ermon: *Generative Modeling by Estimating Gradients of the Data Distribution* (NCSN), NeurIPS 2019.

**The question.** A density needs a normalising constant, a flow an inverse. What if we learn neither, but only the direction in
which the density grows? **The answer.** Learn that direction for data with noise, at many levels of noise, and follow it from the
widest level to the least.

From `ffjord` this notebook takes what a log-density is, and what it cost there: a divergence all along the way. Here is none to
pay. Some lines are holes to fill in; a check behind each says whether you are right. All of it runs in a minute on a laptop. What
the replication found, claim by claim: the report's page `report/build/laptop/ncsn/index.html`.
"""

# %%
import matplotlib.pyplot as plt
import torch
from torch.nn.functional import normalize

from common.dynamics.answers import Answering
from common.dynamics.denoiser import Conditioning, Denoiser
from common.dynamics.paths import level_times, ve
from common.learning.data import catalogue
from common.learning.data.scale import rescaled, to_unit
from common.learning.nets.mlp import ResidualMLP
from common.measure.figures import BLACK, GREY, VERMILION
from common.measure.grid import square_grid
from common.measure.image_lines import image_lines
from replications.ncsn.annealed_langevin import annealed_langevin, annealing, langevin, uniform_start
from replications.ncsn.experiments.score_regions import softplus_network
from replications.ncsn.score_matching import denoising_score_matching, noise_conditional
from replications.ncsn.two_modes import HALF_WIDTH, HEAVY, MEANS, heavy_share, two_modes, variance_in_modes
from replications.teaching import arrows, budget, check, fit, panels, scatter

generator = torch.Generator().manual_seed(1)

# %% [markdown]
r"""
## 1. The score

The **score** is the gradient of a log-density, $s(x) = \nabla_x \log p(x)$: an arrow uphill. A constant factor of $p$ drops out.

The paper's toy: two points $m_1 = (-5, -5)$ and $m_2 = (5, 5)$ of weights 1/5 and 4/5, with noise of width $\sigma$. At
$\sigma = 1$ they are "the data". The score leads to a mean of the two, in which each has its share of the density at $x$:

$$s_\sigma(x) = \frac{r_1(x)\, m_1 + r_2(x)\, m_2 - x}{\sigma^2}, \qquad r_k(x) \propto w_k\, e^{-|x - m_k|^2 / 2\sigma^2} .$$
"""


# %%
def score(x, sigma, heavy=HEAVY):
    log_weights = torch.tensor([1 - heavy, heavy], dtype=x.dtype).log()
    r = (log_weights - torch.cdist(x, MEANS).square() / (2 * sigma**2)).softmax(1)  # the shares [n, 2]
    return (r @ MEANS - x) / sigma**2  # hole: the score at x [n, 2] from the shares r, the points MEANS [2, 2] and sigma


# %%
toy = ve(sigma_min=1.0, sigma_max=20.0)  # sigma runs from 1 at t = 0 to 20 at t = 1
exact = two_modes(toy, std=0.0)
places = uniform_start((200, 2), (-HALF_WIDTH, HALF_WIDTH), generator=generator).double().requires_grad_()
(gradient,) = torch.autograd.grad(exact.log_density(places, 0.5).sum(), places)
check("the score is the gradient of log p", score(places.detach(), 20**0.5), gradient, hint="r @ MEANS is the mean of the two.")

# %% [markdown]
r"""
## 2. Climb and shake

**Langevin dynamics** climbs and shakes. With fresh noise $z \sim N(0, I)$,

$$x \leftarrow x + \alpha\, s(x) + \sqrt{2 \alpha}\, z ,$$

and many small steps end at a sample of $p$ (eq. 4; the paper prints $\alpha/2$ and $\sqrt{\alpha}$, which is the same for a step
of half the size). Drift and noise belong together: remember that 2.
"""


# %%
def walk(score, x, sigma, alpha, steps, generator):
    for _ in range(steps):
        z = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        x = x + alpha * score(x, sigma) + (2 * alpha) ** 0.5 * z  # hole: x after one step, from score(x, sigma), alpha and z
    return x


# %%
start = uniform_start((budget(full=1280, small=200), 2), (-HALF_WIDTH, HALF_WIDTH), generator=generator).double()
walked = walk(score, start, 1.0, 0.05, 5, torch.Generator().manual_seed(1))
five_times, suite = torch.zeros(6, dtype=torch.float64), langevin(lambda sigma: torch.full_like(sigma, 0.05))
ends = suite(exact, start, five_times, generator=torch.Generator().manual_seed(1)).x
check("five Langevin steps", walked, ends, hint="The noise has the factor √(2α).")

# %% [markdown]
r"""
1280 walkers start anywhere on the square and take 1000 steps, enough to know a hill by heart. Count them on each.
"""

# %%
steps = budget(full=100, small=10)
drawn = exact.sample(len(start), generator=generator) + torch.randn(start.shape, generator=generator)
plain = walk(score, start, 1.0, 0.05, 10 * steps, generator)
along = torch.linspace(-8, 8, 400, dtype=torch.float64)
axes = panels(3, width=3.2, height=3.2)
scatter(axes[0], drawn, f"data: {heavy_share(drawn):.2f} on the right hill", colour=BLACK, extent=8.5)
scatter(axes[1], plain, f"Langevin: {heavy_share(plain):.2f}", colour=VERMILION, extent=8.5)
for heavy in (0.1, 0.5, 0.9):
    axes[2].plot(along, score(torch.stack([along, along], 1), 1.0, heavy)[:, 0], label=f"right hill {heavy}", linewidth=1)
axes[2].set(title="The score for three weights", xlabel="place on the diagonal", ylabel="score, first coordinate", ylim=(-6, 9))
axes[2].legend(loc="upper left")
plt.show()

# %% [markdown]
r"""
Half and half, because the starts were. On a hill $\log p = \log w_k + \log N(x; m_k, I)$, and the gradient does not see
$\log w_k$: on the right the three curves are one, but for where they jump. **The score of distant modes does not know their
weights** (Section 3.2.2), and this was the exact score.

## 3. Noise joins the modes

With wide noise the two hills are one, and where its top is tells the weights. **Annealed Langevin dynamics** (Algorithm 1) starts
there and walks down a ladder $\sigma_1 > \dots > \sigma_L$, some steps at each level, from where the level before left the
walkers. A hill of width $\sigma$ bears steps in proportion to $\sigma^2$:

$$\alpha_i = \epsilon\, \frac{\sigma_i^2}{\sigma_L^2} .$$
"""


# %%
def annealed(score, x, sigmas, eps, steps, generator):
    ends = []
    for sigma in sigmas:
        alpha = eps * sigma**2 / sigmas[-1] ** 2  # hole: the step at level sigma; at the least level, sigmas[-1], it is eps
        ends.append(x := walk(score, x, sigma, alpha, steps, generator))
    return ends


# %%
toy_times = level_times(toy, 10)
toy_sigmas = toy.sigma(toy_times)  # ten levels from 20 to 1, each 0.72 of the one before
same, again = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
walked = annealed(score, start, toy_sigmas[:5], eps=toy_sigmas[4] ** 2 / 10, steps=3, generator=same)[-1]
ends = annealed_langevin(rho=0.1)(exact, start, annealing(toy_times[:5], 3), generator=again).x
check("three steps at each of five levels", walked, ends, hint="Wide levels take large steps.")

# %%
# the paper's central picture (Figure 3): the same starts, and as many steps as before; arrows: where the score points
found = annealed(score, start, toy_sigmas, 0.1, steps, generator)
for axis, number in zip(panels(4, width=2.5, height=2.9), (0, 4, 6, 9)):
    sigma, extent = float(toy_sigmas[number]), (45, 25, 15, 8.5)[number // 3]
    arrows(axis, lambda x, sigma=sigma: normalize(score(x, sigma)), "", colour=GREY, extent=extent, count=9)
    scatter(axis, found[number], f"σ = {sigma:.1f}\n{heavy_share(found[number]):.2f} on the right", extent=extent)
plt.show()

# %% [markdown]
r"""
## 4. Learn a score from samples

The walkers chose their hills while these were joined, so the weights are right. But nobody gives us the score of data. Of one
point with noise, $x = x_0 + \sigma z$, we have it, $\nabla_x \log N(x;\, x_0, \sigma^2 I)$; its mean over all $x_0$ that may have
led to $x$ is the score of the noisy data, and means are what least squares finds: regress (**denoising score matching**, eq. 5).
As in the paper's Figure 2 a network first learns $\sigma = 1$ alone, the data. Where is it right?
"""

# %%
sigma, x0 = 4.0, exact.sample(4000, generator=torch.Generator().manual_seed(2))
noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(3), dtype=x0.dtype)
target = -noise / sigma  # hole: the gradient of log N(x; x0, σ² I) at x = x0 + sigma * noise, from noise and sigma

# %%
noisy = (x0 + sigma * noise).requires_grad_()
(gradient,) = torch.autograd.grad(-(noisy - x0).square().sum() / (2 * sigma**2), noisy)
check("the target is the gradient", target, gradient, hint="It points from x back to x0.")


# %%
def one_level(network, generator):
    x0 = exact.sample(256, generator=generator).float()
    return denoising_score_matching(network, x0, torch.tensor(1.0), torch.randn(x0.shape, generator=generator)).mean()


torch.manual_seed(0)
single = fit(softplus_network(64), one_level, steps=budget(full=2000, small=20)).model.double()

# %%
axes, grid = panels(3, width=3.4, height=3.2), square_grid(41, HALF_WIDTH)
axes[0].plot(noisy.detach().mean(1), target.mean(1), ".", color=GREY, markersize=2, label="targets")
axes[0].plot(2 * along, score(torch.stack([along, along], 1) * 2, sigma)[:, 0], color=VERMILION, label="their mean: the score")
axes[0].set(title="σ = 4: no target is the score", xlabel="place on the diagonal", ylabel="arrow on the diagonal")
axes[0].legend()
arrows(axes[1], single, "σ = 1: the learned score", extent=HALF_WIDTH)
error = (single(grid).detach() - score(grid, 1.0)).norm(dim=1) / score(grid, 1.0).norm(dim=1)
image = axes[2].imshow(error.reshape(41, 41).T, origin="lower", extent=[-HALF_WIDTH, HALF_WIDTH] * 2, vmin=0, vmax=1)
scatter(axes[2], drawn[:300], "its relative error, and data", colour="white", extent=HALF_WIDTH)
axes[2].grid(False)
plt.colorbar(image, ax=axes[2])
plt.show()

# %% [markdown]
r"""
A loss of zero, and right only where data are (Section 3.2.1). Wide noise mends this too: it puts data everywhere.

## 5. One network for all levels

One network $s_\theta(x, \sigma)$ learns all levels. Its loss is the mean over the levels of $\lambda(\sigma_i)\, \ell_i$ (eq. 6),

$$\ell_i = \tfrac12\, \mathbb{E} \left\| s_\theta(x_0 + \sigma_i z, \sigma_i) + z / \sigma_i \right\|^2 .$$

With which weights $\lambda$? The data are digits now, 8×8 pixels from 0 to 1, and the levels the paper's, ten from 1 to 0.01. A
network that answers 0 has $\ell_i = 64 / 2\sigma_i^2$: unweighted, the least level would outweigh the first 10 000 times.
"""

# %%
split = catalogue.load("digits", "train")
digits = rescaled(to_unit(split.images, split.grey_values), (-1.0, 1.0), (0.0, 1.0))
path = ve(sigma_min=0.01, sigma_max=1.0)
times = level_times(path, 10)
sigmas = path.sigma(times)
weight = sigmas**2  # hole: λ for all ten sigmas, such that the untrained network loses 32 on every level

# %%
noise = torch.randn(digits.shape, generator=torch.Generator().manual_seed(4))
losses = torch.stack([denoising_score_matching(torch.zeros_like, digits, level, noise).mean() for level in sigmas])
check("the weighted loss is 32 on all levels", weight * losses, torch.full((10,), 32.0), within=1, hint="ℓ goes as 1/σ².")


# %%
def all_levels(network, generator):
    x0 = digits[torch.randint(len(digits), (128,), generator=generator)]
    t = times[torch.randint(len(times), (128,), generator=generator)].float()  # a random level for each digit
    noise, sigma = torch.randn(x0.shape, generator=generator), path.sigma(t)
    return noise_conditional(denoising_score_matching(lambda x: network.score(x, t), x0, sigma, noise), sigma)  # λ = σ²


torch.manual_seed(0)
given = Conditioning("unit_variance", "index", 0.35)  # it is given x, scaled, and the level's number
network = Denoiser(ResidualMLP((1, 8, 8), width=128, blocks=3), path, "noise", times, given)  # it answers -σ s
model = fit(network, all_levels, steps=budget(full=3000, small=20), rate=0.004, average=0.995).model


# %%
# a hundred steps at each level, from uniform noise, with ε / σ_L² = 0.2 as published; cf. Figure 4
def sampled(model, rho, callback=None):
    chains, x = torch.Generator().manual_seed(5), torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(6))
    return annealed_langevin(rho)(model, x, annealing(times, steps), generator=chains, callback=callback).x


kept = []
samples = sampled(model, 0.2, lambda number, t, x: kept.append(x[:16]) if (number + 1) % steps == 0 else None)
for axis, number in zip(panels(1, rows=5, width=10, height=0.75)[:, 0], (0, 2, 4, 6, 9)):
    image_lines(axis, 2 * kept[number].numpy() - 1, f"σ = {sigmas[number]:.2f} ", per_line=16, gap=1)
plt.show()

# %% [markdown]
r"""
## 6. A surprise: the mistake that looks better

The paper prints $x + \frac{\alpha}{2} s + \sqrt{\alpha}\, z$, its code runs $x + \alpha s + \sqrt{2\alpha}\, z$. Mix the two up
and you have $x + \alpha s + \sqrt{\alpha}\, z$. With $a = \alpha / 2$ that is

$$x + a\, (2 s) + \sqrt{2 a}\, z, \qquad 2 s = \nabla \log p^2 :$$

a right step of the wrong density, $p^2$ over its integral. Which share of $p^2$ is on the toy's right hill?
"""

# %%
mistaken = HEAVY**2 / (HEAVY**2 + (1 - HEAVY) ** 2)  # hole: the right hill's share of p², from its share HEAVY of p

# %%
grid = square_grid(161, 12.0)
squared = exact.log_density(grid, 0.0).mul(2).exp()  # at σ = 1, where both hills are of one shape
share = squared[grid.sum(1) > 0].sum() / squared.sum()
check("the share of p²", mistaken, share, within=1e-3, hint="Square both weights; then make them sum to 1 again.")

# %%
double, pair = Answering(toy, "score", lambda x, t: 2 * exact.score(x, t)), {"right": found[-1]}
pair["mistaken"] = annealed_langevin(0.05)(double, start, annealing(toy_times, steps), generator=generator).x
for name, x in pair.items():
    print(f"toy, {name}: {heavy_share(x):.2f} on the right hill; variance {variance_in_modes(x):.2f}, the data's is 1")
cold = sampled(Answering(path, "score", lambda x, t: 2 * model.score(x, t), times), 0.1)
rows = {"data": digits[:200], "right": samples, "mistaken": cold}
for axis, (name, x) in zip(panels(1, rows=3, width=10, height=1.4)[:, 0], rows.items()):
    image_lines(axis, 2 * x[:32].numpy() - 1, f"{name} ", per_line=16, gap=1)
    nearest = torch.cdist(x.flatten(1), digits.flatten(1)).topk(2, largest=False).values[:, int(name == "data")].median()
    print(f"digits, {name}: {nearest:.2f} to the nearest training digit, {torch.pdist(x.flatten(1)).mean():.2f} to one another")
plt.show()

# %% [markdown]
r"""
The mistake makes the *nicer* digits: $p^2$ keeps to the hilltops, so they lie nearer to data than data do, and to one another.
The eye likes that. The toy tells at once: over nine tenths of the walkers on the hill of 0.80, with half its variance.

## Where to read on

- **The replication.** `report/build/laptop/ncsn/index.html` (`make report` makes it): is it the network or the annealing that
  helps, and what goes wrong on manifolds? Equation by equation: `replications/ncsn/README.md`.
- **Before and after.** Score matching is Hyvärinen's (JMLR 2005), the regression on $-z/\sigma$ Vincent's (Neural Computation
  2011). `ncsnv2` asks why ten levels from 1 to 0.01; `score_sde` lets their number go to infinity.
- **Try.** The toy's ladder from 2 instead of 20; $\epsilon = 2$ and more; $\lambda = 1$; inpainting
  (`replications/ncsn/inpainting.py`).
"""
