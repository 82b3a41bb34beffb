"""Ladders and step sizes of one network that is told no level, against its sampler written out."""

import numpy as np
import pandas as pd
import pytest
import torch
from ncsn_stand_ins import F64, RANGES
from ncsnv2_stand_ins import Recorder, by, write_shared, written_out
from scipy.stats import norm

from common.dynamics.answers import Answering
from common.dynamics.paths import level_times, ve
from common.errors import SettingsError
from common.runs.cli import main
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.ncsn.networks import Trained
from replications.ncsnv2.experiments import sampler_settings
from replications.ncsnv2.step_size import best_step_size

PACKAGE, D = "replications.ncsnv2", 48
# three levels of the network's own, four steps at each: twelve evaluations
SETTINGS = ["samples=14", "steps=4", "levels=[2, 5, 8, 50]", "sizes=[0.25, 1, 2.5, 40]", "batch=9"]
OWN = [2.0, 0.2, 0.02]  # of pixels in [-1, 1]
GREY = torch.tensor([-0.5, 0.0, 0.6]).reshape(3, 1, 1)


def noise_in(x):
    """What the network takes for noise, told no level: the way from its grey to x, over its root mean square."""
    away = x - GREY
    return away / away.square().mean((1, 2, 3), keepdim=True).sqrt()


def network(pixel_range, noise=noise_in):
    low, high = pixel_range
    path = ve(0.01 * (high - low), high - low)

    def told_nothing(x, t):
        return noise(2 * (x - low) / (high - low) - 1)

    return Trained(Answering(path, "noise", told_nothing, level_times(path, 3)), pixel_range)


@pytest.fixture
def context(tmp_path):
    return Context("ncsnv2", "sampler_settings", "smoke", 0, 99, tmp_path, tmp_path, torch.device("cpu"))


@pytest.fixture(params=RANGES.values(), ids=RANGES)
def pixel_range(request):
    return request.param


def run(context, monkeypatch, chosen):
    asked = []
    monkeypatch.setattr(sampler_settings, "trained", lambda context, *names: asked.append(names) or chosen)
    monkeypatch.setattr(
        sampler_settings, "yardstick", lambda data, context, samples, *, space: asked.append((data, samples, space)) or Recorder()
    )
    outcome = sampler_settings.run(resolve(PACKAGE, "sampler_settings", "smoke", SETTINGS), context)
    assert asked == [("digits", "ncsnv2", "shared"), ("digits", 14, "classifier")]
    assert all(row["dataset"] == "digits" and row["method"] == "ncsnv2" for row in outcome.rows[1:])
    assert (outcome.rows[0]["method"], outcome.rows[0]["value"], outcome.rows[0]["n"]) == ("data", 0.25, 5)
    return outcome


def images(rows, metric):
    return {row["at"]: (row["images"], row["nfe"]) for row in rows if row["metric"] == metric}


def expected(context, sigmas, steps, rho):
    """The samples after the last step, from the starts and the noise that all share."""
    start = torch.rand(14, 3, 4, 4, generator=context.generator("starts"))
    return written_out(start, context.generator("chains"), sigmas, steps, rho, lambda x, sigma: -noise_in(x) / sigma, 9)[1]


def test_ladders_share_ends_and_evaluations_and_have_each_its_own_step(context, monkeypatch, pixel_range):
    outcome = run(context, monkeypatch, network(pixel_range))
    found = images(outcome.rows, "frechet_of_levels")
    # twelve evaluations in as many whole steps as come nearest, but one at least
    budgets = {2: 6, 5: 2, 8: 2, 50: 1}
    assert list(found) == list(budgets)
    for levels, steps in budgets.items():
        ratio = 100 ** (1 / (levels - 1))
        sigmas = [2 / ratio**k for k in range(levels)]
        shown, nfe = found[levels]
        assert nfe == levels * steps + 1
        rho = best_step_size(ratio, steps, 0.01).rho
        torch.testing.assert_close(shown, expected(context, sigmas, steps, rho), rtol=1e-3, atol=2e-4)
        pictures = outcome.arrays[f"levels {levels}"]
        np.testing.assert_allclose(pictures, shown[:12], atol=1e-3)
        assert pictures.dtype == np.float16
    mass = by(outcome.rows, "shell_mass", "at")
    for levels in budgets:
        ratio = 100 ** (1 / (levels - 1))
        middle = (2 * D) ** 0.5 * (ratio - 1)
        assert mass[levels] == pytest.approx(norm.cdf(middle + 3 * ratio) - norm.cdf(middle - 3 * ratio), abs=1e-6)
    assert mass[2] == 0 and mass[50] > 0.9


