import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sealed import seal
from sklearn.datasets import load_digits

from common.errors import CheckpointError, RetraceError
from common.measure.features import (
    FeatureNet,
    accuracy,
    extract_features,
    load_feature_net,
    read_feature_net,
    train_feature_net,
)
from common.measure.metrics.frechet import frechet_distance
from common.runs.folders import write_weights


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    order = torch.randperm(1797, generator=generator())
    images = torch.tensor(2 * (data.images + 0.5) / 17 - 1, dtype=torch.float32)[:, None][order]
    return images, torch.tensor(data.target)[order]


@pytest.fixture(scope="module")
def net(digits):
    images, labels = digits
    return train_feature_net(images[:1497], labels[:1497], steps=200, generator=generator())


def test_it_learns_the_digits(net, digits):
    images, labels = digits
    assert accuracy(net, images[1497:], labels[1497:]) > 0.95
    assert sum(p.numel() for p in net.parameters()) < 60_000
    assert not net.training and not any(p.requires_grad for p in net.parameters())


def test_accuracy_is_the_share_of_right_guesses(net, digits):
    images = digits[0][:4]
    guesses = net(images).argmax(dim=1)
    assert accuracy(net, images, guesses) == 1
    assert accuracy(net, images, torch.cat([guesses[:1], (guesses[1:] + 1) % 10])) == 0.25


def test_features_of_the_training_set_have_unit_variance_on_average(net, digits):
    features = extract_features(net, digits[0][:1497])
    assert features.shape == (1497, 64) and features.min() == 0
    assert features.var(axis=0).mean() == pytest.approx(1, rel=1e-4)


def test_the_unit_of_features_leaves_the_classifier_alone(net, digits):
    images = digits[0][:8]
    logits, scale = net(images), net.scale.clone()
    try:
        net.scale.fill_(1.0)
        torch.testing.assert_close(net(images), logits)
        assert scale > 2, "the test would say nothing if training had left the scale at 1"
    finally:
        net.scale.copy_(scale)


def test_the_distance_grows_with_noise(net, digits):
    images = digits[0]
    test = extract_features(net, images[1497:])
    noise = torch.randn(images[:1497].shape, generator=generator(1))
    distances = [frechet_distance(extract_features(net, images[:1497] + s * noise), test) for s in (0.0, 0.1, 0.3, 1.0)]
    assert distances == sorted(distances)
    assert distances[0] < 1, "the floor: training against test images"
    uniform = 2 * torch.rand(1497, 1, 8, 8, generator=generator(2)) - 1
    assert frechet_distance(extract_features(net, uniform), test) > 20 * distances[0]


def test_training_depends_on_the_generator_alone(digits):
    images, labels = (part[:200] for part in digits)

    def trained(seed: int) -> torch.Tensor:
        net = train_feature_net(images, labels, steps=3, batch=16, generator=generator(seed))
        return torch.cat([p.flatten() for p in net.state_dict().values()])

    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = trained(0)
    assert torch.equal(torch.get_rng_state(), before), "the global generator is left alone"
    torch.manual_seed(2)
    assert torch.equal(trained(0), first)
    assert not torch.allclose(trained(1), first)


def test_learning_rate_and_steps_are_used(digits):
    images, labels = (part[:200] for part in digits)
    still = train_feature_net(images, labels, steps=1, learning_rate=1e-12, generator=generator())
    start = FeatureNet(1, 10, generator=generator())
    torch.testing.assert_close(still.classify.weight, start.classify.weight)
    moved = train_feature_net(images, labels, steps=1, learning_rate=1e-2, generator=generator())
    # Adam's first step is the learning rate itself, in every weight that has a gradient
    assert (moved.classify.weight - start.classify.weight).abs().max().item() == pytest.approx(1e-2, rel=1e-3)
    # and of two steps the cosine halves the second
    moved = train_feature_net(images, labels, steps=2, learning_rate=1e-2, generator=generator())
    assert (moved.classify.weight - start.classify.weight).abs().max().item() == pytest.approx(1.5e-2, rel=0.02)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 16), (1, 28, 28), (3, 32, 32), (1, 5, 9)])
def test_images_of_any_size_give_64_features(shape):
    net = FeatureNet(shape[0], 10, generator=generator())
    images = torch.rand(5, *shape, generator=generator(), dtype=torch.float64) * 2 - 1
    features = extract_features(net, images)
    assert features.shape == (5, 64) and features.dtype == np.float32 and features.std() > 0
    np.testing.assert_allclose(extract_features(net, images, batch=2), features, rtol=1e-4, atol=1e-6)
    assert net(images.float()).shape == (5, 10)


def test_saved_and_loaded_it_gives_the_same_features(net, digits, tmp_path):
    write_weights(tmp_path / "weights.safetensors", net.state_dict())
    seal(tmp_path)
    features = load_feature_net(tmp_path, torch.device("cpu"))
    np.testing.assert_array_equal(features(digits[0][:50]), extract_features(net, digits[0][:50]))
    colour = FeatureNet(3, 7, generator=generator())
    write_weights(tmp_path / "weights.safetensors", colour.state_dict())
    seal(tmp_path)
    loaded = read_feature_net(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(loaded.state_dict().values(), colour.state_dict().values()))
    assert loaded.classify.out_features == 7 and not loaded.scale.requires_grad


def test_files_that_are_not_a_feature_network(tmp_path, net):
    with pytest.raises(CheckpointError, match=r"run\.json is missing; delete .* and run again"):
        load_feature_net(tmp_path)
    write_weights(tmp_path / "weights.safetensors", net.state_dict())
    file = tmp_path / "weights.safetensors"
    seal(tmp_path)
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(CheckpointError, match="is not what its run wrote"):
        load_feature_net(tmp_path)
    seal(tmp_path)
    with pytest.raises(CheckpointError, match="not a feature network"):
        load_feature_net(tmp_path)
    save_file({"weight": torch.zeros(2)}, file)
    seal(tmp_path)
    with pytest.raises(CheckpointError, match=r"convolutions\.0\.weight"):
        load_feature_net(tmp_path)
    save_file({**net.state_dict(), "project.weight": torch.zeros(3, 3)}, file)
    seal(tmp_path)
    with pytest.raises(CheckpointError, match="size mismatch"):
        load_feature_net(tmp_path)


def test_images_without_labels_are_refused():
    with pytest.raises(RetraceError, match="no labels; choose a labelled data set"):
        train_feature_net(torch.zeros(4, 1, 8, 8), None, steps=1, generator=generator())
