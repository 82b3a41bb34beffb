import pytest
import torch

from common.dynamics.answers import convert
from common.dynamics.oracles import EmpiricalDistribution, GaussianMixture, gaussian
from common.dynamics.paths import PATHS, ve, vp

F64 = torch.float64
TIMES = (0.01, 0.2, 0.5, 0.9)


def mixture(path):
    return GaussianMixture(
        path,
        weights=torch.tensor([0.5, 0.3, 0.2], dtype=F64),
        means=torch.tensor([[1.0, 0.0], [-1.0, 0.5], [0.0, -2.0]], dtype=F64),
        stds=torch.tensor([0.3, 0.6, 0.2], dtype=F64),
    )


@pytest.mark.parametrize("t", [*TIMES, "per sample"])
@pytest.mark.parametrize("name", PATHS)
def test_score_is_the_gradient_of_the_log_density(name, t, draw):
    oracle, x = mixture(PATHS[name]()), draw(20, 2)
    t = torch.linspace(0.05, 0.95, 20, dtype=F64) if t == "per sample" else t
    expected = torch.func.grad(lambda state: oracle.log_density(state, t).sum())(x)
    torch.testing.assert_close(oracle.score(x, t), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("t", TIMES)
@pytest.mark.parametrize("name", PATHS)
def test_velocity_satisfies_the_continuity_equation(name, t, draw):
    """d log p/dt + div v + v . grad log p = 0."""
    oracle, x, t = mixture(PATHS[name]()), draw(20, 2), torch.tensor(t, dtype=F64)
    _, change = torch.func.jvp(lambda s: oracle.log_density(x, s), (t,), (torch.ones_like(t),))
    jacobian = torch.func.vmap(torch.func.jacrev(lambda state: oracle.velocity(state[None], t)[0]))(x)
    divergence = jacobian.diagonal(dim1=1, dim2=2).sum(1)
    transport = (oracle.velocity(x, t) * oracle.score(x, t)).sum(1)
    torch.testing.assert_close(change, -divergence - transport, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", PATHS)
def test_answers_agree_with_one_another(name, draw):
    oracle, x = mixture(PATHS[name]()), draw(20, 2)
    for t in TIMES:
        answers = {"data": oracle.denoised(x, t), "noise": oracle.noise(x, t), "velocity": oracle.velocity(x, t)}
        for quantity, answer in answers.items():
            expected = convert(oracle.path, "score", quantity, oracle.score(x, t), x, t)
            torch.testing.assert_close(answer, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", PATHS)
def test_density_and_posterior_mean_by_quadrature(name):
    """In one dimension: p_t(x) = int p(x_0) N(x; alpha x_0, sigma^2) dx_0, and its mean of x_0."""
    path = PATHS[name]()
    weights, means, stds = torch.tensor([[0.7, 0.3], [0.5, -1.0], [0.3, 0.5]], dtype=F64)
    oracle = GaussianMixture(path, weights=weights, means=means[:, None], stds=stds)
    t, x = torch.tensor(0.2, dtype=F64), torch.tensor([[-1.0], [0.0], [0.8]], dtype=F64)
    x0 = torch.linspace(-6, 6, 20001, dtype=F64)
    data = (weights * torch.distributions.Normal(means, stds).log_prob(x0[:, None]).exp()).sum(1)
    joint = data * torch.distributions.Normal(path.alpha(t) * x0, path.sigma(t)).log_prob(x).exp()
    density = torch.trapezoid(joint, x0)
    torch.testing.assert_close(oracle.log_density(x, t), density.log(), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(oracle.denoised(x, t)[:, 0], torch.trapezoid(joint * x0, x0) / density, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", PATHS)
def test_nothing_breaks_next_to_the_data(name, draw):
    """At t_min sigma is as small as 1e-6: the score is still the data's own, to the digits that x carries."""
    path = PATHS[name]()
    oracle, x = mixture(path), draw(20, 2)
    data = torch.func.grad(lambda state: mixture(vp()).log_density(state, 0.0).sum())(x)
    t = path.t_min
    for answer in (oracle.denoised, oracle.noise, oracle.score, oracle.velocity):
        assert torch.isfinite(answer(x, t)).all()
    torch.testing.assert_close(oracle.score(x, t), data, rtol=1e-2 if name == "ve" else 1e-4, atol=1e-2 if name == "ve" else 1e-4)


def test_gaussian_is_a_mixture_of_one(draw):
    mean, x, t = torch.tensor([1.0, -2.0], dtype=F64), draw(5, 2), torch.tensor(0.4, dtype=F64)
    oracle = gaussian(vp(), mean, 0.5)
    alpha, sigma = vp().alpha(t), vp().sigma(t)
    marginal = torch.distributions.Normal(alpha * mean, (alpha**2 * 0.25 + sigma**2).sqrt())
    torch.testing.assert_close(oracle.log_density(x, t), marginal.log_prob(x).sum(1))


def test_samples_have_the_moments_of_the_mixture(rng):
    oracle, state = mixture(vp()), torch.get_rng_state()
    x = oracle.sample(40000, generator=rng)
    mean = oracle.weights @ oracle.means
    second = oracle.weights @ (oracle.means.square() + oracle.stds.square()[:, None])
    torch.testing.assert_close(x.mean(0), mean, rtol=0, atol=0.02)  # four standard errors
    torch.testing.assert_close(x.square().mean(0), second, rtol=0, atol=0.04)
    assert torch.equal(torch.get_rng_state(), state)
    again = oracle.sample(40000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(x, again)


@pytest.mark.parametrize("name", PATHS)
def test_empirical_distribution_is_a_mixture_of_points(name, draw):
    path, data, x = PATHS[name](), draw(7, 2), draw(9, 2)
    points = GaussianMixture(path, weights=torch.ones(7, dtype=F64), means=data, stds=torch.zeros(7, dtype=F64))
    empirical = EmpiricalDistribution(path, data, chunk=4)
    t = torch.linspace(0.2, 0.9, 9, dtype=F64)
    for method in ("denoised", "noise", "score", "velocity"):
        torch.testing.assert_close(getattr(empirical, method)(x, t), getattr(points, method)(x, t), rtol=1e-9, atol=1e-9)


def test_empirical_distribution_of_images(draw):
    data = draw(6, 1, 3, 3)
    empirical = EmpiricalDistribution(ve(), data)
    # next to a data point and with little noise left, that point is the answer; in float32 too
    x = data[[4, 1]] + 1e-3
    for dtype in (F64, torch.float32):
        answer = empirical.denoised(x.to(dtype), 1e-5)
        assert answer.dtype == dtype
        torch.testing.assert_close(answer.double(), data[[4, 1]], rtol=0, atol=1e-6)
    # far from the origin |d|^2 is large beside the distances that decide, too large for float32
    far = EmpiricalDistribution(ve(), data + 100.0)
    between = (100 + 0.5 * data[[0]] + 0.5 * data[[1]]).float()
    torch.testing.assert_close(far.denoised(between, 0.5).double(), far.denoised(between.double(), 0.5), rtol=0, atol=1e-4)
    # told to take distances in float32, it is as far off there and not near the origin
    exact = far.denoised(between.double(), 0.5)
    for shift, (least, most) in {0.0: (0, 1e-6), 100.0: (1e-4, 0.1)}.items():
        rough = EmpiricalDistribution(ve(), data + shift, dtype=torch.float32).denoised(between.double() - 100 + shift, 0.5)
        assert least <= (rough - shift - (exact - 100)).abs().max() <= most
    # with noise above all distances it is the mean
    torch.testing.assert_close(
        EmpiricalDistribution(ve(sigma_max=1e6), data).denoised(x, 1.0)[0], data.mean(0), atol=1e-6, rtol=0
    )


def test_empirical_distribution_survives_tiny_noise(draw):
    empirical = EmpiricalDistribution(PATHS["sub_vp"](), draw(6, 4))
    x = draw(3, 4)
    for method in ("denoised", "noise", "score", "velocity"):
        assert torch.isfinite(getattr(empirical, method)(x, 1e-5)).all()


def test_components_samples_and_dimensions_are_told_apart(draw):
    """Three counts that differ: 3 components in 4 dimensions at 5 states, against torch's own mixture."""
    path, t = vp(), torch.linspace(0.1, 0.9, 5, dtype=F64)
    weights, stds, means = torch.tensor([0.5, 0.3, 0.2], dtype=F64), torch.tensor([0.3, 0.6, 0.2], dtype=F64), draw(3, 4)
    oracle, x = GaussianMixture(path, weights=weights, means=means, stds=stds), draw(5, 4)
    for k, time in enumerate(t):
        alpha, sigma = path.alpha(time), path.sigma(time)
        spread = (alpha.square() * stds.square() + sigma.square()).sqrt()[:, None].expand(3, 4)
        parts = torch.distributions.Independent(torch.distributions.Normal(alpha * means, spread), 1)
        exact = torch.distributions.MixtureSameFamily(torch.distributions.Categorical(weights), parts)
        torch.testing.assert_close(oracle.log_density(x, t)[k], exact.log_prob(x[k]))
        posterior = parts.log_prob(x[k]).add(weights.log()).softmax(0)
        denoised = posterior @ ((sigma**2 * means + alpha * stds[:, None] ** 2 * x[k]) / spread.square())
        torch.testing.assert_close(oracle.denoised(x, t)[k], denoised)
        torch.testing.assert_close(oracle.score(x, t)[k], posterior @ ((alpha * means - x[k]) / spread.square()))
    for method in ("denoised", "noise", "score", "velocity"):
        torch.testing.assert_close(getattr(oracle, method)(x, 0.3)[2], getattr(oracle, method)(x[[2]], 0.3)[0])
