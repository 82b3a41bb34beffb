# %% [markdown]
r"""
# Choosing the noise levels, step by step

Song and Ermon: *Improved Techniques for Training Score-Based Generative Models* (NCSNv2), NeurIPS 2020.

**The question.** NCSN's levels, steps and network were found by hand for small images, and fail on larger ones. Can they be
computed? **The answer.** Yes: from the distances between images, from where noise lies, and from a recursion of one line.

From `ncsn` this notebook takes annealed Langevin dynamics and the loss over a ladder of noise levels. Some lines are holes to
fill in; a check behind each says whether you are right. All of it runs in a minute on a laptop. What the replication found, claim
by claim: the report's page `report/build/laptop/ncsnv2/index.html`.
"""

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.special import ndtr

from common.dynamics.denoiser import Conditioning, Denoiser
from common.dynamics.oracles import EmpiricalDistribution
from common.dynamics.paths import ladder, level_times, ve
from common.learning.data import catalogue
from common.learning.data.scale import rescaled, to_unit
from common.learning.nets.mlp import ResidualMLP
from common.measure.figures import BLACK, BLUE, PALETTE, VERMILION
from common.measure.image_lines import image_lines
from replications.ncsn.annealed_langevin import annealed_langevin, annealing
from replications.ncsn.score_matching import denoising_score_matching, noise_conditional
from replications.ncsnv2.coverage import measures
from replications.ncsnv2.exact_chains import Centres, exact_chains, one_image, spaced_ladder, split_ladder, uniform
from replications.ncsnv2.noise_levels import norm_below, ratio_of_levels
from replications.ncsnv2.pairwise_distances import distances
from replications.ncsnv2.step_size import best_step_size, variance_ratio
from replications.teaching import budget, check, fit, panels

generator = torch.Generator().manual_seed(0)

# %% [markdown]
r"""
## 1. The widest noise

The data are 1147 digits of $D = 64$ pixels from 0 to 1. Put noise of width $\sigma$ on them: the exact score leads from $x$ to a
mean of all images, in which image $j$ has the share $r_j(x)$: around another, $x_i$, it is at most
$\frac12 e^{-|x_i - x_j|^2 / 8\sigma^2}$ on average (Proposition 1). If all images are many $\sigma$ apart, no walker leaves its
own. So the widest noise should be as wide as images are distant (**technique 1**): as the two that are farthest apart.
"""

# %%
split, least = catalogue.load("digits", "train"), 0.01  # the least noise, as in NCSN: nobody sees it
digits = rescaled(to_unit(split.images, split.grey_values), (-1.0, 1.0), (0.0, 1.0))
flat = digits.flatten(1)  # [1147, 64]
widest = torch.cdist(flat, flat).max()  # hole: the largest Euclidean distance between two rows of flat

# %%
found = distances(digits, generator=generator)
check("the largest distance", widest, found.largest, within=1e-3, hint="torch.cdist(a, b) has all distances of rows.")

# %%
# the paper's Figure 2: walkers with the exact score of 500 digits, from a narrow level (1/18 of the median distance, as NCSN's 1
# is among images of CIFAR-10) and from the widest; how many images they reach, over how many independent draws would
mixture, walkers = Centres(digits[:500], split.labels[:500]), budget(full=250, small=20)
starts = {"uniform noise": uniform(walkers, digits, generator), "one image": one_image(walkers, digits, generator)}
rows = []
for largest in (found.median / 18, found.largest):
    ends = exact_chains(mixture.images, starts, spaced_ladder(largest, least, 64, 5), generator=generator)
    rows += [(f"σ₁ = {largest:.2f}, from {name}", x) for name, x in ends.items()]
for axis, (name, x) in zip(panels(1, rows=4, width=10, height=0.8)[:, 0], rows):
    reached = measures(x, mixture)["distinct_centres"]
    image_lines(axis, 2 * x[:16].numpy() - 1, f"{name}:\n{reached:.0%} reached ", per_line=16, gap=1)
plt.show()

