"""Every sampler by budget: what it asks, when, how often; that it reaches the mixture; why it refuses."""

import pytest
import torch

from common.dynamics.answers import Answering, Answers, VelocityFlow
from common.dynamics.oracles import GaussianMixture, gaussian
from common.dynamics.paths import STANDARD_NORMAL, level_times, optimal_transport, sub_vp, ve, vp
from common.dynamics.samplers.edm import noise_ratio
from common.errors import SolverError, UnsupportedModelError
from replications.ncsn.annealed_langevin import annealed_langevin, annealing
from replications.ncsnv2.step_size import best_step_size
from replications.survey.characteristic import of_mixture, target
from replications.survey.plans import Choices, in_noise_ratio
from replications.survey.samplers import ADAPTIVE, FIXED, SAMPLERS, planned
from replications.survey.time_grids import end_of, evenly, karras, known_or, log_snr

F64 = torch.float64
PATHS = {"vp": vp(), "ve": ve(0.01, 50.0), "sub_vp": sub_vp(), "ot": optimal_transport()}
CHOICES = Choices(snr=dict.fromkeys(PATHS, 0.16), atol=1e-3)
TOLERANCE = {"ggf": 0.1, "ggf_bridge": 0.1, "rk45": 1e-4}
each_path = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def mixture(path):
    means = torch.tensor([[0.5, 0.0], [-0.5, 0.3]], dtype=F64)
    stds = torch.tensor([0.2, 0.3], dtype=F64)
    return GaussianMixture(path, weights=torch.tensor([0.7, 0.3], dtype=F64), means=means, stds=stds)


class Watched(Answers):
    """A model that notes how often and when it was asked."""

    def __init__(self, model):
        self.model, self.path, self.known_times, self.asked = model, model.path, model.known_times, []

    def answer(self, quantity, x, t):
        self.asked.append(float(t if not isinstance(t, torch.Tensor) else t.reshape(-1)[0]))
        return self.model.answer(quantity, x, t)


def run(name, model, at, n=20, choices=CHOICES):
    x = model.path.prior_sample((n, 2), generator=generator())
    return planned(name, model, at, choices).samples(model, x, generator=generator(1))


@pytest.mark.parametrize(("path", "budget"), [(PATHS["vp"], 41), (PATHS["ve"], 46), (PATHS["ot"], 41)], ids=["vp", "ve", "ot"])
@pytest.mark.parametrize("name", FIXED)
def test_budgets_are_kept_and_counted(name, budget, path):
    model = Watched(mixture(path))
    found = run(name, model, budget)
    assert found.nfe.tolist() == [len(model.asked)] * 20
    left = {"torchsde_srk": 4, "annealed_langevin": CHOICES.langevin_steps}.get(name, 2)
    assert budget - left < len(model.asked) <= budget
    assert max(model.asked) <= 1 and min(model.asked) >= (0 if path.name == "ot" else end_of(path) - 1e-12)
    # all but the flows of the straight path end with the denoising evaluation at the last time
    if name in ("euler", "heun") and path.name == "ot":
        assert model.asked[-1] == pytest.approx(1 / budget if name == "euler" else 0, abs=1e-9)
    else:
        assert model.asked[-1] == pytest.approx(end_of(path), rel=1e-6)


@pytest.mark.parametrize("path", [PATHS["ve"], PATHS["ot"]], ids=["ve", "ot"])
@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "ggf"])
def test_every_sampler_reaches_the_mixture(name, path):
    """Its MMD falls to what as many data read. `ggf` redraws rejected noise: in two dimensions what is left of it is too small.

    Langevin dynamics needs thousands of evaluations, and so does Euler's scheme in the time of the VE path.
    """
    model, n = mixture(path), 500
    goal = target(of_mixture(model), 2, 0.5, 100, generator=generator())
    slow = name == "annealed_langevin" or (name, path.name) == ("euler", "ve")
    assert goal.mmd(run(name, model, TOLERANCE.get(name, 200), n).x) < (3.5 if slow else 2) * goal.floor(n)


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_noise_is_the_generators_alone(name):
    model, x = mixture(PATHS["vp"]), torch.randn(5, 2, generator=generator(), dtype=F64)
    plan = planned(name, model, TOLERANCE.get(name, 41), CHOICES)
    one, again, other = (plan.samples(model, x, generator=generator(seed)).x for seed in (0, 0, 1))
    assert torch.equal(one, again) and torch.equal(one, other) != SAMPLERS[name].noisy


