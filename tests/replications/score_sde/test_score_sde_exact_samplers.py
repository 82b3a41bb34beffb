"""The samplers' comparison with exact scores: its arithmetic on samples whose distances are known, and one small run."""

import math

import pytest
import torch

from common.dynamics.paths import vp
from common.errors import SettingsError
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.score_sde.correctors import at_every, langevin
from replications.score_sde.experiments import exact_samplers
from replications.score_sde.facts import exact_sampling
from replications.score_sde.facts.exact_sampling import CorrectorSettings, drawn_case, drawn_data
from replications.score_sde.facts.toy_mixture import Toy, drawn_toy
from replications.score_sde.predictor_corrector import predictor_corrector, scales
from replications.score_sde.predictors import NONE, TABLE_1, identity

F64, PACKAGE = torch.float64, "replications.score_sde"
CORRECTOR = CorrectorSettings(snr=0.1, alone=0.2)


@pytest.fixture
def context(tmp_path):
    return Context("score_sde", "exact_samplers", "smoke", 0, 5, tmp_path, tmp_path, torch.device("cpu"))


@pytest.fixture(scope="module")
def settings():
    return resolve(PACKAGE, "exact_samplers", "smoke")


def toy(dim=4, seed=0):
    return drawn_toy(3, dim, generator=torch.Generator().manual_seed(seed))


def one_gaussian(std, dim=4):
    return Toy(torch.ones(1, dtype=F64), torch.zeros(1, dim, dtype=F64), torch.tensor([std], dtype=F64))


def test_distances_are_to_the_data_beside_their_floor(context):
    data = drawn_data(toy(), 500, 50, context)
    points = torch.from_numpy(data.points)
    assert data.distance(points) == pytest.approx(0, abs=1e-9)
    row = data.row("sampler_distance", points + 3.0, method="m")
    # a shift by s in d dimensions: s / sqrt(d) along a direction, 3 here; the directions are few
    assert row["value"] == pytest.approx(3, rel=0.2) and row["n"] == 500 and row["floor"] == data.floor
    assert 0.01 < data.floor < 0.3
    assert data.distance(points.flip(0)) == pytest.approx(0, abs=1e-9)
    coarse, fine = (drawn_data(one_gaussian(1.0), samples, 50, context).floor for samples in (250, 4000))
    assert fine < 0.5 * coarse  # about a quarter


def test_all_start_from_the_same_noise(context):
    on_ve, on_vp = (drawn_case(sde, toy(), 20, CORRECTOR, context) for sde in ("ve", "vp"))
    assert on_vp.start.dtype == torch.float32 and on_vp.start.shape == (20, 4)
    torch.testing.assert_close(on_ve.start, on_ve.model.path.prior_std * on_vp.start)
    assert on_vp.times(10).tolist()[-2:] == [1e-3, 1e-3] and on_ve.times(10).tolist()[-2:] == [1e-5, 1e-5]
    for case in (on_ve, on_vp):
        first, second = (case.samples("reverse_diffusion", 30).x for _ in range(2))
        assert torch.equal(first, second)


def test_the_corrector_alone_has_a_ratio_of_its_own(context, monkeypatch):
    asked = []
    monkeypatch.setattr(exact_sampling, "langevin", lambda snr, **more: asked.append((snr, more)) or langevin(snr, **more))
    case = drawn_case("vp", toy(), 10, CorrectorSettings(snr=0.1, alone=0.2, alpha="coded"), context)
    case.samples("ancestral", 30, 1)
    case.samples(NONE, 30, 2)
    case.samples(NONE, 30, 2, snr=0.3)
    assert asked == [(snr, {"alpha": "coded"}) for snr in (0.1, 0.2, 0.3)]


@pytest.mark.parametrize(("gap", "at"), [(1, [0, 1, 2, 3, 4]), (2, [0, 2, 4]), (3, [0, 3]), (5, [0])])
def test_a_corrector_at_every_so_many_scales(gap, at):
    path, seen = vp(), []

    def corrector(path, times):
        return lambda model, x, t, t_next, noise: (seen.append(t), (x + 1, x))[1]

    times = scales(path, 5, t_min=0.1)
    model = toy().on(path)
    found = predictor_corrector(identity, at_every(gap, corrector))(model, torch.zeros(2, 4), times)
    assert seen == [times[number].item() for number in at] and torch.equal(found.x, torch.full((2, 4), float(len(at))))


def test_every_share_costs_the_same(context, settings):
    case = drawn_case("ve", toy(), 20, CORRECTOR, context)
    data = drawn_data(toy(), 20, 5, context)
    rows = exact_samplers.share_rows(case, data, 48)
    assert {row["nfe"] for row in rows} == {48}
    for predictor in ("reverse_diffusion", "probability_flow"):
        assert [row["at"] for row in rows if row["method"] == predictor] == [0, 0.25, 0.5, 0.75]
    assert [(row["method"], row["at"]) for row in rows[-1:]] == [(NONE, 1.0)] and len(rows) == 2 * 4 + 1