# %% [markdown]
r"""
From noise spread everywhere the narrow ladder seems to work, and misses two images in five. From one image it never leaves.

## 2. The ladder

How many levels lead from `widest` to `least`? In many dimensions noise is not where its density is highest: $|\sigma z|$ is near
$\sqrt{D}\,\sigma$, give or take $\sigma/\sqrt2$ (Proposition 2). Noise lies on a **shell**, and only there a network learns. A
walker who changes levels stays on known ground if the shells of $\sigma$ and of the level before, $\gamma\sigma$, overlap: of the
noise of $\sigma$, the share within three deviations of the wider shell is, with the normal distribution function $\Phi$
(**technique 2**),

$$\Phi\left(\sqrt{2D}(\gamma - 1) + 3\gamma\right) - \Phi\left(\sqrt{2D}(\gamma - 1) - 3\gamma\right) .$$

The paper asks for a share of about one half, and its own ladders have 0.567. That fixes $\gamma$, and how many levels.
"""


# %%
def mass(dim, gamma):
    shift = torch.tensor(math.sqrt(2 * dim) * (gamma - 1))
    return ndtr(shift + 3 * gamma) - ndtr(shift - 3 * gamma)  # hole: the share on the wider shell, from shift, gamma and ndtr (Φ)


# %%
middle, width = 1.05 * math.sqrt(3072), 1.05 / math.sqrt(2)  # of the shell of width 1.05, in as many dimensions as CIFAR-10 has
share = norm_below(middle + 3 * width, 3072) - norm_below(middle - 3 * width, 3072)  # exact: a length has a chi distribution
check("the share on the shell, for γ = 1.05", mass(3072, 1.05), share, within=0.01, hint="Φ(upper) - Φ(lower)")

# %%
gamma = ratio_of_levels(64)  # 1.34
levels = 1 + math.log(widest / least) / math.log(gamma)  # hole: the number of levels from widest to least, each gamma below

# %%
check("the levels span the ladder", least * gamma ** (levels - 1), widest, within=1e-3, hint="n levels have n - 1 steps.")
count = int(levels)  # 21

# %%
z = torch.randn(4000, 64, generator=generator).norm(dim=1)
ladders = {"NCSN's": (1.0, 10), "chosen": (float(widest), count)}
for axis, (name, (largest, number)) in zip(panels(1, rows=2, width=9, height=1.7)[:, 0], ladders.items()):
    for place, sigma in enumerate(ladder(largest, least, number)):
        axis.hist((sigma * z).log10(), bins=40, density=True, histtype="stepfilled", color=PALETTE[place % 2], alpha=0.6)
    share = mass(64, (largest / least) ** (1 / (number - 1)))
    axis.set(title=f"{name}: {number} levels, {share:.1%} on the shell of the level before", xlim=(-1.4, 1.8), yticks=())
axis.set(xlabel="$\\log_{10}$ of the length of the noise")
plt.show()

# %% [markdown]
r"""
## 3. One network, and an average of it

Twenty-one levels here, 2311 for faces of 256 pixels: a network cannot keep parameters for each. Scores go as $1/\sigma$, so let
one network $h$ be told no level, and divide (**technique 3**): $s_\theta(x, \sigma) = h_\theta(x) / \sigma$. Put that into NCSN's
loss, $\frac12 \sigma^2 |s_\theta(x_0 + \sigma z, \sigma) + z / \sigma|^2$. What is left of $\sigma$?

Adam's steps settle only as their rate goes to 0, and each state before has its own cast. So samples are drawn with an average of
the weights (**technique 5**), $\bar\theta \leftarrow m\, \bar\theta + (1 - m)\, \theta$ at every step.
"""


# %%
def loss_of(h, z):
    return 0.5 * (h + z).square().flatten(1).sum(1).mean()  # hole: NCSN's loss, a mean over the batch, from h(x0 + σz) and z


# %%
x0, z = digits[:100], torch.randn(100, 1, 8, 8, generator=torch.Generator().manual_seed(1))
sigma, some = torch.linspace(0.1, 2.0, 100), torch.tanh  # any network will do
ncsn = noise_conditional(denoising_score_matching(lambda x: some(x) / sigma[:, None, None, None], x0, sigma, z), sigma)
check("the loss is NCSN's", loss_of(some(x0 + sigma[:, None, None, None] * z), z), ncsn, within=1e-3, hint="σ cancels.")


