"""Technique 1: the largest distance is that of all pairs, found without looking at all of them, in little memory."""

import subprocess
import sys

import pytest
import torch
from scipy.spatial.distance import pdist

from common.errors import DataError
from common.runs.settings import ROOT
from replications.ncsnv2 import pairwise_distances
from replications.ncsnv2.pairwise_distances import distances, subset


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def clusters():
    x = torch.randn(300, 2, 5, generator=generator())
    x[::3] += 4
    return x


SETS = {
    "grey values": torch.randint(0, 256, (257, 1, 3, 4), generator=generator(1)).to(torch.uint8),
    "clusters": clusters(),
    "on a sphere": torch.nn.functional.normalize(torch.randn(200, 8, generator=generator(2), dtype=torch.float64), dim=1),
    "far from 0": 1000 + torch.rand(100, 6, generator=generator(3)),
    "two": torch.tensor([[[0.0, 3.0]], [[4.0, 0.0]]]),
}


@pytest.mark.parametrize("rows", [5, 64, 1024])
@pytest.mark.parametrize("name", SETS)
def test_the_largest_distance_is_that_of_all_pairs(name, rows, monkeypatch):
    monkeypatch.setattr(pairwise_distances, "ROWS", rows)
    images = SETS[name]
    every = pdist(images.flatten(1).double().numpy())
    found = distances(images, generator=generator(), unit=0.25)
    assert found.largest == pytest.approx(0.25 * every.max(), rel=1e-5 if name == "far from 0" else 1e-6)
    assert found.compared == len(images)


def test_the_median_is_that_of_pairs_of_different_images():
    images = SETS["grey values"]
    every = torch.from_numpy(pdist(images.flatten(1).numpy()))
    found = distances(images, generator=generator())
    # 20 000 random pairs: five standard errors of the share below the median
    below = float((every < found.median).double().mean())
    assert below == pytest.approx(0.5, abs=5 * 0.5 / 20_000**0.5)
    assert distances(SETS["two"], generator=generator()).median == 5


def test_most_pairs_are_not_looked_at(monkeypatch):
    """Of a cloud with few far images only blocks of these are compared."""
    monkeypatch.setattr(pairwise_distances, "ROWS", 10)
    asked, cdist = [], torch.cdist
    monkeypatch.setattr(torch, "cdist", lambda x, y: asked.append(len(x)) or cdist(x, y))
    images = torch.randn(1000, 50, generator=generator())
    images[::100] *= 4
    distances(images + 30, generator=generator())
    assert 0 < len(asked) < 20


def test_large_images_come_in_small_blocks(monkeypatch):
    monkeypatch.setattr(pairwise_distances, "NUMBERS", 3000)
    monkeypatch.setattr(pairwise_distances, "PAIRS", 50)
    asked, rows = [], pairwise_distances._rows
    monkeypatch.setattr(pairwise_distances, "_rows", lambda images, which: asked.append(len(which)) or rows(images, which))
    distances(torch.rand(40, 1000, generator=generator()), generator=generator())
    assert max(asked) == 3


MEASURED = """
import resource, torch
from replications.ncsnv2.pairwise_distances import distances
torch.set_num_threads(1)
images = torch.randint(0, 256, (60_000, 4, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
distances(images[:2000], generator=torch.Generator())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = distances(images, generator=torch.Generator())
print(found.compared, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_sixty_thousand_images_fit():
    """All of them are compared, and what that takes is a few blocks: all distances at once would be 14 GB."""
    done = subprocess.run([sys.executable, "-c", MEASURED], cwd=ROOT, capture_output=True, text=True, check=True)
    compared, megabytes = done.stdout.split()
    assert int(compared) == 60_000 and float(megabytes) < 100


def test_of_more_images_a_subset_is_compared(monkeypatch):
    assert subset(60_000, generator()) is None
    chosen = subset(60_001, generator())
    assert len(chosen.unique()) == 10_000 and chosen.max() <= 60_000 and bool((chosen.diff() > 0).all())
    assert not torch.equal(chosen, subset(60_001, generator(1)))
    monkeypatch.setattr(pairwise_distances, "LARGE", 50)
    monkeypatch.setattr(pairwise_distances, "SUBSET", 20)
    images = torch.rand(51, 3, generator=generator())
    found = distances(images, generator=generator())
    assert found.compared == 20 and found.largest == pytest.approx(pdist(images[subset(51, generator())].double()).max())


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(1, 3, 4), r"only one image.*; give more images"),
        (torch.rand(1, 3, 4).repeat(5, 1, 1), r"all 5 images are the same.*; give others"),
        (torch.full((3000, 40), 0.1), r"all 3000 images are the same"),
    ],
)
def test_what_has_no_distance_is_named(images, message):
    with pytest.raises(DataError, match=message):
        distances(images, generator=generator())