def test_the_table_has_every_cell_at_its_cost(context):
    case, data = drawn_case("vp", toy(), 20, CORRECTOR, context), drawn_data(toy(), 20, 5, context)
    rows = [row for row in exact_samplers.table_rows(case, data, [25, 30]) if row["metric"] == "sampler_distance"]
    cells = {(row["variant"], row["method"], row["at"]): row["nfe"] for row in rows}
    assert len(cells) == len(rows) == 2 * (3 * 3 + 1)
    for count in (25, 30):
        for predictor in TABLE_1:
            assert cells["P", predictor, count] == count
            assert cells["P2", predictor, count] == cells["PC", predictor, count] == cells["C2", NONE, count] == 2 * count


def test_without_a_step_the_corrector_does_nothing(context, settings):
    """C2 is left out there, and the rows are those of the ratio that they name."""
    case, data = drawn_case("ve", toy(), 50, CORRECTOR, context), drawn_data(toy(), 50, 5, context)
    rows = exact_samplers.snr_rows(case, data, settings)
    by_cell = {(row["variant"], row["method"], row["at"]): row["value"] for row in rows}
    assert set(by_cell) == {("PC", "reverse_diffusion", snr) for snr in (0, 0.2)} | {("C2", NONE, 0.2)}
    assert by_cell["C2", NONE, 0.2] == pytest.approx(data.distance(case.samples(NONE, 25, 2).x))  # 0.2 is its own
    corrected, plain = (case.samples("probability_flow", 25, steps, snr=0.0).x for steps in (1, 0))
    assert torch.equal(corrected, plain) and not torch.equal(case.samples("probability_flow", 25, 1).x, plain)


@pytest.mark.parametrize(("sde", "noise"), [("ve", 0.01), ("vp", math.sqrt((0.1 + 19.9e-3) / 40))])
def test_the_last_step_takes_the_least_noise_away(context, sde, noise):
    case, data = drawn_case(sde, one_gaussian(0.5), 2000, CORRECTOR, context), drawn_data(one_gaussian(0.5), 2000, 20, context)
    rows = exact_samplers.table_rows(case, data, [40])
    (change,) = [row["value"] for row in rows if row["metric"] == "denoising_change"]
    # 8000 squares of standard normals; sigma at t = 1e-5 is sigma_min up to 1e-4 of it
    assert change == pytest.approx(1, abs=4 * (0.5 / 8000) ** 0.5 + 1e-3)
    (noisy,) = [row for row in rows if row["metric"] == "undenoised_distance"]
    assert noisy["method"] == "reverse_diffusion" and noisy["at"] == 40
    kept = []
    clean = case.samples("reverse_diffusion", 40, callback=lambda step, t, x: kept.append(x)).x
    assert float((kept[-1] - clean).std()) == pytest.approx(noise, rel=0.05)
    assert noisy["value"] == pytest.approx(data.distance(kept[-1]))


def test_the_solvers_rows(context):
    case, data = drawn_case("vp", one_gaussian(0.5), 400, CORRECTOR, context), drawn_data(one_gaussian(0.5), 400, 20, context)
    rows = exact_samplers.tolerance_rows(case, data, [1e-1, 1e-4])
    nfe = {row["at"]: row["value"] for row in rows if row["metric"] == "ode_nfe"}
    distance = {row["at"]: row["value"] for row in rows if row["metric"] == "ode_distance"}
    assert nfe[1e-4] > nfe[1e-1] > 7 and distance[1e-4] < 2 * data.floor
    assert all(row["nfe"] == nfe[row["at"]] for row in rows if "at" in row)
    # Tweedie's step multiplies by alpha s^2 / (alpha^2 s^2 + sigma^2): at s = 1/2 and sigma = 1.05e-2 it takes 7/8 sigma / s away
    (change,) = [row["value"] for row in rows if row["metric"] == "denoising_change"]
    assert change == pytest.approx(7 / 8 * 0.01049 / 0.5, rel=0.06)


def test_a_run(context, settings):
    outcome = exact_samplers.run(settings, context)
    assert all(math.isfinite(row["value"]) for row in outcome.rows)
    assert {row["dataset"] for row in outcome.rows if row["metric"] == "share_distance"} == {"ve"}
    assert all(row["floor"] > 0 for row in outcome.rows if row["metric"].endswith("_distance"))
    worst = max((row for row in outcome.rows if row["metric"] == "sampler_distance"), key=lambda row: row["value"])
    assert (worst["dataset"], worst["method"], worst["variant"]) == ("vp", "probability_flow", "P")


def test_too_few_scales_are_refused_before_the_run():
    with pytest.raises(SettingsError, match="scales"):
        resolve(PACKAGE, "exact_samplers", "laptop", ["scales=[20, 50]"])