# %%
def averaged(average, weights, m):
    return m * average + (1 - m) * weights  # hole: the new average, from the old one, the weights and m


# %%
value = 0.0
for _ in range(100):
    value = averaged(value, 1.0, m=0.99)
check("the average of a hundred ones, from 0", value, 1 - 0.99**100, within=1e-3, hint="m is near 1: the average moves slowly.")

# %%
path = ve(least, float(widest))
times, steps, seen, states = level_times(path, count), budget(full=3000, small=20), {}, []


def all_levels(network, generator):
    weights = parameters_to_vector(network.parameters()).detach()
    seen.update(step=seen.get("step", 0) + 1, average=averaged(seen.get("average", weights), weights, m=0.99))
    if seen["step"] % (steps // budget(full=20, small=4)) == 0:  # keep some states of the training, and their average
        states.append((seen["step"], weights, seen["average"]))
    x0 = digits[torch.randint(len(digits), (128,), generator=generator)]
    t, z = times[torch.randint(count, (128,), generator=generator)].float(), torch.randn(x0.shape, generator=generator)
    return loss_of(-network.noise(path.perturb(x0, t, z), t), z)


torch.manual_seed(0)
# the network is given x over its own scale, and that scale: nothing that is not in x
network = Denoiser(ResidualMLP((1, 8, 8), 128, 3), path, "noise", conditioning=Conditioning("own_scale", "log_own_scale"))
model = fit(network, all_levels, steps=steps, rate=0.004, average=0.995).model

# %% [markdown]
r"""
## 4. The step

A walker comes to level $\sigma_i$ with noise $\gamma$ times as wide, and has $T$ steps to get rid of it. Near one image the score
is $-(x - x_0)/\sigma_i^2$, and a Langevin step of size $\rho\,\sigma_i^2$ makes of the noise $n = x - x_0$ the noise
$(1 - \rho)\, n + \sqrt{2\rho}\, \sigma_i z$. What does it make of the variance $v$, in units of $\sigma_i^2$? **Technique 4**:
given $T$, take the $\rho$ that brings $v$ nearest to 1.
"""


# %%
def variance_after(steps, rho, gamma):
    v = gamma**2
    for _ in range(steps):
        v = (1 - rho) ** 2 * v + 2 * rho  # hole: the variance after one step, from v before it and rho
    return v


# %%
closed = variance_ratio(gamma, 0.3, 5)  # the paper's Proposition 3
check("five steps", variance_after(5, 0.3, gamma), closed, hint="Variances of independent parts add.")

# %%
# lines: the recursion; dots: walkers around one image
best, rho = best_step_size(gamma, 5, least), torch.linspace(0.005, 2.1, 400)
(axis,) = panels(1, width=6, height=3)
for number, colour in {1: BLACK, 5: BLUE, 20: VERMILION}.items():
    axis.plot(rho, variance_after(number, rho, gamma), color=colour, label=f"T = {number}")
dots = torch.tensor([0.05, 0.5, 1.0, 1.5, 1.9])
x = gamma * torch.randn(20_000, 5, generator=generator)
for _ in range(5):
    x = (1 - dots) * x + (2 * dots).sqrt() * torch.randn(x.shape, generator=generator)
axis.plot(dots, x.var(0), "o", color=BLUE)
axis.plot(best.rho, best.variance_ratio, "*", color=BLUE, markersize=13, label=f"best for T = 5: ρ = {best.rho:.2f}")
axis.axvline(2, color=BLACK, linestyle=":")
axis.set(yscale="log", ylim=(0.9, 20), xlabel="ρ", ylabel="variance after T steps, over σ²", title="Beyond ρ = 2 the noise grows")
axis.legend()
plt.show()

# %% [markdown]
r"""
## 5. Sample, and one step more

105 evaluations of the network. The walkers end with the noise of the least level. The mean of the clean image given the noisy one
is one step away, without noise: $x + \sigma_L^2\, s(x, \sigma_L)$ (Tweedie's formula).
"""


# %%
def sampled(model, levels, steps, n=200):
    rho = best_step_size((float(widest) / least) ** (1 / (levels - 1)), steps, least).rho
    x, chains = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(4)), torch.Generator().manual_seed(3)
    return annealed_langevin(rho)(model, x, annealing(level_times(path, levels), steps), generator=chains).x


