"""Imputation, colourisation and classes, against Gaussian data whose conditionals are known."""

import pytest
import torch

from common.dynamics.answers import Answering, Guided, as_time
from common.dynamics.oracles import GaussianMixture, gaussian
from common.dynamics.paths import sub_vp, ve, vp
from replications.score_sde.conditional import Known, class_gradient, colour_basis, grey_known, imputing, start
from replications.score_sde.correctors import annealed_langevin, langevin
from replications.score_sde.predictor_corrector import predictor_corrector, scales
from replications.score_sde.predictors import (
    euler_maruyama,
    identity,
    predictor,
    reverse_diffusion,
    reverse_diffusion_rule,
)

F64 = torch.float64
PATHS = [ve(0.01, 3.0), vp(), sub_vp()]
IDS = [path.name for path in PATHS]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=F64)


def of_path(schedule, t):
    return float(schedule(torch.tensor(t, dtype=F64)))


# imputation


@pytest.mark.parametrize("path", PATHS, ids=IDS)
@pytest.mark.parametrize("basis", [None, colour_basis(torch.zeros(1, dtype=F64))])
def test_known_values_come_back_as_noisy_as_the_time_at_which_the_update_started(path, basis):
    values, x, z, s = (draw(2, 3, 4, 4, seed=seed) for seed in range(4))
    mask = draw(1, 4, 4, seed=5) > 0
    known, t, t_next = Known(values, mask, basis), 0.6, 0.5
    m = torch.eye(3, dtype=F64) if basis is None else basis
    step = imputing(identity, known)(path, torch.tensor([t, t_next, t_next], dtype=F64))
    found, mean = step(Answering(path, "score", lambda *_: s), x, t, t_next, lambda _: z)

    def told(image):  # pixel by pixel
        return torch.stack([image[:, 0] * m[0, k] + image[:, 1] * m[1, k] + image[:, 2] * m[2, k] for k in range(3)], 1)

    everywhere = mask.expand(2, 3, 4, 4)
    alpha, sigma = of_path(path.alpha, t), of_path(path.sigma, t)
    torch.testing.assert_close(told(found)[everywhere], (alpha * values + sigma * z)[everywhere])
    torch.testing.assert_close(told(mean)[everywhere], (alpha * values)[everywhere])
    torch.testing.assert_close(told(found)[~everywhere], told(x)[~everywhere])
    torch.testing.assert_close(told(mean)[~everywhere], told(x)[~everywhere])
    _, last = step(Answering(path, "score", lambda *_: s), x, t_next, t_next, lambda _: z)
    torch.testing.assert_close(told(last)[everywhere], values[everywhere])  # clean data are known as they are
    torch.testing.assert_close(told(start(known, x))[everywhere], values[everywhere])
    torch.testing.assert_close(told(start(known, x))[~everywhere], told(x)[~everywhere])


def test_elsewhere_state_and_mean_are_the_updates_own():
    def method(path, times):
        return lambda model, x, t, t_next, noise: (x + 1, x + 2)

    values, x, z = (draw(5, 2, seed=seed) for seed in range(3))
    model, times = gaussian(vp(), torch.zeros(2, dtype=F64), 1.0), torch.tensor([0.6, 0.5], dtype=F64)
    step = imputing(method, Known(values, torch.tensor([True, False])))(vp(), times)
    found, mean = step(model, x, 0.6, 0.5, lambda _: z)
    torch.testing.assert_close(found[:, 1], x[:, 1] + 1)
    torch.testing.assert_close(mean[:, 1], x[:, 1] + 2)


