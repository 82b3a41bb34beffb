"""Each statistic of the published networks: every one reads its own model, sampler and tolerance."""

import math

import pytest
from judged import judged

from common.measure.statistics import MissingRows
from common.runs.settings import resolve
from replications.gotta_go_fast import claims, claims_published

JUDGED = judged(claims)
value, inside = JUDGED.value, JUDGED.inside
SETTINGS = {
    data: resolve("replications.gotta_go_fast", "published", "paper", [f"data={data}"]) for data in ("cifar10", "lsun_church256")
}
FULL = ("euler_maruyama_full", "reverse_diffusion_langevin", "rk45")
VP, DEEP_VP, VE, DEEP_VE = SETTINGS["cifar10"].models
(CHURCH,) = SETTINGS["lsun_church256"].models
FID, COST = "feature_frechet", "nfe_max"


def row(data, model, metric, number, method="ggf", at=math.nan, axis=None):
    axis = ("" if math.isnan(at) else "tolerance") if axis is None else axis
    return {"experiment": "published", "dataset": data, "variant": model, "metric": metric, "method": method, "axis": axis} | {
        "at": at, "value": number, "floor": 1.0 if metric == FID else math.nan
    }  # fmt: skip


def run():
    """Every row of FID or a cost, each with a value of its own, and those of an ablation."""
    cells = []
    for data, settings in SETTINGS.items():
        for model in settings.models:
            cells += [(data, model, FID, method, math.nan) for method in FULL]
            cells += [(data, model, metric, "ggf", at) for at in settings.tolerances for metric in (FID, COST, "nfe_mean")]
            cells += [(data, model, FID, "euler_maruyama", at) for at in settings.tolerances]
    rows = [row(data, model, metric, 1000.0 + place, *where) for place, (data, model, metric, *where) in enumerate(cells)]
    rows += [each | {"axis": "ablation", "value": 1.0} for each in rows if each["at"] == 0.01]
    return rows


def known(*cells):
    """Return the rows of a run with these numbers in place, by data, model, metric, method and tolerance (nan: in full)."""
    rows = run()
    for *labels, number in cells:
        expected = row(*labels[:3], number, *labels[3:])
        places = [place for place, each in enumerate(rows) if str(each | {"value": number}) == str(expected)]
        assert len(places) == 1, labels
        rows[places[0]] = expected
    return rows


READ = {
    "vp_fid_001": (VP, FID, "ggf", 0.01),
    "vp_fid_002": (VP, FID, "ggf", 0.02),
    "vp_fid_005": (VP, FID, "ggf", 0.05),
    "vp_fid_01": (VP, FID, "ggf", 0.1),
    "ve_fid_001": (VE, FID, "ggf", 0.01),
    "ve_fid_002": (VE, FID, "ggf", 0.02),
    "ve_fid_005": (VE, FID, "ggf", 0.05),
    "ve_fid_01": (VE, FID, "ggf", 0.1),
    "deep_vp_fid_005": (DEEP_VP, FID, "ggf", 0.05),
    "deep_ve_fid_002": (DEEP_VE, FID, "ggf", 0.02),
    "vp_fid_em": (VP, FID, "euler_maruyama_full", math.nan),
    "ve_fid_em": (VE, FID, "euler_maruyama_full", math.nan),
    "vp_fid_pc": (VP, FID, "reverse_diffusion_langevin", math.nan),
    "ve_fid_pc": (VE, FID, "reverse_diffusion_langevin", math.nan),
    "vp_fid_rk45": (VP, FID, "rk45", math.nan),
    "ve_fid_rk45": (VE, FID, "rk45", math.nan),
    "vp_evaluations_001": (VP, COST, "ggf", 0.01),
    "ve_evaluations_001": (VE, COST, "ggf", 0.01),
}


def test_every_statistic_is_here():
    others = {"deep_over_shallow_evaluations", "church_fid_001", "church_over_em"}
    assert set(READ) | others == {claim.statistic for claim in JUDGED.paper.claims} & set(vars(claims_published))


@pytest.mark.parametrize("statistic", READ)
def test_published_numbers_are_read_from_their_own_rows(statistic):
    (claim,) = [claim for claim in JUDGED.paper.claims if claim.statistic == statistic]
    number, (low, high) = float(claim.reported.value), claim.range
    assert value(statistic, *known(("cifar10", *READ[statistic], number))) == number
    assert inside(statistic, number) and not inside(statistic, 1.01 * high) and not inside(statistic, 0.99 * low)


@pytest.mark.parametrize("statistic", [*READ, "deep_over_shallow_evaluations", "church_fid_001", "church_over_em"])
def test_rows_that_are_missing_are_said_to_be(statistic):
    table = JUDGED.table(*run())
    for column in ("experiment", "dataset", "variant", "metric"):
        with pytest.raises(MissingRows):
            getattr(claims, statistic)(table.assign(**{column: "another"}))


@pytest.mark.parametrize(
    "far", [(DEEP_VP, 0.02, 125.0, 1.25), (DEEP_VE, 0.1, 70.0, 0.7), (VE, 0.01, 80.0, 1.25), (VP, 0.05, 200.0, 0.5)]
)
def test_the_depth_that_matters_most(far):
    model, at, cost, found = far
    costs = {(each, tolerance): 100.0 for each in (VP, DEEP_VP, VE, DEEP_VE) for tolerance in (0.01, 0.02, 0.05, 0.1)}
    rows = known(
        *(("cifar10", each, COST, "ggf", tolerance, number) for (each, tolerance), number in {**costs, (model, at): cost}.items())
    )
    assert value("deep_over_shallow_evaluations", *rows) == found
    assert inside("deep_over_shallow_evaluations", 1.03) and not inside("deep_over_shallow_evaluations", 1.25)
    assert not inside("deep_over_shallow_evaluations", 0.8)


def test_churches():
    church = ("lsun_church256", CHURCH, FID)
    assert value("church_fid_001", *known((*church, "ggf", 0.01, 25.67))) == 25.67
    assert inside("church_fid_001", 25.67) and not inside("church_fid_001", 29) and not inside("church_fid_001", 22)
    rows = known((*church, "ggf", 0.05, 30.0), (*church, "euler_maruyama_full", math.nan, 40.0))
    assert value("church_over_em", *rows) == 0.75
    assert claims.church_over_em(JUDGED.table(*rows))["excess"].tolist() == [39.0] * 2
    assert inside("church_over_em", 0.75) and not inside("church_over_em", 4 / 3)
