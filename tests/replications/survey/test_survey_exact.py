"""Samplers alone: errors fall to their floor, orders as theory says, and the ways from noise to data."""

import math

import numpy as np
import pytest
import torch

from common.dynamics.oracles import gaussian
from common.dynamics.paths import PATHS, vp
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.survey.experiments import exact
from replications.survey.samplers import SAMPLERS
from replications.survey.trajectories import ways

F64, PACKAGE = torch.float64, "replications.survey"


def context(tmp_path, level="smoke"):
    return Context("survey", "exact", level, 0, 99, tmp_path, tmp_path, torch.device("cpu"))


def by(rows, metric, *labels):
    found = [row for row in rows if row["metric"] == metric]
    keys = [tuple(row.get(label) for label in labels) for row in found]
    assert len(set(keys)) == len(keys), f"{metric} twice"
    return dict(zip(keys, found))


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    more = ["samples=100", "budgets.nfe=[5, 20, 80]", "paths=[vp, ve, ot]", "frequencies=100"]
    return exact.run(resolve(PACKAGE, "exact", "smoke", more), context(tmp_path_factory.mktemp("exact")))


def test_errors_fall_and_cells_are_complete(outcome):
    cells = by(outcome.rows, "mmd", "variant", "method", "at")
    refused = {key for key, row in cells.items() if row.get("status") == "refused"}
    for name in SAMPLERS:
        for path in ("vp", "ve", "ot"):
            along = [cells[path, name, at] for at in (5, 20, 80)] if (path, name, 5) in cells else []
            measured = [row["value"] for row in along if row.get("status") != "refused"]
            assert measured == sorted(measured, reverse=True) or measured[-1] < 2 * along[-1]["floor"], (path, name, measured)
    few = {("vp", name, at) for name in ("reverse_diffusion", "predictor_corrector") for at in (5, 20)}
    assert {key for key in refused if key[0] != "velocity_only"} == few, "DDPM's discretisation of few steps"
    assert {key[1] for key in cells} - {key[1] for key in refused if key[0] == "velocity_only"} == {
        "data",
        "euler",
        "heun",
        "rk45",
    }
    assert cells[None, "data", None]["value"] < 2 * cells[None, "data", None]["floor"]
    # a flow without a path is sampled like that of the path
    assert cells["velocity_only", "heun", 20]["value"] == cells["ot", "heun", 20]["value"]


def test_solvers_of_the_flow_converge_to_it(outcome):
    errors = {key: row["value"] for key, row in by(outcome.rows, "flow_error", "variant", "method", "at").items()}
    flows = {name for name, kind in SAMPLERS.items() if not kind.noisy}
    assert {key[1] for key in errors} == flows and {key[0] for key in errors} == {"vp", "ve", "ot"}
    for path, solver in (("vp", "ddim"), ("vp", "euler"), ("ve", "ddim"), ("ot", "ddim"), ("ot", "euler")):
        assert math.log(errors[path, solver, 20] / errors[path, solver, 80], 4) == pytest.approx(1, abs=0.35), (path, solver)
    for path, solver in (("vp", "dpm_solver_pp_2m"), ("ve", "dpm_solver_pp_2m"), ("ot", "heun"), ("vp", "heun")):
        assert errors[path, solver, 80] < 0.2 * errors[path, solver, 20] < errors[path, "ddim", 20], (path, solver)


def test_ends_of_the_flow_of_a_gaussian():
    """It scales: the prior's width becomes the denoised data's."""
    path, std = vp(), 0.3
    noise = torch.randn(4, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    t = torch.tensor([1.0, 1e-3], dtype=F64)
    start, end = ((path.alpha(t) * std).square() + path.sigma(t).square()).sqrt().tolist()
    expected = float(path.alpha(t[1])) * std**2 / end**2 * end / start * noise
    torch.testing.assert_close(
        exact.flow_ends(gaussian(path, torch.zeros(2, dtype=F64), std), noise), expected, rtol=1e-6, atol=0
    )


def test_paths():
    settings = resolve(PACKAGE, "exact", "smoke")
    assert exact.path_of("ve", settings).prior_std == 50 and exact.path_of("ot", settings).name == "ot"


@pytest.mark.parametrize("name", ["vp", "ve", "ot"])
def test_ways_from_noise_to_data(name):
    path = PATHS[name]()
    model = gaussian(path, torch.tensor([0.4, 0.0], dtype=F64), 0.2)
    start = path.prior_sample((400, 2), generator=torch.Generator().manual_seed(0))
    times, found = ways(model, start, 11, 20, generator=torch.Generator().manual_seed(1))
    assert len(times) == 11 and float(times[0]) == path.t_max and float(times[-1]) == pytest.approx({"ve": 1e-5}.get(name, 1e-3))
    for how, states in found.items():
        assert states.shape == (11, 400, 2) and torch.equal(states[0].double(), start), how
        torch.testing.assert_close(states[-1].mean(0).double(), model.means[0] * path.alpha(times[-1]), atol=0.05, rtol=0)
        assert float(states[-1].std(0).mean()) == pytest.approx(0.2, abs=0.03)
    correlation = {how: float(np.corrcoef(states[-1, :, 0], start[:, 0])[0, 1]) for how, states in found.items()}
    assert correlation["ode"] == pytest.approx(1, abs=1e-3) and abs(correlation["sde"]) < 0.3


@pytest.mark.parametrize("level", ["laptop", "gpu"])  # paper has gpu's
def test_a_run_of_every_level(level, tmp_path, monkeypatch):
    monkeypatch.setattr(exact, "REFERENCE", 1e-3)
    settings = resolve(PACKAGE, "exact", level, ["samples=20", "frequencies=8", "drawn={starts: 3, points: 3}"])
    few = {"samplers": ["ddim", "ancestral", "rk45"], "nfe": [5], "more": {}, "tolerances": {"rk45": [0.1]}}
    few = settings.model_copy(update={"budgets": settings.budgets.model_copy(update=few)})
    assert set(settings.budgets.samplers) == set(SAMPLERS)
    outcome = exact.run(few, context(tmp_path, level))
    sets = {row["dataset"] for row in outcome.rows}
    assert sets == ({"mixture_2d"} if level == "laptop" else {"mixture_2d", "mixture_16d"})
    assert {row.get("variant") for row in outcome.rows} == {None, *settings.paths, "velocity_only"}
    assert outcome.arrays["ode_vp"].shape == outcome.arrays["sde_vp"].shape == (3, 3, 2)
    assert np.isfinite(outcome.arrays["sde_ot"].astype(float)).all() and len(outcome.arrays["times_ve"]) == 3