class Correlated:
    """Two pixels of images [1, 1, 2], Gaussian with correlation 0.8, whose second one is asked for when the first is known."""

    mean, std, rho = (0.3, -0.2), 0.5, 0.8
    covariance = std**2 * torch.tensor([[1.0, rho], [rho, 1.0]], dtype=F64)

    def __init__(self, path):
        self.path = path

    def precision(self, t):
        alpha, sigma = of_path(self.path.alpha, t), of_path(self.path.sigma, t)
        return torch.linalg.inv(alpha**2 * self.covariance + sigma**2 * torch.eye(2, dtype=F64)), alpha, sigma

    def model(self):
        def score(x, t):
            precision, alpha, _ = self.precision(t)
            away = x.flatten(1) - alpha * torch.tensor(self.mean, dtype=F64)
            return -(away @ precision).reshape(x.shape)

        return Answering(self.path, "score", score)

    def conditional(self, value):
        """Mean and standard deviation of the second pixel."""
        return self.mean[1] + self.rho * (value - self.mean[0]), self.std * (1 - self.rho**2) ** 0.5

    def imputed(self, value, steps, t_min, snr=0.0, correctors=0):
        """Mean and standard deviation of the second pixel, update by update of the published loop."""
        times, found = scales(self.path, steps, t_min=t_min), []
        predictor(lambda kernel: found.append(reverse_diffusion_rule(kernel)) or found[-1])(self.path, times)
        m, v, known, known_variance = 0.0, self.path.prior_std**2, value, 0.0  # the first pixel starts as data
        for t, coefficients in zip(times.tolist(), found):
            precision, alpha, sigma = self.precision(t)
            (_, _), (pull, own) = precision.tolist()
            eps = 2 * (snr * sigma) ** 2
            for of_x, of_score, std in [(1, eps, (2 * eps) ** 0.5)] * correctors + [coefficients]:
                slope = of_x - of_score * own
                m = slope * m + of_score * (own * alpha * self.mean[1] - pull * (known - alpha * self.mean[0]))
                v = slope**2 * v + (of_score * pull) ** 2 * known_variance + std**2
                known, known_variance = alpha * value, sigma**2
        # the last noise is left out
        return m, (v - coefficients.noise**2) ** 0.5


@pytest.mark.parametrize("correctors", [0, 3])
@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_imputation_follows_the_published_loop(path, correctors):
    data, value, n, steps, t_min, snr = Correlated(path), 1.1, 6000, 60, 1e-3, 0.3
    values = torch.full((n, 1, 1, 2), value, dtype=F64)
    known = Known(values, torch.tensor([True, False]))
    x = start(known, path.prior_sample(values.shape, generator=generator(1)))
    sample = predictor_corrector(
        imputing(reverse_diffusion, known), imputing(annealed_langevin(snr), known), correctors=correctors
    )
    found = sample(data.model(), x, scales(path, steps, t_min=t_min), generator=generator()).x
    mean, std = data.imputed(value, steps, t_min, snr, correctors)
    assert (found[..., 0] == value).all()
    assert found[..., 1].mean().item() == pytest.approx(mean, abs=4 * std / n**0.5)
    assert found[..., 1].std().item() == pytest.approx(std, rel=4 / (2 * n) ** 0.5)


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_imputation_needs_correctors_to_find_the_exact_conditional(path):
    """Known pixels are drawn anew at every step, so a predictor alone falls short however many steps it takes."""
    data = Correlated(path)
    mean, std = data.conditional(1.1)
    of_data = data.mean[1]
    shares = {
        (steps, correctors): (data.imputed(1.1, steps, 1e-3, 0.3, correctors)[0] - of_data) / (mean - of_data)
        for steps, correctors in ((500, 0), (2000, 0), (500, 2), (500, 20))
    }
    assert shares[2000, 0] == pytest.approx(shares[500, 0], abs=0.01) and 0.5 < shares[2000, 0] < 0.7
    assert shares[2000, 0] < shares[500, 2] < shares[500, 20] and shares[500, 20] == pytest.approx(1, abs=0.05)
    assert data.imputed(1.1, 500, 1e-3, 0.3, 20)[1] == pytest.approx(std, rel=0.1)


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_independent_pixels_do_not_notice_their_neighbours(path):
    n, times = 4000, scales(path, 150, t_min=1e-3)
    oracle = gaussian(path, torch.tensor([0.5, -0.5], dtype=F64), 0.4)
    known = Known(torch.full((n, 2), 0.9, dtype=F64), torch.tensor([True, False]))
    x = start(known, path.prior_sample((n, 2), generator=generator(1)))
    sample = predictor_corrector(imputing(euler_maruyama, known), imputing(langevin(0.1), known))
    found = sample(oracle, x, times, generator=generator())
    assert (found.x[:, 0] == 0.9).all() and found.nfe.unique().tolist() == [300]
    assert found.x[:, 1].mean().item() == pytest.approx(-0.5, abs=4 * 0.4 / n**0.5 + 0.02)
    assert found.x[:, 1].std().item() == pytest.approx(0.4, rel=0.08)


# colourisation


