"""What is said of completions, on images made so that the answers are known."""

import pytest
import torch
from ncsn_stand_ins import F64, RANGES, SHAPE, draw, level_network

from common.learning.data.scale import rescaled
from common.learning.data.split import ImageSplit
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.ncsn.chains import Chains
from replications.ncsn.experiments import inpainting

PACKAGE, D = "replications.ncsn", 16
NO_IMAGES = ImageSplit(torch.empty(0, 1, 1, 1), None, 17)


@pytest.fixture
def context(tmp_path):
    return Context("ncsn", "samples", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu"))


def by_method(rows, metric):
    return {row["method"]: row["value"] for row in rows if row["metric"] == metric}


def mask_rows(completed, truth, strangers, mask):
    return {
        row["metric"]: row["value"] for row in inpainting.mask_rows(completed, truth, strangers, mask, 0.02, {"variant": "half"})
    }


def test_completions_from_the_posterior_are_as_far_apart_as_from_the_truth():
    truth, completed, strangers = draw(300, *SHAPE), draw(300, 8, *SHAPE, seed=1), draw(50, *SHAPE, seed=2)
    mask = torch.arange(4).expand(SHAPE) < 2
    completed[..., :2] = truth[:, None, ..., :2]
    found = mask_rows(completed, truth, strangers, mask)
    assert found["spread_over_posterior"] == pytest.approx(1, abs=0.05)
    assert found["hole_error"] == pytest.approx(2, rel=0.05) and found["hole_error_of_strangers"] == pytest.approx(2, rel=0.1)
    assert found["known_kept_share"] == 1
    one_of_each = completed[:, :1].expand(300, 8, *SHAPE)
    assert mask_rows(one_of_each, truth, strangers, mask)["spread_over_posterior"] == 0


def test_errors_are_of_the_hole_and_shares_of_the_known_pixels():
    mask = torch.arange(16).reshape(SHAPE) < 10
    truth = torch.zeros(2, *SHAPE, dtype=F64)
    completed = torch.where(mask, 0.059, 0.5).expand(2, 2, *SHAPE).clone()
    completed[0, 0, 0, 0, 0] = -0.061
    completed[:, 1][:, ~mask] = -0.1
    found = mask_rows(completed, truth, torch.where(mask, 9.0, 2.0)[None].double(), mask)
    assert found["known_kept_share"] == pytest.approx(39 / 40)
    assert found["hole_error"] == pytest.approx((0.25 + 0.01) / 2) and found["hole_error_of_strangers"] == 4
    # variance of 0.5 and -0.1 is 0.18
    assert found["spread_over_posterior"] == pytest.approx(2 * 0.18 / 0.13)


@pytest.mark.parametrize("pixel_range", RANGES.values())
def test_every_mask_and_image_has_its_own_completions(pixel_range, context, monkeypatch):
    """Chains that the callback alone has moved: known pixels are the image's, as noisy as the last level, the hole is grey."""
    network = level_network(pixel_range)
    settings = resolve(PACKAGE, "inpainting", "smoke", ["completions=3", "step.steps=2"])
    truth = torch.linspace(-0.8, 0.8, 5).reshape(5, 1, 1, 1).expand(5, *SHAPE).contiguous()
    shapes = {"left": torch.arange(4).expand(SHAPE) < 2, "top": torch.arange(4)[:, None].expand(SHAPE) < 1}
    grey = (pixel_range[0] + pixel_range[1]) / 2

    def run(network, start, *, callback, steps, batch, **more):
        assert batch == len(start) == 2 * 5 * 3
        for number in range(steps * 3):
            x = callback(number, 0.0, torch.full(start.shape, grey))
        return Chains(rescaled(x, pixel_range), x[None], 6, 0.0)

    monkeypatch.setattr(inpainting, "run_chains", run)
    found = inpainting.completions(network, truth, shapes, settings, context)
    assert list(found) == ["left", "top"]
    for name, mask in shapes.items():
        error = found[name] - truth[:, None]
        assert found[name].shape == (5, 3, *SHAPE) and found[name][..., ~mask].abs().max() < 1e-6
        assert 0.01 < float(error[..., mask].std()) < 0.03 and error[..., mask].abs().max() < 0.1
        assert len(found[name][..., mask].unique()) > 50, "each completion has its own noise"


def test_known_pixels_are_judged_by_the_least_level(context, monkeypatch):
    seen = []
    monkeypatch.setattr(
        inpainting, "mask_rows", lambda completed, truth, strangers, mask, least, labels: seen.append((least, labels)) or []
    )
    settings = resolve(PACKAGE, "inpainting", "smoke")
    for pixel_range in RANGES.values():
        monkeypatch.setattr(inpainting, "trained", lambda *_, pixel_range=pixel_range: level_network(pixel_range))
        monkeypatch.setattr(inpainting, "completions", lambda network, truth, shapes, *_: dict.fromkeys(shapes, truth[:, None]))
        inpainting.run(settings, context)
    assert [least for least, _ in seen] == [pytest.approx(0.02)] * 6
    assert [labels["variant"] for _, labels in seen] == ["half", "centre", "random"] * 2 and seen[0][1]["n"] == 4