def test_step_sizes_are_told_over_technique_4s_and_the_last_is_unstable(context, monkeypatch, pixel_range):
    outcome = run(context, monkeypatch, network(pixel_range))
    chosen = best_step_size(10.0, 4, 0.01).rho
    rhos = [0.25 * chosen, chosen, 2.5 * chosen, 40 * chosen, 2.05]
    found, relative = images(outcome.rows, "frechet_of_sizes"), by(outcome.rows, "relative_step", "variant", "at")
    places = [0.25, 1, 2.5, 40, round(2.05 / chosen, 4)]
    assert list(found) == places and list(relative.values()) == pytest.approx(rhos, rel=1e-6)
    assert rhos[2] < 2 < rhos[3] and [name for name, _ in relative] == ["stable"] * 3 + ["unstable"] * 2
    for place, rho in list(zip(places, rhos))[:3]:
        shown, nfe = found[place]
        torch.testing.assert_close(shown, expected(context, OWN, 4, rho), rtol=1e-3, atol=2e-4)
        assert nfe == 13
        np.testing.assert_allclose(outcome.arrays[f"size {place:g}"], shown[:12], atol=1e-3)
    assert set(outcome.arrays) == {f"levels {n}" for n in (2, 5, 8, 50)} | {f"size {place:g}" for place in places}
    values = by(outcome.rows, "frechet_of_sizes", "at")
    assert values == {place: pytest.approx(float(shown.double().mean())) for place, (shown, _) in found.items()}


def test_a_step_beyond_two_is_named_unstable_and_diverges(context, monkeypatch):
    """Of an image that is certain, |1 - rho| is how far a step leaves x: from 2 on, farther each time."""
    path = ve(0.02, 2.0)
    certain = Answering(path, "noise", lambda x, t: x / path.sigma(torch.tensor(t, dtype=F64)).to(x), level_times(path, 3))
    sure = Trained(certain, (-1.0, 1.0))
    monkeypatch.setattr(sampler_settings, "at_any_level", lambda network: network.model)
    monkeypatch.setattr(sampler_settings, "trained", lambda *names: sure)
    settings = resolve(PACKAGE, "sampler_settings", "smoke", [*SETTINGS, "steps=60", "unstable=2.6", "sizes=[0.5, 30]"])
    start = torch.rand(14, 3, 4, 4, generator=context.generator("starts"))
    rows, _ = sampler_settings.of_sizes(sure, start, Recorder(), settings, context)
    steps = by(rows, "relative_step", "at")
    shares = {row["at"]: (row["variant"], row["value"], row["n"]) for row in rows if row["metric"] == "diverged_share"}
    assert min(steps.values()) < 2 and list(steps.values())[-1] == pytest.approx(2.6)
    for place, rho in steps.items():
        assert shares[place] == (("unstable", 1.0, 14) if rho > 2 else ("stable", 0.0, 14))


@pytest.mark.parametrize("setting", ["levels=[1, 4]", "unstable=2", "sizes=[0, 1]"])
def test_settings_that_say_nothing_are_refused(setting):
    with pytest.raises(SettingsError, match=setting.split("=")[0]):
        resolve(PACKAGE, "sampler_settings", "smoke", [setting])


@pytest.mark.parametrize(("space", "needed"), [("inception", True), ("classifier", False)])
def test_inceptions_weights_are_asked_for_where_they_are_needed(space, needed, monkeypatch):
    asked = []
    monkeypatch.setattr(sampler_settings, "find_weights", asked.append)
    sampler_settings.check(resolve(PACKAGE, "sampler_settings", "smoke", [f"space={space}"]))
    assert bool(asked) == needed


def test_the_smoke_level_goes_through(tmp_path):
    write_shared(tmp_path, "ncsnv2")
    assert main(PACKAGE, ["sampler_settings", "--level", "smoke", "--results", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "smoke/ncsnv2/sampler_settings/digits/seed0/metrics.csv")
    assert table.value.notna().all() and set(table.method) == {"data", "ncsnv2"}
    assert list(table[table.metric == "frechet_of_levels"]["at"]) == [4, 21]
    assert list(table[table.metric == "frechet_of_levels"].nfe) == [41, 43]
    assert list(table[table.metric == "relative_step"].variant) == ["stable", "stable", "unstable"]
