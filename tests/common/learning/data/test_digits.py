import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import common.learning.data.digits as module
from common.errors import DataError
from common.learning.data import catalogue
from common.learning.data.digits import digits, indices

# of the int64 indices of train, validation and test, one after the other, of the first five replicates
INDICES_SHA256 = "ca6a29e17078db84fc0a4ac9938329603fdb952429baed5b2d7e3d7629660375"
SPLITS = {"train": 1147, "validation": 200, "test": 450}


@pytest.mark.parametrize("replicate", [0, 4, 7])
def test_splits_partition_the_images_and_have_their_sizes(replicate):
    split = indices(replicate)
    assert {name: len(chosen) for name, chosen in split.items()} == SPLITS
    assert torch.cat(list(split.values())).sort().values.tolist() == list(range(1797))


def test_the_kept_splits_have_their_digest_and_are_those_that_scikit_learn_draws():
    text = b"".join(np.asarray(indices(k)[name], dtype="<i8").tobytes() for k in range(5) for name in SPLITS)
    assert sha256(text).hexdigest() == INDICES_SHA256
    for k in range(5):
        assert torch.equal(torch.cat(list(indices(k).values())), module._drawn(k))


def test_later_replicates_are_drawn():
    assert torch.equal(torch.cat(list(indices(5).values())), module._drawn(5))


def test_the_first_replicates_need_no_scikit_learn():
    """Its import would cost every process on the digits a second."""
    program = (
        "import sys; from common.learning.data.digits import digits; [digits('test', k) for k in range(5)]; "
        "assert 'sklearn' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]


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
    drawn = module._drawn
    monkeypatch.setattr(module, "_drawn", lambda replicate: drawn(replicate).flip(0))
    with pytest.raises(DataError, match=r"replicate 5 of the digits: this scikit-learn splits otherwise than digits_splits\.npy"):
        indices.__wrapped__(5)


def test_other_digits_are_an_error(monkeypatch):
    monkeypatch.setattr(module, "ROWS_SHA256", "0" * 64)
    with pytest.raises(DataError, match=r"digits\.csv\.gz: holds other digits \(SHA-256 68aea062d35a"):
        module._data.__wrapped__()


def test_digits_that_lie_elsewhere_are_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "distribution", lambda name: type("Found", (), {"locate_file": tmp_path.joinpath}))
    with pytest.raises(DataError, match=r"has its digits elsewhere; install the versions of requirements\.lock"):
        module._data.__wrapped__()


def test_replicates_draw_their_own_test_images():
    tests = [set(indices(k)["test"].tolist()) for k in range(5)]
    # two random quarters of the images share a quarter of theirs: 450 * 450 / 1797 = 113, give or take
    overlaps = [len(a & b) for i, a in enumerate(tests) for b in tests[:i]]
    assert all(80 < overlap < 150 for overlap in overlaps)
    assert digits("test", 3).images.equal(catalogue.load("digits", "test", 3).images)
    assert not digits("test", 3).images.equal(digits("test").images)
