"""Which arm of the ablation is asked what, and what is said of it, on networks that are sure of one image each."""

import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from ncsn_stand_ins import RANGES, generator, level_network
from ncsnv2_stand_ins import Recorder, by, write_shared, written_out

from common.errors import RetraceError, SettingsError
from common.learning.data.scale import rescaled
from common.learning.training.settings import TrainSettings
from common.measure.metrics.coverage import coverage
from common.runs.cli import main
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.ncsnv2.experiments import ablation
from replications.ncsnv2.sampling import Sampled
from replications.ncsnv2.step_size import best_step_size

PACKAGE = "replications.ncsnv2"
# the training of each arm, and whether its weights are raw
ARMS = {
    "ncsn": ("ncsn", True),
    "ncsn_5": ("ncsn", False),
    "ncsn_124": ("ncsnv2_index", True),
    "ncsn_1245": ("ncsnv2_index", False),
    "ncsn_1234": ("ncsnv2", True),
    "ncsnv2": ("ncsnv2", False),
}
FILES = re.compile(r"snapshots/(\d+)(-raw)?\.safetensors")
TRAIN = [torch.full((3, 4, 4), value) for value in (-0.5, 0.5)]
# features of test images, around what the full method is sure of, and of training images, of which three are far away
REFERENCE = 3 + 4 * torch.randn(9, 48, generator=generator()).double().numpy()
TRAINING = REFERENCE + np.array([0] * 6 + [1000, -1000, 2000]).reshape(9, 1)
SIGMAS = {3: [2.0, 0.2, 0.02], 5: [2 * 10 ** (-k / 2) for k in range(5)]}  # of pixels in [-1, 1]


def image_of(objective, step, raw):
    """What a network is sure of: each its own grey, its three colours 0.05 apart."""
    grey = {"ncsn": -0.6, "ncsnv2_index": -0.2, "ncsnv2": 0.2}[objective] + 0.2 * raw + step / 10_000
    return (grey + 0.05 * torch.arange(3.0)).reshape(3, 1, 1)


def mean_of(method, step):
    """The mean of all its pixels."""
    return float(image_of(ARMS[method][0], step, ARMS[method][1]).mean())


def sure(objective, file, pixel_range):
    """A network of NCSN's three levels, or of five, with the score of its own image; the file says how far it was trained."""
    step, raw = FILES.fullmatch(file).groups()
    image = rescaled(image_of(objective, int(step), bool(raw)), (-1.0, 1.0), pixel_range)
    low, high = pixel_range

    def score(x, t):
        return (image - x) / (0.01 * (high - low) * 100**t) ** 2

    return level_network(pixel_range, levels=3 if objective == "ncsn" else 5, score=score)


@pytest.fixture
def context(tmp_path):
    return Context("ncsnv2", "ablation", "smoke", 0, 99, tmp_path, tmp_path, torch.device("cpu"))


@pytest.fixture
def asked(request, monkeypatch):
    """Stand-ins for all that a run takes; what it asked of them. Networks see pixels in [-1, 1], or in the test's range."""
    pixel_range = getattr(request, "param", (-1.0, 1.0))
    asked = SimpleNamespace(networks=[], yardstick=[])

    def trained(context, data, objective, network, file):
        asked.networks.append((data, objective, network, file))
        return sure(objective, file, pixel_range)

    monkeypatch.setattr(ablation, "trained", trained)
    monkeypatch.setattr(ablation, "folder_of", lambda context, data, objective, network: (data, objective, network))
    monkeypatch.setattr(ablation, "schedule_of", lambda folder: TrainSettings(steps=1000, batch=1, learning_rate=1, snapshots=10))
    monkeypatch.setattr(
        ablation,
        "yardstick",
        lambda *given, **more: (
            asked.yardstick.append((given[0], given[2], more)) or Recorder(reference=REFERENCE, training=TRAINING)
        ),
    )
    monkeypatch.setattr(ablation, "training_images", lambda data, context: torch.stack(TRAIN))
    return asked


SETTINGS = ["samples=9", "steps=2", "ncsn={steps: 4, rho: 0.125}", "states=[0.3, 0.62]"]


def run(context, *more):
    outcome = ablation.run(resolve(PACKAGE, "ablation", "smoke", [*SETTINGS, *more]), context)
    assert {row["dataset"] for row in outcome.rows} == {"digits"}
    return outcome


