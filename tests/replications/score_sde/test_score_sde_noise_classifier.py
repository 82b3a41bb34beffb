"""The classifier of noisy images: its networks, what it is given, its training, its gradient against a closed form."""

import math

import pytest
import torch
from torch import nn

from common.dynamics.answers import Guided
from common.dynamics.oracles import gaussian
from common.dynamics.paths import sub_vp, ve, vp
from common.errors import RetraceError, SettingsError
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.settings import Settings, validated
from replications.score_sde.conditional import class_gradient
from replications.score_sde.control import noise_conditional_classifier as module
from replications.score_sde.control.noise_conditional_classifier import (
    MLPClassifierSettings,
    NoiseConditionalClassifier,
    WideResNetSettings,
    labelled,
    noisy_accuracy,
    trained_classifier,
)
from replications.score_sde.control.wide_resnet import WideBlock, WideResNet, standardised

F64 = torch.float64
PATHS = [ve(0.01, 5.0), vp(), sub_vp()]
IDS = [path.name for path in PATHS]


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


@pytest.fixture
def context(tmp_path):
    return Context("score_sde", "controllable", "smoke", 0, 99, tmp_path, tmp_path, torch.device("cpu"))


# the gradient


class ExactLogits(nn.Module):
    """Of Gaussian classes N(m_k, s^2 I) at equal shares, from what the network is given: linear in x, with ln sigma."""

    def __init__(self, path, means, std):
        super().__init__()
        self.path, self.std = path, std
        self.means = nn.Parameter(means)

    def forward(self, scaled, log_sigma):
        sigma = log_sigma.exp()
        alpha = {"ve": torch.ones_like(sigma), "vp": (1 - sigma**2).sqrt(), "sub_vp": (1 - sigma).sqrt()}[self.path.name]
        x = scaled * ((module.DATA_STD * alpha) ** 2 + sigma**2).sqrt()[:, None]
        variance = ((alpha * self.std) ** 2 + sigma**2)[:, None]
        means = self.means[None] * alpha[:, None, None]
        return (means @ x[..., None]).squeeze(-1) / variance - means.square().sum(2) / (2 * variance)


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_guidance_by_a_linear_softmax_on_gaussian_classes(path):
    """grad log p(k | x) = (alpha / v) (m_k - sum_j p_j m_j), and the guided score is that of class k's own Gaussian."""
    means, std, x, classes = draw(3, 4), 0.4, draw(7, 4, seed=1), torch.arange(7) % 3
    classifier = NoiseConditionalClassifier(ExactLogits(path, means, std), path)
    parts = [gaussian(path, mean, std) for mean in means]
    for t in (torch.tensor(0.2, dtype=F64), torch.linspace(0.05, 0.95, 7, dtype=F64)):
        alpha, sigma = path.alpha(t), path.sigma(t)
        shares = torch.stack([part.log_density(x, t) for part in parts], 1).softmax(1)
        torch.testing.assert_close(classifier(x, t).softmax(1), shares, rtol=1e-9, atol=1e-12)
        factor = (alpha / (alpha**2 * std**2 + sigma**2)).reshape(-1, 1)
        expected = factor * (means[classes] - shares @ means)
        found = class_gradient(classifier, classes)(x, t)
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)
        own = torch.stack([part.score(x, t) for part in parts])[classes, torch.arange(7)]
        mixture = (shares[..., None] * torch.stack([part.score(x, t) for part in parts], 1)).sum(1)
        guided = Guided(_scored(path, mixture), class_gradient(classifier, classes))
        torch.testing.assert_close(guided.score(x, t), own, rtol=1e-8, atol=1e-10)


def _scored(path, score):
    from common.dynamics.answers import Answering

    return Answering(path, "score", lambda x, t: score)


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_the_network_is_given_unit_variance_and_ln_sigma(path):
    seen = {}

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x, log_sigma):
            seen.update(x=x, log_sigma=log_sigma)
            return x.flatten(1)[:, :3]

    x, t = draw(2, 1, 4, 4), torch.tensor([0.3, 0.9], dtype=F64)
    found = NoiseConditionalClassifier(Net(), path)(x, t)
    assert found.dtype == F64 and seen["x"].dtype == torch.float32
    torch.testing.assert_close(seen["log_sigma"], path.sigma(t).log().float())
    for k in range(2):
        size = math.sqrt(0.25 * float(path.alpha(t[k])) ** 2 + float(path.sigma(t[k])) ** 2)
        torch.testing.assert_close(seen["x"][k], (x[k] / size).float())
    NoiseConditionalClassifier(Net(), path)(x, 0.3)
    assert seen["log_sigma"].shape == (1,)


# networks


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        (MLPClassifierSettings(width=8, blocks=1), (1, 8, 8)),
        (WideResNetSettings(depth=10, width=1), (3, 9, 9)),
        (WideResNetSettings(depth=16, width=1), (1, 8, 8)),
    ],
)
def test_networks_give_logits_at_one_time_or_many(settings, shape):
    torch.manual_seed(0)
    net = settings.build(shape, 5).double()
    x, t = draw(3, *shape), draw(1, seed=1)
    found = net(x, t)
    assert found.shape == (3, 5)
    torch.testing.assert_close(net(x, t.repeat(3)), found)
    # an image's logits do not depend on its neighbours
    torch.testing.assert_close(net(x[1:2], t), found[1:2])


