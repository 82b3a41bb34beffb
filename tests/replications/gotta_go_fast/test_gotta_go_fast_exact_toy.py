"""The toy's experiment: what is counted and how, which samplers share evaluations, what a row says."""

import math

import numpy as np
import pytest
import torch

from common.dynamics.samplers.loop import CountedModel
from common.dynamics.samplers.result import Samples
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.gotta_go_fast.ablations import ABLATIONS
from replications.gotta_go_fast.costs import cost_rows, published_nfe
from replications.gotta_go_fast.experiments import exact_toy
from replications.gotta_go_fast.experiments.exact_toy import drawn_case

F64, PACKAGE = torch.float64, "replications.gotta_go_fast"


@pytest.fixture
def context(tmp_path):
    return Context("gotta_go_fast", "exact_toy", "smoke", 0, 5, tmp_path, tmp_path, torch.device("cpu"))


@pytest.fixture(scope="module")
def settings():
    return resolve(PACKAGE, "exact_toy", "smoke")


def by(rows, metric, *labels):
    found = [row for row in rows if row["metric"] == metric]
    keys = [row.get(labels[0]) if len(labels) == 1 else tuple(row.get(label) for label in labels) for row in found]
    assert len(set(keys)) == len(keys), f"{metric} twice"
    return dict(zip(keys, found))


def test_costs_by_hand():
    """Ten, four and six trials, of which three, none and one were rejected; each sample is denoised by one more."""
    found = Samples(torch.zeros(3, 2), torch.tensor([21, 9, 13]), torch.tensor([3, 0, 1]))
    assert published_nfe(found) == 20
    rows = {row["metric"]: row for row in cost_rows(found, nfe=20, method="m")}
    assert rows["nfe_max"]["value"] == 20 and rows["nfe_mean"]["value"] == pytest.approx(40 / 3)
    assert rows["rejected_share"]["value"] == pytest.approx(4 / 20)
    assert {(row["n"], row["nfe"], row["method"]) for row in rows.values()} == {(3, 20, "m")}


def test_rows_beside_the_exact_residual(context):
    case = drawn_case("vp", 50, context, dim=64)
    residual, error = case.rows(case.toy.centres + 0.02, method="m")
    assert (residual["metric"], residual["value"]) == ("residual", pytest.approx(2)) and residual["dataset"] == "vp"
    assert error["value"] == pytest.approx(2 - case.toy.exact) and error["n"] == len(case.toy.centres)
    below = case.rows(case.toy.centres, method="m")[1]
    assert below["value"] == pytest.approx(case.toy.exact), "too little noise is an error too"
    # a mean of 3200 squares deviates by sqrt(2 / 3200) of itself, its root by half of that; the mean of |z| is sqrt(2 / pi)
    assert error["floor"] == case.floor == pytest.approx(0.8 * case.toy.exact / 6400**0.5, rel=0.7)


@pytest.mark.parametrize(("sde", "first_step", "atol"), [("vp", 0.01, 2 / 256), ("ve", 0.5, 1 / 256)])
def test_the_solver_is_given_the_published_settings(sde, first_step, atol, context, monkeypatch):
    given = []

    def recorded(*tolerances, **options):
        given.append((*tolerances, options))
        return lambda model, x, times, **_: Samples(x, torch.full((len(x),), 8), torch.zeros(len(x), dtype=torch.int64))

    monkeypatch.setattr(exact_toy, "adaptive_sde", recorded)
    case = drawn_case(sde, 4, context, dim=8)
    found = case.solved(0.05, power=0.5)
    assert given == [(0.05, atol, {"first_step": first_step, "power": 0.5})]
    # the denoising step is taken and counted
    starts = case.toy.starts(4, context.generator("starts"))
    torch.testing.assert_close(found.x, case.toy.model.denoised(starts, case.toy.eps))
    assert found.nfe.tolist() == [9] * 4 and published_nfe(found) == 8


def test_rivals_have_as_many_evaluations_as_the_slowest_sample(context, settings, monkeypatch):
    made = {}
    for name in ("euler_maruyama", "ddim"):
        make = getattr(exact_toy, name)
        monkeypatch.setattr(exact_toy, name, lambda nfe, name=name, make=make: made.setdefault((name, nfe), make(nfe)))
    case = drawn_case("vp", 20, context, dim=32)
    rows, counts = exact_toy.tolerance_rows(case, settings)
    errors, nfe = by(rows, "residual_error", "method", "at"), by(rows, "nfe_max", "at")
    assert counts.shape == (2, 20) and counts.max(1).tolist() == [nfe[0.1]["value"], nfe[0.5]["value"]]
    assert set(errors) == {("data", None), ("euler_maruyama_full", None), ("rk45", None)} | {
        (method, tolerance) for method in ("ggf", "euler_maruyama", "ddim") for tolerance in (0.1, 0.5)
    }
    for tolerance in (0.1, 0.5):
        assert {errors[method, tolerance]["nfe"] for method in ("ggf", "euler_maruyama", "ddim")} == {nfe[tolerance]["value"]}
        assert by(rows, "nfe_mean", "at")[tolerance]["value"] == pytest.approx(counts[[0.1, 0.5].index(tolerance)].mean())
    assert set(made) == {(name, nfe[at]["value"]) for name in ("euler_maruyama", "ddim") for at in (0.1, 0.5)} | {
        ("euler_maruyama", 100)
    }
    assert errors["data", None]["value"] < 4 * case.floor and errors["rk45", None]["value"] < 4 * case.floor
    assert errors["euler_maruyama", 0.1]["value"] > errors["ggf", 0.1]["value"] > 4 * case.floor
    assert not any(row["method"] == "ddim" for row in exact_toy.rival_rows(drawn_case("ve", 5, context, dim=8), 10))


