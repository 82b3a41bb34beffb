"""The committed reference of the exact toy beside another computation of it."""

import pytest

from common.measure.figures import read_metrics
from common.measure.statistics import curve, per_seed
from common.runs.settings import ROOT

# evaluations of the slowest sample and R, each a mean over replicates, of another implementation of the toy
GGF = {
    "vp": {0.01: (382, 0.640), 0.02: (323, 0.623), 0.05: (204, 0.583), 0.1: (148, 0.541)},
    "ve": {0.01: (831, 0.706), 0.02: (529, 0.708), 0.05: (282, 0.705), 0.1: (177, 0.705)},
}
EULER = {
    "vp": {0.01: 1.07, 0.02: 1.16, 0.05: 1.55, 0.1: 2.04},
    "ve": {0.01: 0.710, 0.02: 0.711, 0.05: 0.713, 0.1: 0.715},
}
DDIM = {"vp": {0.01: 0.644, 0.02: 0.638, 0.05: 0.617, 0.1: 0.601}}
IN_FULL = {"vp": {"euler_maruyama_full": 0.805, "rk45": 0.690}, "ve": {"euler_maruyama_full": 0.707, "rk45": 0.707}}


@pytest.fixture(scope="module")
def reference():
    (file,) = (ROOT / "results" / "reference").glob("laptop-*/metrics.csv")
    found = read_metrics(file)
    found = found[(found["paper"] == "gotta_go_fast") & (found["experiment"] == "exact_toy")]
    if found.empty:
        pytest.skip("the reference has no rows of this toy yet")
    return found


@pytest.mark.parametrize("sde", ["vp", "ve"])
def test_the_reference_is_as_another_computation_of_the_toy(reference, sde):
    """Within 5 % of the evaluations and 0.02 of R.

    Euler-Maruyama's R beside the solver goes as the root of the steps that the solver took: a large one is within half of 5 %.
    The evaluations of RK45 on VP are left out: that computation controls its steps otherwise, and took others.
    """
    table = reference[reference["dataset"] == sde]
    steps = table[table["axis"] == "tolerance"]
    nfe = curve(steps, metric="nfe_max", method="ggf").mean()
    residuals = {
        method: curve(steps, metric="residual", method=method).mean()
        for method in ("ggf", "euler_maruyama", *(["ddim"] * (sde == "vp")))
    }
    for tolerance, (evaluations, residual) in GGF[sde].items():
        assert nfe[tolerance] == pytest.approx(evaluations, rel=0.05)
        assert residuals["ggf"][tolerance] == pytest.approx(residual, abs=0.02)
    for method, known in (("euler_maruyama", EULER[sde]), ("ddim", DDIM.get(sde, {}))):
        for tolerance, residual in known.items():
            assert residuals[method][tolerance] == pytest.approx(residual, abs=0.02, rel=0.025), (method, tolerance)
    for method, residual in IN_FULL[sde].items():
        where = {"axis": "", "metric": "residual", "method": method}
        assert per_seed(table, **where).mean() == pytest.approx(residual, abs=0.02), method
    spent = table.assign(value=table["nfe"])
    assert per_seed(spent, axis="", metric="residual", method="euler_maruyama_full").eq(1000).all()
    if sde == "ve":
        assert per_seed(spent, axis="", metric="residual", method="rk45").mean() == pytest.approx(122, rel=0.05)
