# %% [markdown]
r"""
# Gotta Go Fast, step by step

Jolicoeur-Martineau, Li, Piché-Taillefer, Kachman, Mitliagkas 2021: *Gotta Go Fast When Generating Data with Score-Based Models*.

**The question.** A score-based model samples by solving an SDE in a thousand equal steps. Which of them need to be so small?
**The answer.** Let the sample say: take each step twice, by two rules of different order and with the *same* noise. Where they
agree the step was short enough, and the next one may be longer.

From `score_sde` this notebook takes the reverse-time SDE, Euler and Maruyama's step and the paths VP and VE; from `neural_ode` a
solver that controls its error. Some lines are holes to fill in; a check behind each says whether you are right. All of it runs in
a minute on a laptop. What the replication found: the report's page `report/build/laptop/gotta_go_fast/index.html`.
"""

# %%
import matplotlib.pyplot as plt
import torch

from common.dynamics.denoiser import Denoiser
from common.dynamics.oracles import gaussian
from common.dynamics.paths import vp
from common.dynamics.samplers.result import denoised_last
from common.dynamics.samplers.sde import euler_maruyama as not_denoised
from common.learning.data.digits import digits
from common.learning.data.scale import to_unit
from common.learning.nets.mlp import ResidualMLP
from common.learning.objectives import Objective, draw_times, regression_loss
from common.measure.figures import BLACK, BLUE, VERMILION
from replications.gotta_go_fast.adaptive_sde import adaptive_sde, reverse_time
from replications.gotta_go_fast.leftover_noise import quietest
from replications.gotta_go_fast.narrow_mixture import STD, narrow
from replications.gotta_go_fast.rivals import euler_maruyama
from replications.gotta_go_fast.schemes import improved_euler
from replications.gotta_go_fast.step_size import Control, scaled_error, tolerance
from replications.teaching import budget, check, fit, panels

seeded = torch.Generator().manual_seed  # seeded(k) is a generator that begins as k says

# %% [markdown]
r"""
## 1. What equal steps leave behind

Data in this section are ten narrow bumps in 256 dimensions, of deviation 0.01 in each. Their score is exact, so whatever is wrong
with samples is the sampler's doing; and it is easily seen, in the distance from the nearest centre.

Euler and Maruyama's last step, from $t = \varepsilon + h$ to $\varepsilon$, adds noise of variance $g^2(\varepsilon + h)\, h$. No
step comes after it that could take that noise away.
"""

# %%
toy = narrow("vp", 1e-3, generator=seeded(0))  # sampling ends at ε = toy.eps = 0.001
starts, path = toy.starts(50, seeded(1)), toy.model.path
times = torch.linspace(1, toy.eps, 150, dtype=torch.float64)
h, g2 = times[-2] - times[-1], path.diffusion_squared(times[-2])  # of the last step
last_noise = (g2 * h).sqrt()  # hole: the standard deviation of the noise that the last step adds, from h and g2 (which is g²)

# %%
samples = not_denoised(toy.model, starts, times, generator=seeded(2)).x
check("how far samples are from centres", last_noise, STD * toy.residual(samples), within=0.002, hint="Variances are g² h.")
print(f"deviation around the centres {last_noise:.4f}; right would be {(STD**2 + path.sigma(times[-1]) ** 2).sqrt():.4f}")

# %% [markdown]
r"""
## 2. A pair of steps with one noise

Only the last steps need to be shorter. But which, in general? Backwards in time the SDE has drift $d(x, t) = -f x + g^2 s(x, t)$
and noise $g$. The paper takes each step twice,

$$x' = x + h\, d(x, t) + \sqrt h\, g(t)\, z, \qquad \tilde x = x + h\, d(x', t - h) + \sqrt h\, g(t - h)\, z,$$

and goes on with the mean $x'' = \frac12 (x' + \tilde x)$. Without noise these are Euler's step and Heun's.
"""

# %%
field = reverse_time(toy.model)  # field(x, t) is (d, g)
x, t, h = starts.double(), torch.full((50,), 0.5, dtype=torch.float64), 0.01
z = torch.randn(x.shape, generator=seeded(3), dtype=torch.float64)
d, g = field(x, t)
x1 = x + h * d + h**0.5 * g * z  # x'
d1, g1 = field(x1, t - h)
x2 = (x1 + x + h * d1 + h**0.5 * g1 * z) / 2  # hole: x'', from x1 (which is x'), x, h, d1, g1 and z