def test_the_published_network():
    """WRN-28-10 has 36.5 million numbers; its time terms, and group for batch normalisation, come on top or in place."""
    with torch.device("meta"):
        net = WideResNetSettings().build((3, 32, 32), 10)
    convolutions = [each for each in net.modules() if isinstance(each, nn.Conv2d)]
    # 28 layers with weights: 25 convolutions here, one linear layer, and the two shortcuts that average and pad instead
    assert len(convolutions) == 25 and len(net.blocks) == 12
    weights = 9 * (3 * 16 + 16 * 160 + 7 * 160 * 160 + 160 * 320 + 7 * 320 * 320 + 320 * 640 + 7 * 640 * 640)
    assert sum(each.weight.numel() for each in convolutions) == weights
    assert [each.weight.shape[0] for each in convolutions[1::8]] == [160, 320, 640]
    assert net.classify.weight.shape == (10, 640) and net.embed.frequencies.shape == (128,)


def test_resolution_halves_twice():
    net, shapes = WideResNet(1, 2, depth=10, width=1), []
    for block in net.blocks:
        block.register_forward_hook(lambda module, given, found: shapes.append(tuple(found.shape[1:])))
    net(torch.zeros(1, 1, 28, 28), torch.zeros(1))
    assert shapes == [(16, 28, 28), (32, 14, 14), (64, 7, 7)]


def test_a_block_without_convolutions_is_its_shortcut():
    x, told = draw(2, 4, 6, 6), torch.zeros(1, 512, dtype=F64)
    block = WideBlock(4, 8, 2, first=False).double()
    nn.init.zeros_(block.conv2.weight)
    found = block(x, told)
    torch.testing.assert_close(found[:, :4], x.reshape(2, 4, 3, 2, 3, 2).mean((3, 5)))
    assert (found[:, 4:] == 0).all()
    first = WideBlock(4, 4, 1, first=True).double()
    nn.init.zeros_(first.conv2.weight)
    torch.testing.assert_close(first(x, told), first.norm1(x).relu())


def test_every_block_hears_of_the_noise():
    torch.manual_seed(0)
    x, told = draw(2, 4, 6, 6), draw(2, 512, seed=1)
    block = WideBlock(4, 4, 1, first=False).double()
    assert not torch.allclose(block(x, told), block(x, told + 1))


def test_images_are_standardised_one_by_one():
    x = draw(3, 2, 4, 4) * torch.tensor([1.0, 5.0, 0.0], dtype=F64)[:, None, None, None] + 2
    found = standardised(x)
    torch.testing.assert_close(found[:2].mean((1, 2, 3)), torch.zeros(2, dtype=F64))
    torch.testing.assert_close(found[:2].var((1, 2, 3), correction=0), torch.ones(2, dtype=F64))
    assert (found[2] == 0).all()


@pytest.mark.parametrize("depth", [4, 20, 27])
def test_depths_that_no_such_network_has(depth):
    with pytest.raises(SettingsError, match="10, 16, 22, 28"):
        validated(WideResNetSettings, {"depth": depth}, where="net")


# training


def test_training_finds_the_classes_in_little_noise_and_not_in_much(context, monkeypatch):
    seen = []
    monkeypatch.setattr(module, "draw_times", lambda *a, **k: seen.append(_times(*a, **k)) or seen[-1])
    path = ve(0.01, 50.0)
    train = TrainSettings(steps=150, batch=64, learning_rate=0.01, ema_decay=0.9)
    net = MLPClassifierSettings(width=32, blocks=1)
    found = trained_classifier(net, path, train, "digits", context, of=Settings())
    assert not found.training and not any(each.requires_grad for each in found.parameters())
    times = torch.cat(seen)
    assert len(seen) == 150 and float(times.min()) < 0.01 and float(times.max()) > 0.99
    test = labelled("digits", "test", 0)
    images = 2 * (test.images + 0.5) / 17 - 1
    shares = [noisy_accuracy(found, path, images, test.labels, t, generator=torch.Generator().manual_seed(0)) for t in (0.0, 1.0)]
    assert shares[0] > 0.85 and shares[1] < 0.2


_times = module.draw_times


def test_images_are_as_noisy_as_the_times_drawn(context, monkeypatch):
    """A classifier that has only seen the largest noise has seen no digit."""
    monkeypatch.setattr(module, "draw_times", lambda path, batch, **drawn: torch.ones(batch))
    train = TrainSettings(steps=60, batch=64, learning_rate=0.01, ema_decay=0.9)
    net, path = MLPClassifierSettings(width=32, blocks=1), ve(0.01, 500.0)
    found = trained_classifier(net, path, train, "digits", context, of=Settings())
    test = labelled("digits", "test", 0)
    images = 2 * (test.images + 0.5) / 17 - 1
    assert noisy_accuracy(found, path, images, test.labels, 0.0, generator=torch.Generator().manual_seed(0)) < 0.5


def test_accuracy_is_of_images_as_noisy_as_the_time_is():
    """Two classes a and -a in one dimension, told apart by the sign: Phi(alpha a / sigma) of them are found."""
    path, n = ve(0.1, 10.0), 20000
    labels = torch.arange(n) % 2
    images = (1 - 2 * labels.double())[:, None]

    def sign(x, t):
        return torch.cat([x, -x], 1)

    for t in (0.3, 0.6):
        found = noisy_accuracy(sign, path, images, labels, t, generator=torch.Generator().manual_seed(0), batch=7000)
        sigma = float(path.sigma(torch.tensor(t, dtype=F64)))
        assert found == pytest.approx(0.5 * (1 + math.erf(1 / sigma / math.sqrt(2))), abs=4 * 0.5 / n**0.5)


def test_images_without_labels_have_no_classifier():
    with pytest.raises(RetraceError, match="patches_colour8 has no labels"):
        labelled("patches_colour8", "train", 0)
