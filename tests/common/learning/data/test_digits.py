from hashlib import sha256

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import common.learning.data.digits as module
from common.errors import DataError
from common.learning.data import catalogue
from common.learning.data.digits import INDICES_SHA256, digits, indices

SPLITS = {"train": 1147, "validation": 200, "test": 450}


@pytest.mark.parametrize("replicate", [0, 4, 7])
def test_splits_partition_the_images_and_have_their_sizes(replicate):
    split = indices(replicate)
    assert {name: len(chosen) for name, chosen in split.items()} == SPLITS
    assert torch.cat(list(split.values())).sort().values.tolist() == list(range(1797))


def test_the_committed_digest_is_that_of_the_indices():
    text = b"".join(np.asarray(indices(k)[name], dtype="<i8").tobytes() for k in range(5) for name in SPLITS)
    assert sha256(text).hexdigest() == INDICES_SHA256


@pytest.mark.parametrize("split", SPLITS)
def test_stratified(split):
    counts = torch.bincount(digits(split).labels, minlength=10)
    expected = np.bincount(load_digits().target) * SPLITS[split] / 1797
    assert np.abs(counts.numpy() - expected).max() < 1.5


@pytest.mark.parametrize("split", SPLITS)
def test_images_are_the_published_ones(split):
    part, published = digits(split), load_digits()
    assert part.images.shape == (SPLITS[split], 1, 8, 8) and part.images.dtype == torch.uint8 and part.grey_values == 17
    chosen = indices()[split].numpy()
    np.testing.assert_array_equal(part.images[:, 0].numpy(), published.images[chosen])
    np.testing.assert_array_equal(part.labels.numpy(), published.target[chosen])


def test_another_split_is_an_error(monkeypatch):
    monkeypatch.setattr(module, "INDICES_SHA256", "0" * 64)
    with pytest.raises(DataError, match="digits split has changed"):
        module._check_splits.__wrapped__()


def test_replicates_draw_their_own_test_images():
    tests = [set(indices(k)["test"].tolist()) for k in range(5)]
    # two random quarters of the images share a quarter of theirs: 450 * 450 / 1797 = 113, give or take
    overlaps = [len(a & b) for i, a in enumerate(tests) for b in tests[:i]]
    assert all(80 < overlap < 150 for overlap in overlaps)
    assert digits("test", 3).images.equal(catalogue.load("digits", "test", 3).images)
    assert not digits("test", 3).images.equal(digits("test").images)