def test_euler_on_the_straight_path_ends_with_a_denoising_step():
    """To sigma_min its last step to t = 0 is E[x_0 | x], so a denoising evaluation would be a second one."""
    model = mixture(PATHS["ot"])
    x = torch.randn(20, 2, generator=generator(), dtype=F64)
    whole = planned("euler", model, 10, CHOICES)
    assert whole.times.tolist() == pytest.approx(torch.linspace(1, 0, 11).tolist(), abs=1e-6)
    before = whole._replace(times=whole.times[:-1]).samples(model, x).x
    torch.testing.assert_close(whole.samples(model, x).x, model.denoised(before, 0.1), atol=1e-4, rtol=0)


@each_path
def test_time_grids(path):
    assert evenly(path, 7).tolist() == pytest.approx(torch.linspace(path.t_max, end_of(path), 7, dtype=F64).tolist())
    assert float(evenly(path, 7, start=1.0)[0]) == 1
    steps = noise_ratio(path, log_snr(path, 9)).log().diff()
    torch.testing.assert_close(steps, steps.mean().expand(8), rtol=1e-6, atol=0)
    roots = noise_ratio(path, karras(path, 9)) ** (1 / 7)
    torch.testing.assert_close(roots.diff(), roots.diff().mean().expand(8), rtol=1e-5, atol=0)
    largest = float(noise_ratio(path, torch.tensor(path.t_max, dtype=F64)))
    assert float(roots[0]) ** 7 == pytest.approx(min(80, largest), rel=1e-6)


def test_edm_starts_with_its_own_noise():
    """On a path whose noise grows beyond EDM's the prior's samples are scaled to the noise at the first time."""
    path, std = PATHS["ot"], 0.4
    model = gaussian(path, torch.zeros(2, dtype=F64), std)
    first = float(path.sigma(karras(path, 2)[:1]))
    assert first == pytest.approx(80 / 81, rel=1e-4)
    x = path.prior_sample((4, 2), generator=generator())
    found = planned("edm_heun", model, 999, CHOICES).samples(model, x).x
    # the flow of a Gaussian scales: from the first time's marginal to the data's, denoised at the end
    alpha, sigma = 1 / 81, first
    last = (((1 - 1e-3) * std) ** 2 + float(path.sigma(torch.tensor(1e-3).double())) ** 2) ** 0.5
    shrink = (1 - 1e-3) * std**2 / last**2
    expected = shrink * last / ((alpha * std) ** 2 + sigma**2) ** 0.5 * first * x
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=0)