# %%
trial = improved_euler(extrapolate=True)(field, (d, g), x, t - h, torch.full_like(t, h), h**0.5 * z)
check("the step that is kept", x2, trial.kept, hint="The second step starts at x, not at x1, with the drift and g of its end.")

# %% [markdown]
r"""
The difference is the error of $x'$. How does it shrink with $h$? Its largest part is $\frac12 h\, [d(x, t) - d(x', t - h)]$, and
$x' - x$ is mainly noise, of size $\sqrt h$.
"""

# %%
power = 3 / 2  # hole: the p in |x' - x''| ≈ c h^p for small h


# %%
def gap(h, same=True):  # root mean square of x' - x'', with one noise or with two
    lower = x + h * d + h**0.5 * g * z
    ahead, g_ahead = field(lower, t - h)
    second = z if same else torch.randn(x.shape, generator=seeded(4), dtype=torch.float64)
    return (0.5 * (lower - x - h * ahead - h**0.5 * g_ahead * second)).square().mean().sqrt()


check("the power of h", power, torch.log2(gap(2e-4) / gap(1e-4)), within=0.1, hint="One h, and the √h of the noise.")

# %%
(axis,) = panels(1, width=5, height=2.8)
sizes = torch.logspace(-4, -1, 13).tolist()
for same, colour, label in ((True, BLUE, "one noise: h to the 3/2"), (False, VERMILION, "two noises: root of h")):
    axis.loglog(sizes, [gap(size, same) for size in sizes], ".-", color=colour, label=label)
axis.set(xlabel="step h", ylabel="size of x' - x''", title="With two noises the difference measures noise, not error")
axis.legend()
plt.show()

# %% [markdown]
r"""
## 3. How much is too much?

An error may be a share of the state, and a grey level in any case: with $x'_{prev}$ the $x'$ of the step before, for each pixel

$$\delta = \max\big( \epsilon_{abs},\ \epsilon_{rel} \max(|x'|, |x'_{prev}|) \big), \qquad
E = \sqrt{ \tfrac1n \textstyle\sum_k \left( (x'_k - x''_k) / \delta_k \right)^2 } .$$

The *mean* over the $n$ pixels lets one tolerance serve images of any size. A step with $E \le 1$ is accepted.
"""

# %%
control, previous = Control(rtol=0.05, atol=2 / 256), x  # at the first step
size = torch.maximum(x1.abs(), previous.abs())
delta = (control.rtol * size).clamp(min=control.atol)  # hole: δ, from size, control.rtol (which is ε_rel) and control.atol

# %%
check("the tolerance", delta, tolerance(control, x1, previous, x), hint="Of each pixel's two candidates the larger one.")

# %%
E = ((x1 - x2) / delta).square().mean(1).sqrt()  # hole: the error E of each of the 50 samples, from x1, x2 and delta

# %%
check("the error", E, scaled_error(control, x1 - x2, delta), hint="Divide, square, mean over pixels (axis 1), root.")

# %% [markdown]
r"""
## 4. The next step

If errors go like $h^{3/2}$, one of them tells which step would have had the error that is wanted.
"""

# %%
step, error, wanted = 1e-4, gap(1e-4), 4 * gap(1e-4)
longer = step * (wanted / error) ** (2 / 3)  # hole: the step whose error is `wanted`, where `step` has the error `error`

# %%
check("its error", gap(longer) / wanted, 1, within=0.1, hint="error = c h^(3/2): divide one such equation by the other.")

# %% [markdown]
r"""
The paper takes $h \leftarrow \min(t - \varepsilon,\ 0.9\, h\, E^{-0.9})$, after accepted and rejected steps alike. That is all of
the algorithm, and each sample of a batch does so for itself. Here are one sample's steps down from $t = 1$.
"""

# %%
toys = {"vp": toy, "ve": narrow("ve", 1e-5, generator=seeded(0))}
first, atol = {"vp": 0.01, "ve": 0.5}, {"vp": 2 / 256, "ve": 1 / 256}  # a grey level in [-1, 1], and in [0, 1]