def test_the_colour_basis_is_orthogonal_and_as_printed():
    basis = colour_basis(torch.zeros(1, dtype=F64))
    torch.testing.assert_close(basis.T @ basis, torch.eye(3, dtype=F64), rtol=0, atol=1e-15)
    printed = torch.tensor([[0.577, -0.816, 0.0], [0.577, 0.408, 0.707], [0.577, 0.408, -0.707]], dtype=F64)
    torch.testing.assert_close(basis, printed, rtol=0, atol=5e-4)
    image = draw(2, 3, 4, 5)
    known = grey_known(image.mean(1, keepdim=True))
    torch.testing.assert_close(known.back(known.into(image)), image, rtol=0, atol=1e-14)
    torch.testing.assert_close(known.values[:, 0], known.into(image)[:, 0])  # the grey channel of a coloured image
    assert known.mask.expand(2, 3, 4, 5).sum().item() == 40 and known.mask[0].all()


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_colours_are_filled_in_and_grey_values_kept(path):
    """Independent channels with means of their own: given their sum they are Gaussian on a plane."""
    n, mean, std = 4000, torch.tensor([0.5, -0.2, 0.1], dtype=F64), 0.4
    oracle = gaussian(path, mean, std)
    model = Answering(path, "score", lambda x, t: oracle.score(x.flatten(1), t).reshape(x.shape))
    known = grey_known(torch.full((n, 1, 1, 1), 0.35, dtype=F64))
    x = start(known, path.prior_sample((n, 3, 1, 1), generator=generator(1)))
    found = predictor_corrector(imputing(reverse_diffusion, known))(
        model, x, scales(path, 200, t_min=1e-3), generator=generator()
    ).x[..., 0, 0]
    torch.testing.assert_close(found.mean(1), torch.full((n,), 0.35, dtype=F64), rtol=0, atol=1e-12)
    expected, deviation = mean + 0.35 - mean.mean(), std * (2 / 3) ** 0.5
    torch.testing.assert_close(found.mean(0), expected, rtol=0, atol=4 * deviation / n**0.5 + 0.01)
    torch.testing.assert_close(found.std(0), torch.full((3,), deviation, dtype=F64), rtol=0.08, atol=0)


# classes


def two_classes(path):
    means, stds = torch.tensor([[1.0, 0.0], [-1.0, 0.5]], dtype=F64), torch.tensor([0.3, 0.5], dtype=F64)
    weights = torch.tensor([0.8, 0.2], dtype=F64)
    parts = [gaussian(path, mean, float(std)) for mean, std in zip(means, stds)]

    def classifier(x, t):
        return torch.stack([weight.log() + part.log_density(x, t) for weight, part in zip(weights, parts)], 1)

    return GaussianMixture(path, weights=weights, means=means, stds=stds), parts, classifier


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_guided_by_an_exact_classifier_the_score_is_the_classs_own(path):
    mixture, parts, classifier = two_classes(path)
    x, classes = draw(6, 2), torch.tensor([0, 1, 0, 1, 1, 0])
    for t in (0.1, 0.5, torch.linspace(0.1, 0.9, 6, dtype=F64)):
        found = Guided(mixture, class_gradient(classifier, classes)).score(x, t)
        wanted = torch.where(classes[:, None] == 0, *(part.score(x, t) for part in parts))
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
    twice = class_gradient(classifier, classes, weight=2.0)(x, 0.5)
    torch.testing.assert_close(twice, 2 * class_gradient(classifier, classes)(x, 0.5))
    assert not found.requires_grad and as_time(0.5, x).ndim == 0


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_samples_are_of_the_class_that_is_asked_for(path):
    mixture, parts, classifier = two_classes(path)
    n = 2000
    classes = torch.arange(n) % 2
    model, x = Guided(mixture, class_gradient(classifier, classes)), path.prior_sample((n, 2), generator=generator(1))
    found = predictor_corrector(euler_maruyama, langevin(0.1))(model, x, scales(path, 150, t_min=1e-3), generator=generator()).x
    for k, part in enumerate(parts):
        one, std = found[classes == k], float(part.stds)
        torch.testing.assert_close(one.mean(0), part.means[0], rtol=0, atol=4 * std / (n / 2) ** 0.5 + 0.03)
        torch.testing.assert_close(one.std(0), torch.full((2,), std, dtype=F64), rtol=0.15, atol=0)