def test_annealed_langevin_is_ncsns_on_the_ve_path_and_in_x_over_alpha_elsewhere():
    path = PATHS["ve"]
    model, x = mixture(path), path.prior_sample((10, 2), generator=generator())
    found = planned("annealed_langevin", model, 51, CHOICES).samples(model, x, generator=generator(1))
    rho = best_step_size(5000 ** ((1 - 1e-5) / 9), 5, 1.0).rho
    chain = annealed_langevin(rho)(model, x, annealing(evenly(path, 10), 5), generator=generator(1)).x
    torch.testing.assert_close(found.x, model.denoised(chain, 1e-5), rtol=1e-9, atol=1e-12)
    # on VP: the same chain through the levels of sigma / alpha
    path = PATHS["vp"]
    model = mixture(path)
    scaled = in_noise_ratio(model, 10)
    ends = noise_ratio(path, torch.tensor([1.0, 1e-3], dtype=F64))
    torch.testing.assert_close(scaled.path.sigma(torch.tensor([1.0, 0.0], dtype=F64)), ends)
    y, levels = torch.randn(6, 2, generator=generator(), dtype=F64), level_times(scaled.path, 10)
    for t in levels.tolist():
        own = mixture(ve(float(ends[1]), float(ends[0])))
        for quantity in ("data", "score"):
            torch.testing.assert_close(scaled.answer(quantity, y, t), own.answer(quantity, y, t), rtol=1e-6, atol=1e-6)
    x = path.prior_sample((10, 2), generator=generator())
    found = planned("annealed_langevin", model, 51, CHOICES).samples(model, x, generator=generator(1)).x
    rho = best_step_size(float(ends[0] / ends[1]) ** (1 / 9), 5, 1.0).rho
    start = x / float(path.alpha(torch.tensor(1.0, dtype=F64)))
    chain = annealed_langevin(rho)(scaled, start, annealing(levels, 5), generator=generator(1)).x
    torch.testing.assert_close(found, scaled.denoised(chain, 0.0), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_flow_that_knows_its_velocity_alone(name):
    straight = mixture(PATHS["ot"])
    flow = VelocityFlow(STANDARD_NORMAL, straight.velocity)
    at = TOLERANCE.get(name, 20)
    if name in ("euler", "heun", "rk45"):
        x = torch.randn(5, 2, generator=generator(), dtype=F64)
        torch.testing.assert_close(
            planned(name, flow, at, CHOICES).samples(flow, x).x, planned(name, straight, at, CHOICES).samples(straight, x).x
        )
    else:
        with pytest.raises(UnsupportedModelError, match=f"{name} asks for the (score|data), but this model knows its velocity"):
            planned(name, flow, at, CHOICES)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_network_of_noise_levels(name):
    """Twenty levels: asked at its own, spread over the ladder; more than once at each by Langevin steps alone."""
    path = ve(0.01, 5.0)
    whole, known = mixture(path), level_times(path, 20)
    model = Watched(Answering(path, "noise", whole.noise, known))
    if name in ("torchsde_srk", "edm_heun_churn", *ADAPTIVE):
        with pytest.raises(UnsupportedModelError, match=f"{name} asks for any time, but this network knows 20 discrete"):
            planned(name, model, 10, CHOICES)
        return
    if name == "annealed_langevin":
        with pytest.raises(SolverError, match="20 noise levels take at least 21 evaluations; it has 20"):
            planned(name, model, 20, CHOICES)
        assert run(name, model, 70).nfe.tolist() == [61] * 20 and set(model.asked) == set(known.tolist())
        return
    found = run(name, model, 20)
    assert set(model.asked) <= set(known.tolist()) and {model.asked[0], model.asked[-1]} == {1.0, 0.0}
    assert found.nfe.tolist() == [len(model.asked)] * 20 and 18 < len(model.asked) <= 20
    with pytest.raises(UnsupportedModelError, match=r"it asks at \d+ times, once at each, but this network knows 20"):
        planned(name, model, 60, CHOICES)
    assert known_or(model, torch.linspace(1, 0, 20)).tolist() == known.tolist()


@pytest.mark.parametrize("name", FIXED)
def test_the_fewest_evaluations(name):
    model, least = mixture(PATHS["ot"]), FIXED[name].least
    found = run(name, model, least)
    assert found.nfe.tolist() == [least - (name == "heun")] * 20, "a denoising step more than Heun's where it ends clean"
    with pytest.raises(SolverError, match=f"{name} takes at least {least} evaluations; it has {least - 1}"):
        planned(name, model, least - 1, CHOICES)


def test_a_corrector_needs_its_ratio():
    with pytest.raises(UnsupportedModelError, match="no signal-to-noise ratio of the corrector is chosen for path 'vp'"):
        planned("predictor_corrector", mixture(PATHS["vp"]), 20, Choices(snr={}))


def test_ddpms_discretisation_refuses_few_steps():
    with pytest.raises(SolverError, match="beta_i up to"):
        run("reverse_diffusion", mixture(PATHS["vp"]), 10)