def test_every_number_is_of_its_arms_own_network_at_its_own_state(context, asked):
    outcome = run(context)
    rows = outcome.rows
    found = by(rows, "frechet_of_state", "method", "at")
    steps = {0.3: 300, 0.62: 600, 1.0: 1000}
    expected = {(name, share): mean_of(name, step) for name in ARMS for share, step in steps.items()}
    assert found == pytest.approx(expected, abs=1e-4) and list(found) == list(expected)
    colours = by([row for row in rows if row["method"] != "data"], "mean_colour", "method", "at", "variant")
    for (name, share, channel), value in colours.items():
        assert value == pytest.approx((mean_of(name, steps[share]) + 0.05 * (int(channel[-1]) - 1) + 1) / 2, abs=1e-4)
    assert len(colours) == 6 * 3 * 3
    own = by([row for row in rows if row["method"] == "data"], "mean_colour", "variant")
    assert own == pytest.approx({"channel 0": 3.5 / 17, "channel 1": 8.5 / 17, "channel 2": 12.5 / 17})
    assert set(by(rows, "diverged_share", "method", "at").values()) == {0}
    ends = by([row for row in rows if row.get("variant") == "denoised"], "feature_frechet", "method")
    assert ends == pytest.approx({name: mean_of(name, 1000) for name in ARMS}, abs=1e-4)
    assert {entry[::2] for entry in asked.networks} == {("digits", "shared")}
    assert asked.yardstick == [("digits", 9, {"space": "classifier"})]
    floor = next(row for row in rows if row["metric"] == "feature_frechet" and row["method"] == "data")
    assert floor["value"] == 0.25 and floor["n"] == 9
    for name in ARMS:
        for share, step in steps.items():
            shown = outcome.arrays[f"{name} at {share:g}"]
            assert shown.shape == (9, 3, 4, 4) and shown.dtype == np.float16
            assert shown.astype(float).mean() == pytest.approx(mean_of(name, step), abs=1e-3)


@pytest.mark.parametrize("asked", RANGES.values(), indirect=True, ids=RANGES)
def test_arms_share_starts_and_noise_and_have_each_their_own_sampler(context, asked):
    """NCSN's as it is set; on the data's ladder technique 4's step for neighbours that are sqrt(10) apart."""
    rows = run(context).rows
    start = torch.rand(9, 3, 4, 4, generator=context.generator("starts"))
    samplers = {3: (4, 0.125), 5: (2, best_step_size(10**0.5, 2, 0.01).rho)}
    changes = by(rows, "denoising_change", "method")
    precision, recall = (by(rows, metric, "method", "variant") for metric in ("precision", "recall"))
    assert len(set(precision.values())) > 1 and len(set(recall.values())) > 1
    # six training images are where six test images are, and the far ones have all of these within reach
    assert (precision["data", "train split"], recall["data", "train split"]) == (6 / 9, 1)
    again = {row["again"] for row in rows if row.get("again")}
    assert len(again) == 1, "the bootstrap draws alike for all"
    for name, (objective, raw) in ARMS.items():
        levels = 3 if objective == "ncsn" else 5
        steps, rho = samplers[levels]
        image = image_of(objective, 1000, raw)
        noise = context.generator("chains")
        expected = written_out(start, noise, SIGMAS[levels], steps, rho, lambda x, sigma, image=image: (image - x) / sigma**2)
        ends = {row["variant"]: row for row in rows if row["metric"] == "feature_frechet" and row["method"] == name}
        for variant, images in zip(("not denoised", "denoised"), expected, strict=True):
            torch.testing.assert_close(ends[variant]["images"], images, rtol=1e-4, atol=1e-4)
            assert ends[variant]["nfe"] == levels * steps + (variant == "denoised")
            among = coverage(REFERENCE, 10 * images.flatten(1).double().numpy())
            assert (precision[name, variant], recall[name, variant]) == (among.precision, among.recall)
        # in units of the least level, 0.01 of the range
        change = float((expected[1] - expected[0]).square().mean().sqrt()) / 0.02
        assert changes[name] == pytest.approx(change, rel=1e-3) and change > 1
        last = next(row for row in rows if row["metric"] == "frechet_of_state" and (row["method"], row["at"]) == (name, 1))
        assert last["images"] is ends["denoised"]["images"] and last["nfe"] == levels * steps + 1


def test_copies_are_looked_for_among_the_samples_of_the_full_method(context, asked):
    outcome = run(context)
    grey = image_of("ncsnv2", 1000, False).expand(3, 4, 4)
    away = float((grey - 0.5).norm())
    for metric, unit in (("nearest_in_pixels", 1), ("nearest_in_features", 10)):
        found = by(outcome.rows, metric, "method", "variant")
        assert found["ncsnv2", "denoised"] == pytest.approx(unit * away, rel=1e-3)
        # the yardstick's test images: three greys, nearest to -0.5 as a whole
        held = 2 * (torch.tensor([3, 8, 12.0]) + 0.5) / 17 - 1
        nearest = min(float((held - value).square().sum()) for value in (-0.5, 0.5))
        assert found["data", "test split"] == pytest.approx(unit * math.sqrt(16 * nearest), rel=1e-5)
        assert len(found) == 2
    np.testing.assert_allclose(outcome.arrays["copied"], grey.expand(9, 3, 4, 4), atol=1e-3)
    assert (outcome.arrays["nearest_pixels"] == 0.5).all() and (outcome.arrays["nearest_features"] == 0.5).all()