noisy = sampled(model, count, 5)
s = model.score(noisy, 0.0)
clean = noisy + least**2 * s  # hole: the mean of the clean images, from noisy, the score s at the least level and `least`

# %%
check("the last step", clean, model.denoised(noisy, 0.0), hint="Noise of variance σ² is taken out by σ² times the score.")
print(f"It moves a pixel by {(clean - noisy).std():.4f}. Nobody sees it; CIFAR-10's published FID falls from 31.75 to 10.87.")


# %%
def brightness(weights):
    vector_to_parameters(weights, network.parameters())
    return float(sampled(network, count, 5, n=100).mean())


(axis,) = panels(1, width=6, height=2.8)
for name, place, colour in (("raw weights", 1, VERMILION), ("averaged", 2, BLUE)):
    axis.plot([state[0] for state in states[2:]], [brightness(state[place]) for state in states[2:]], color=colour, label=name)
axis.axhline(digits.mean(), color=BLACK, linestyle="--", label="data")
axis.set(title="Each state has its own cast", xlabel="training step", ylabel="mean brightness of samples")
axis.legend()
plt.show()

# %% [markdown]
r"""
## 6. A surprise: fewer levels, more steps

5 levels with 21 steps each cost as much as 21 levels with 5, and leave more time at every level. We take technique 4's step for
either, the same network and the same noise, and beside it the exact score. Which of the four will fail?
"""

# %%
rows = {"data": digits[:200]}
for number, name in {count: f"{count} levels", 5: "5 levels"}.items():
    chains, one = split_ladder(float(widest), least, number, 105 // number), {"": uniform(200, digits, generator)}
    rows[f"{name}, exact"] = exact_chains(digits, one, chains, generator=generator)[""]
    rows[f"{name}, network"] = sampled(model, number, 105 // number)
for axis, (name, x) in zip(panels(1, rows=5, width=10, height=0.8)[:, 0], rows.items()):
    image_lines(axis, 2 * x[:16].clamp(0, 1).numpy() - 1, f"{name} ", per_line=16, gap=1)
    nearest = torch.cdist(x.flatten(1), flat).topk(2, largest=False).values[:, int(name == "data")].median()
    print(f"{name}: {nearest:.2f} to the nearest digit")
plt.show()

# %%
exact, sigma = EmpiricalDistribution(path, digits), path.sigma(times)[10]
for wide in (1.0, 1.34, 4.6):
    x = digits[:200] + wide * sigma * torch.randn(200, 1, 8, 8, generator=generator)
    said = [float(each.noise(x.double(), times[10]).square().mean().sqrt()) for each in (exact, model)]
    print(f"noise of {wide} σ: the exact answer says {said[0]:.2f} σ, the network {said[1]:.2f} σ")

# %% [markdown]
r"""
The exact score does not mind. The network does: told no level, it says where the noise points and never how much there is, always
about one $\sigma$. 21 steps of $\rho = 0.16$ then take away $21 \cdot 0.16\, \sigma = 3.4\, \sigma$ at most; but $3.6\, \sigma$
must go, and the next level finds the walkers farther off. Levels must be close for the *network*, not for the walkers.

## Where to read on

- **The replication.** `report/build/laptop/ncsnv2/index.html` (`make report` makes it): each technique alone and all together.
  Equation by equation: `replications/ncsnv2/README.md`.
- **Your own images.** `python -m replications.ncsnv2 recommend --data my/pictures` computes all five choices for a folder.
- **After.** `score_sde` lets the ladder become continuous. Karras et al. (2022, arXiv 2206.00364) choose levels by where the
  error of the solver is, and tell the network the level after all.
- **Try.** $T = 1$ and 105 levels; $\rho = 2.1$; σ₁ = 1, which is wide enough for digits; `ratio_of_levels(64, mass=0.9)`.
"""