def adaptive(name, rtol, begin, **options):
    sampler = denoised_last(adaptive_sde(rtol, atol[name], first_step=first[name]))
    return sampler(toys[name].model, begin, toys[name].times, generator=seeded(2), **options)


for axis, name in zip(panels(2, width=3.8, height=2.8), toys):
    for rtol, colour in ((0.01, BLUE), (0.1, VERMILION)):
        begin, visited = toys[name].starts(1, seeded(1)), [1.0]
        adaptive(name, rtol, begin, callback=lambda number, t, x, seen=visited: seen.append(float(t)))
        places = torch.tensor(visited).unique().flip(0)
        axis.semilogy(places[:-1], -places.diff(), ".-", color=colour, linewidth=0.6, label=f"tolerance {rtol}")
    axis.axhline(1e-3, color=BLACK, linestyle="--", linewidth=0.8, label="a thousand steps")
    axis.set(title=name.upper(), xlabel="t", ylabel="step h", xlim=(1.02, -0.02))
    axis.legend()
plt.show()

# %% [markdown]
r"""
## 5. The price of a sample

The paper's central comparison: noise left around the centres, in units of the bumps' own, against evaluations of the score (two a
step, rejected ones too, of the slowest sample). Equal steps get as many. Exact samples lie on the line, narrower ones below.
"""

# %%
for axis, (name, each) in zip(panels(2, width=3.8, height=3), toys.items()):
    begin = each.starts(budget(full=50, small=5), seeded(1))
    runs = [adaptive(name, rtol, begin) for rtol in budget((0.01, 0.02, 0.05, 0.1, 0.2, 0.5), (0.1, 0.5))]
    counts = [int(found.nfe.max()) for found in runs]
    rivals = [euler_maruyama(n)(each.model, begin, each.times, generator=seeded(2)).x for n in counts]
    axis.loglog(counts, [each.residual(found.x) for found in runs], "o-", color=BLUE, label="adaptive")
    axis.loglog(counts, [each.residual(found) for found in rivals], "s-", color=VERMILION, label="equal steps")
    axis.axhline(each.exact, color=BLACK, linestyle="--", label="exact")
    axis.set(title=name.upper(), xlabel="evaluations", ylabel="noise left", ylim=(0.4, 4), yticks=(0.5, 1, 2, 4))
    axis.set(yticklabels=("0.5", "1", "2", "4"), xticks=(100, 200, 500), xticklabels=("100", "200", "500"))
    axis.minorticks_off()
    axis.legend()
plt.show()

# %% [markdown]
r"""
On VP $g$ is far from 0 at the data and the last steps decide. On VE $g$ shrinks geometrically: steps may grow towards the data,
equal ones are nearly right, and with an exact score there is little to gain. Too large a tolerance spoils both.

## 6. The same with a network

A small network learns the noise in digits of 8×8 pixels. Noise that a sampler leaves shows where digits hardly vary, and there a
thousand equal steps leave more than a tenth of their number, well placed.
"""

# %%
data = to_unit((train := digits("train")).images, train.grey_values).flatten(1)
objective = Objective(vp(), "noise", "one")


def loss(network, generator):
    x0, t = data[torch.randint(len(data), (128,), generator=generator)], draw_times(objective.path, 128, generator=generator)
    return regression_loss(network, objective, x0, t=t, noise=torch.randn(x0.shape, generator=generator)).mean()


torch.manual_seed(0)
network = Denoiser(ResidualMLP((64,), width=128, blocks=3), objective.path, "noise")
model = fit(network, loss, steps=budget(full=2500, small=20), rate=0.002).model

# %%
noise, quiet = torch.randn(64, 64, generator=seeded(1)), quietest(data)
found = denoised_last(adaptive_sde(0.2, 2 / 256))(model, noise, toy.times, generator=seeded(2))
sets = {f"adaptive, {found.nfe.max()}": found.x}
for n in (int(found.nfe.max()), budget(1000, 10)):
    sets[f"equal, {n}"] = euler_maruyama(n)(model, noise, toy.times, generator=seeded(2)).x