def test_scores_of_the_end_are_of_whole_numbers_of_256(context, asked, monkeypatch):
    """The Inception score reads pixels and FID images, of as many chains as are scored; with and without the last step."""
    seen = []
    monkeypatch.setattr(ablation, "class_probabilities", lambda pixels, device: seen.append(pixels) or pixels)
    monkeypatch.setattr(ablation, "inception_score", lambda pixels: SimpleNamespace(mean=float(pixels[:, 0].mean()), std=0.12))
    monkeypatch.setattr(ablation, "fid_to", lambda split, device: lambda images: images.double().mean())
    rows = run(context, "scored=5").rows
    fid, score = (by(rows, metric, "method", "variant") for metric in ("fid", "inception_score"))
    assert len(fid) == len(score) == 12 and {pixels.dtype for pixels in seen} == {np.dtype(np.uint8)}
    for name, (objective, raw) in ARMS.items():
        red = float(image_of(objective, 1000, raw)[0])
        assert fid[name, "denoised"] == pytest.approx(mean_of(name, 1000), abs=1e-4)
        assert score[name, "denoised"] == pytest.approx(math.floor((red + 1) * 128 + 1e-4), abs=0.5)
        assert abs(fid[name, "not denoised"] - fid[name, "denoised"]) > 1e-3
    scored = [row for row in rows if row["metric"] in ("fid", "inception_score")]
    assert {row["n"] for row in scored} == {5} and {row["error"] for row in scored if row["metric"] == "inception_score"} == {
        0.12
    }
    assert {row["nfe"] for row in scored} == {12, 13, 10, 11}


def test_chains_that_diverge_are_a_share_of_the_state():
    nothing = torch.zeros(4, 3, 2, 2)
    rows = ablation.state_rows(Sampled(nothing, nothing, 10, 0.25), Recorder(), {"method": "m"})
    assert by(rows, "diverged_share", "method") == {"m": 0.25} and rows[0]["nfe"] == 11


def test_a_training_that_kept_no_states_is_refused(context, monkeypatch, tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"settings": {"train": {"steps": 9, "batch": 1, "learning_rate": 1}}}))
    monkeypatch.setattr(ablation, "folder_of", lambda *names: tmp_path)
    with pytest.raises(RetraceError, match="kept no states"):
        ablation.state_of(ablation.ARMS["ncsn"], 0.5, resolve(PACKAGE, "ablation", "smoke"), context)


@pytest.mark.parametrize("setting", ["samples=6", "states=[0, 0.5]", "states=[0.5, 1.5]", "states=[0.5]"])
def test_settings_that_say_nothing_are_refused(setting):
    with pytest.raises(SettingsError, match=setting.split("=")[0]):
        resolve(PACKAGE, "ablation", "smoke", [setting])


@pytest.mark.parametrize(("setting", "needed"), [("scored=10", True), ("space=inception", True), ("steps=3", False)])
def test_inceptions_weights_are_asked_for_where_they_are_needed(setting, needed, monkeypatch):
    asked = []
    monkeypatch.setattr(ablation, "find_weights", asked.append)
    ablation.check(resolve(PACKAGE, "ablation", "smoke", [setting]))
    assert bool(asked) == needed


def test_the_smoke_level_goes_through(tmp_path):
    write_shared(tmp_path, "ncsn", "ncsnv2_index", "ncsnv2")
    words = ["ablation", "--level", "smoke", "--results", str(tmp_path)]
    assert main(PACKAGE, words) == 0
    table = pd.read_csv(tmp_path / "smoke/ncsnv2/ablation/digits/seed0/metrics.csv")
    assert set(table.method) == {"data", *ARMS} and table.value.notna().all()
    measured = table.groupby("metric").size().to_dict()
    # two states and the end of six arms; the floor and either end of each arm
    assert measured["frechet_of_state"] == measured["diverged_share"] == 18 and measured["feature_frechet"] == 13
    assert (
        measured["precision"] == measured["recall"] == 13 and measured["mean_colour"] == 19 and measured["denoising_change"] == 6
    )
    assert set(table[table.metric == "feature_frechet"].nfe.dropna()) == {40, 41, 42, 43}