def test_all_samplers_start_and_draw_alike(context):
    case, seen = drawn_case("ve", 5, context, dim=8), []

    def sampler(model, x, times, *, generator):
        seen.append((x, times.tolist(), torch.randn(3, generator=generator)))
        return Samples(x, torch.ones(5, dtype=torch.int64), torch.zeros(5, dtype=torch.int64))

    case.drawn(sampler), case.drawn(sampler)
    (x, times, draws), (again, _, draws_again) = seen
    assert torch.equal(x, again) and torch.equal(draws, draws_again) and times == [1.0, 1e-5]
    assert float(x.std()) == pytest.approx(50, rel=0.4)
    wider = drawn_case("ve", 5, context, dim=8, sigma_max=380.0)
    torch.testing.assert_close(wider.toy.starts(5, context.generator("starts")), x * 7.6)
    torch.testing.assert_close(wider.toy.centres, case.toy.centres)


def test_every_variant_is_a_method(context, settings):
    case = drawn_case("vp", 5, context, dim=32)
    chosen = settings.model_copy(update={"ablations": list(ABLATIONS)})
    rows = exact_toy.ablation_rows(case, chosen)
    nfe = {name: row["value"] for name, row in by(rows, "nfe_max", "method").items()}
    assert list(nfe) == list(ABLATIONS) and {row["axis"] for row in rows} == {"ablation"} and {row["at"] for row in rows} == {0.1}
    assert nfe["max_norm"] > 1.3 * nfe["default"] > 1.3 * nfe["lamba"]
    assert nfe["default"] == published_nfe(case.solved(0.1))


def test_off_the_shelf_or_why_not(context):
    case = drawn_case("vp", 5, context, dim=16)
    rows = exact_toy.shelf_rows(case, {"srk": [0.5, 0.2]}, 5000)
    errors = by(rows, "residual_error", "method", "at")
    assert errors["torchsde_srk", 0.2]["nfe"] > errors["torchsde_srk", 0.5]["nfe"] > 20
    counted = CountedModel(case.toy.model)
    exact_toy.shelf_rows(case._replace(toy=case.toy._replace(model=counted)), {"srk": [0.5]}, 5000)
    assert errors["torchsde_srk", 0.5]["nfe"] == counted.calls, "the denoising one is among them"
    (refused,) = exact_toy.shelf_rows(case, {"srk": [1e-3]}, 50)
    assert refused["status"] == "refused" and "50 evaluations" in refused["message"] and refused["at"] == 1e-3


def test_a_run(context, settings):
    outcome = exact_toy.run(settings, context)
    rows = outcome.rows
    assert all(math.isfinite(row["value"]) for row in rows)
    assert all(row["floor"] > 0 for row in rows if row["metric"] == "residual_error")
    rejected = by([row for row in rows if row.get("axis") == "dimension"], "rejected_share", "dataset", "at")
    assert set(rejected) == {(sde, dim) for sde in ("vp", "ve") for dim in (8, 32)}
    widths = [row for row in rows if row.get("axis") == "sigma_max"]
    errors = by(widths, "residual_error", "method", "at", "variant")
    assert set(errors) == {("euler_maruyama_full", at, None) for at in (50, 380)} | {
        (method, at, "tolerance 0.1") for method in ("ggf", "euler_maruyama") for at in (50, 380)
    }
    nfe = by(widths, "nfe_max", "at")
    assert nfe[380]["value"] > nfe[50]["value"]
    assert {row["dataset"] for row in rows if row["method"] == "torchsde_srk"} == {"vp"}
    assert outcome.arrays["vp_nfe"].shape == (2, 20) and not np.array_equal(outcome.arrays["vp_nfe"], outcome.arrays["ve_nfe"])
    assert outcome.arrays["tolerances"].tolist() == [0.1, 0.5]


def test_a_run_of_the_large_levels_at_a_small_size(context):
    small = [
        "samples=5",
        "dim=16",
        "few=4",
        "full=50",
        "tolerances=[0.5]",
        "dimensions=[4]",
        "shelf_evaluations=40",
        "sigma_maxes=[50]",
    ]
    loose = [f"{name}_tolerance=0.5" for name in ("ablation", "dimension")] + ["sigma_tolerances=[0.5]"]
    chosen = resolve(PACKAGE, "exact_toy", "gpu", [*small, *loose])
    large = resolve(PACKAGE, "exact_toy", "paper")
    assert large == resolve(PACKAGE, "exact_toy", "gpu") and large.samples == 2000 and large.ablations == list(ABLATIONS)
    rows = exact_toy.run(chosen, context).rows
    assert set(by([row for row in rows if row.get("axis") == "ablation"], "nfe_max", "dataset", "method")) == {
        (sde, name) for sde in ("vp", "ve") for name in ABLATIONS
    }
    shelf = [row for row in rows if row["method"].startswith("torchsde") and row["metric"] == "residual_error"]
    assert {(row["dataset"], row["method"]) for row in shelf} == {
        (sde, f"torchsde_{method}") for sde in ("vp", "ve") for method in chosen.shelf
    }
    assert all(math.isfinite(row["value"]) or row["status"] == "refused" for row in shelf)