for axis, (name, images) in zip(panels(4, width=2.5, height=2.9), {**sets, "data": data}.items()):
    tiles = torch.nn.functional.pad(images[:25].reshape(5, 5, 8, 8), (0, 1, 0, 1))
    axis.imshow(tiles.permute(0, 2, 1, 3).reshape(45, 45), cmap="gray", vmin=-1, vmax=1)
    axis.set(title=f"{name}:\nnoise {quiet.noise(images):.3f}", xticks=(), yticks=())
plt.show()

# %% [markdown]
r"""
## 7. A surprise: noise that is forgotten

What becomes of the noise of a rejected step? The published code draws anew. That looks innocent. But what is rejected? Here data
are $N(0, I)$ in the plane, so on VP the state is $N(0, I)$ at all times; a tolerance accepts the better half of 50 000 steps.
"""

# %%
field, count = reverse_time(gaussian(vp(), torch.zeros(2, dtype=torch.float64), 1.0)), 50_000
x, z = torch.randn(2, count, 2, generator=seeded(5), dtype=torch.float64)
t, h = torch.tensor([[0.3], [0.003]], dtype=torch.float64).expand(2, count)
trial = improved_euler(extrapolate=True)(field, field(x, t), x, t - h, h, h.sqrt()[:, None] * z)
accepted = (error := trial.error.square().mean(1)) <= error.median()
print(f"mean of z²: {z[accepted].square().mean():.2f} (of all: 1); of z x: {(z * x)[accepted].mean():.2f} (of all: 0)")

# %% [markdown]
r"""
Small noise is accepted (the smaller half of normal noise in the plane has variance $1 - \ln 2 = 0.31$), and noise that points
outwards, against the drift, for then $x' \approx x$ and nothing is to be corrected. So accepted steps solve another SDE, at any
tolerance. What is right is to *remember*: the shorter step is a part of the path that was rejected. Of a Brownian path which
moves by $\Delta w$ in $h$, the share $q$ of the time moves by $q\, \Delta w$ in the mean, with variance $q\, (1 - q)\, h$.
"""

# %%
h, q = 0.01, 0.3
dw, fresh = h**0.5 * torch.randn(100_000, generator=seeded(8)), torch.randn(100_000, generator=seeded(9))
part = q * dw + (q * (1 - q) * h) ** 0.5 * fresh  # hole: the noise of a step of length q h, from q, h, dw and fresh normals

# %%
check("a Brownian increment again", part.square().mean() / (q * h), 1, within=0.03, hint="Its mean is q dw.")
check("that knows nothing of the rest", (part * (dw - part)).mean() / h, 0, within=0.01)

# %%
(axis,), dims = panels(1, width=5, height=2.8), budget((1, 2, 4, 8, 32, 128), (2, 32))
for noise, colour in (("redrawn", VERMILION), ("bridge", BLUE)):
    sampler, variances = adaptive_sde(0.05, 2 / 256, noise=noise), []
    for dim in dims:
        normal = gaussian(vp(), torch.zeros(dim, dtype=torch.float64), 1.0)
        begin = torch.randn(budget(4000, 320) // dim, dim, generator=seeded(6), dtype=torch.float64)
        variances.append(float(sampler(normal, begin, toy.times, generator=seeded(7)).x.var()))
    axis.semilogx(dims, variances, "o-", base=2, color=colour, label=f"{noise}: {variances[dims.index(2)]:.2f} in 2-D")
axis.axhline(1, color=BLACK, linestyle="--", linewidth=0.8)
axis.set(xlabel="dimensions", ylabel="variance of samples", title="Data have variance 1", xticks=dims, xticklabels=dims)
axis.legend()
plt.show()

# %% [markdown]
r"""
## Where to read on

- **The replication.** The report's page (`make report`): rivals, ablations, solvers off the shelf. Equation by equation:
  `replications/gotta_go_fast/README.md`.
- **Neighbours.** DDIM (Song et al. 2020, arXiv 2010.02502) and DPM-Solver (Lu et al. 2022, 2206.00927) drop the noise and take
  tens of steps; Karras et al. 2022 (2206.00364) choose the steps by hand, once for all samples.
- **Try.** `norm="max"` in `adaptive_sde`; `power=2 / 3`; start the second step at $x'$ and look at the noise left.
"""
