"""Correctors: their step sizes, NCSN's sampler as one of them, and the marginal that they keep."""

import pytest
import torch

from common.dynamics.answers import Answering
from common.dynamics.ddpm_levels import ddpm_betas, ddpm_path
from common.dynamics.oracles import GaussianMixture, gaussian
from common.dynamics.paths import level_times, sub_vp, ve, vp
from replications.ncsn import annealed_langevin as ncsn
from replications.score_sde.correctors import alphas, annealed_langevin, langevin
from replications.score_sde.predictor_corrector import level_scales, predictor_corrector, scales, to_clean
from replications.score_sde.predictors import identity

F64 = torch.float64
PATHS = [ve(0.01, 5.0), vp(), sub_vp()]
TIMES = to_clean(torch.linspace(1, 0.1, 10, dtype=F64))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=F64)


@pytest.mark.parametrize("norm", ["batch", "dimension"])
def test_the_step_size_comes_from_norms_over_the_batch(norm):
    x, z, s = draw(4, 3, 2, 2, seed=1), draw(4, 3, 2, 2, seed=2), draw(4, 3, 2, 2, seed=3)
    path, t = vp(), TIMES[4].item()
    step = langevin(0.16, alpha="printed", norm=norm)(path, TIMES)
    found, mean = step(Answering(path, "score", lambda *_: s), x, t, t, lambda _: z)
    of_z, of_s = (sum(float(each.square().sum()) ** 0.5 for each in part) / 4 for part in (z, s))
    eps = 2 * float(path.alpha(TIMES[4])) ** 2 * (0.16 * (of_z if norm == "batch" else 12**0.5) / of_s) ** 2
    torch.testing.assert_close(mean, x + eps * s)
    torch.testing.assert_close(found, mean + (2 * eps) ** 0.5 * z)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_the_choices_of_alpha(path):
    grid = TIMES.tolist()[:-1]
    ones, coded, printed = (alphas(path, TIMES, name) for name in ("one", "coded", "printed"))
    assert set(ones) == set(coded) == set(printed) == set(grid) and set(ones.values()) == {1.0}
    if path.name == "ve":
        assert set(coded.values()) == set(printed.values()) == {1.0}
        return
    integral = {t: 0.1 * t + 9.95 * t**2 for t in grid}
    for t, below in zip(grid, [*grid[1:], None]):
        step = integral[t] - (integral[below] if below else 0)
        assert coded[t] == pytest.approx(float(torch.exp(torch.tensor(-step, dtype=F64))))
        assert printed[t] == pytest.approx(float(torch.exp(torch.tensor(-integral[t], dtype=F64))))
    assert alphas(path, TIMES[:-1], "coded") == coded


def test_through_ddpms_levels_alpha_is_what_the_code_takes():
    path, found = ddpm_path(30), alphas(ddpm_path(30), level_scales(ddpm_path(30), 30), "coded")
    assert sorted(found.values()) == pytest.approx((1 - ddpm_betas(30)).sort().values.tolist())
    assert path.name == "ddpm"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_annealed_langevin_takes_steps_of_the_marginals_width(path):
    x, z, t = draw(4, 3), draw(4, 3, seed=1), TIMES[2].item()
    found, mean = annealed_langevin(0.2, alpha="printed")(path, TIMES)(
        Answering(path, "score", lambda x, t: -3 * x), x, t, t, lambda _: z
    )
    eps = 2 * float(path.alpha(TIMES[2]) * 0.2 * path.sigma(TIMES[2])) ** 2
    torch.testing.assert_close(mean, x - 3 * eps * x)
    torch.testing.assert_close(found, mean + (2 * eps) ** 0.5 * z)


def test_smld_is_the_identity_with_the_annealed_langevin_corrector():
    path, snr = ve(0.01, 1.0), 0.16
    oracle, levels, start = gaussian(path, torch.tensor([0.5, -0.2], dtype=F64), 0.3), level_times(path, 6), draw(20, 2)
    sample = predictor_corrector(identity, annealed_langevin(snr), correctors=7)
    found = sample(oracle, start, to_clean(levels), generator=generator())
    wanted = ncsn.annealed_langevin(2 * snr**2)(oracle, start, ncsn.annealing(levels, 7), generator=generator())
    torch.testing.assert_close(found.x, wanted.x, rtol=1e-12, atol=1e-12)
    assert found.nfe.tolist() == wanted.nfe.tolist() == [42] * 20


@pytest.mark.parametrize("corrector", [langevin(0.16), annealed_langevin(0.16)])
def test_both_take_the_same_steps_where_noise_is_all_there_is(corrector):
    """|s| is near sqrt(d) / sigma, so that eps is near 2 (r sigma)^2."""
    path, t = ve(0.01, 5.0), 1.0
    oracle, x, z = gaussian(path, torch.zeros(200, dtype=F64), 0.01), 5 * draw(300, 200), draw(300, 200, seed=1)
    _, mean = corrector(path, TIMES)(oracle, x, t, t, lambda _: z)
    eps = float(((mean - x) / oracle.score(x, t)).mean())
    assert eps == pytest.approx(2 * (0.16 * 5) ** 2, rel=0.01)


def mixture(path):
    means = torch.tensor([[1.0, 0.0], [-1.0, 0.5]], dtype=F64)
    return GaussianMixture(
        path, weights=torch.tensor([0.7, 0.3], dtype=F64), means=means, stds=torch.tensor([0.3, 0.5], dtype=F64)
    )


@pytest.mark.parametrize("make", [langevin, annealed_langevin])
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_the_marginal_stays_what_it_was(path, make):
    """Moments before and after 60 small steps, five standard errors apart at most; without its noise a step would shrink them."""
    n, t = 6000, 0.4
    oracle, time = mixture(path), torch.tensor(t, dtype=F64)
    x = before = path.perturb(oracle.sample(n, generator=generator(1)), time, draw(n, 2, seed=2))
    step, noise = make(0.08)(path, torch.tensor([1.0, t, t], dtype=F64)), generator(3)
    for _ in range(60):
        x, _ = step(oracle, x, t, t, lambda state: torch.randn(state.shape, generator=noise, dtype=F64))
    assert float((x - before).square().mean().sqrt()) > 0.5 * float(path.sigma(time))  # it has moved
    for of in (lambda x: x, torch.square, lambda x: x[:, :1] * x[:, 1:], lambda x: x**3):
        one, other = of(before), of(x)
        error = ((one.var(0) + other.var(0)) / n).sqrt()
        assert float(((one.mean(0) - other.mean(0)) / error).abs().max()) < 5


def test_at_a_gaussian_level_it_settles_a_little_too_wide():
    """v = S / (1 - eps / (2 S)) with eps / S near 2 r^2."""
    path, r = ve(0.01, 5.0), 0.3
    oracle, t, noise = gaussian(path, torch.zeros(100, dtype=F64), 1.0), 0.5, generator()
    spread = 1 + float(path.sigma(torch.tensor(t, dtype=F64))) ** 2
    x, step = spread**0.5 * draw(2000, 100), langevin(r)(path, scales(path, 3, t_min=0.0))
    for _ in range(40):
        x, _ = step(oracle, x, t, t, lambda state: torch.randn(state.shape, generator=noise, dtype=F64))
    assert x.var().item() / spread == pytest.approx(1 / (1 - r**2), rel=0.02)
