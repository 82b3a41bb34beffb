"""The arithmetic of the two-dimensional densities' comparison, on models whose answers are known."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from common.learning.data.densities import DENSITIES
from common.learning.training.settings import TrainSettings
from common.runs.cli import main
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.ffjord.experiments import densities_2d
from replications.ffjord.flow_measurements import evaluation_rows, inversion_rows, rms, sample_paths
from replications.ffjord.free_form_flow import FlowSettings
from replications.ffjord.solving.solve import SolverSettings

F64, PACKAGE = torch.float64, "replications.ffjord"


@pytest.fixture
def context(tmp_path):
    return Context("ffjord", "densities_2d", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu"))


def values(rows, metric):
    return [row["value"] for row in rows if row["metric"] == metric]


def moving():
    """Return a flow that shifts every point by (0.5, -0.25) on its way to the base."""
    flow = FlowSettings(hidden=(3,), layer="concat", end_time=1.0, nonlinearity="tanh").build(2, seed=0).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.zero_()
        flow.fields[0].layers[-1].linear.bias.copy_(torch.tensor([0.5, -0.25]))
    return flow


def test_gaps_are_three_standard_deviations_from_every_mode():
    mode, std = 4 / 1.414, 0.5 / 1.414
    x = torch.tensor([[mode + 2.98 * std, 0.0], [mode + 3.02 * std, 0.0], [0.0, mode + 2.98 * std], [0.0, 0.0]])
    assert densities_2d.in_gaps("eight_gaussians", x).tolist() == [False, True, False, True]
    # of one Gaussian exp(-9/2) lies outside; its neighbours take a little of that
    drawn = DENSITIES["eight_gaussians"](40000, generator=torch.Generator().manual_seed(0))
    share = float(densities_2d.in_gaps("eight_gaussians", drawn).double().mean())
    assert 0.7 * math.exp(-4.5) < share < 1.1 * math.exp(-4.5)


def test_gaps_of_the_board_are_its_other_cells():
    x = torch.tensor([[-3.0, -3.0], [-3.0, -1.0], [5.0, 5.0], [1.0, 1.0]])
    assert densities_2d.in_gaps("checkerboard", x).tolist() == [False, True, True, False]


def test_a_share_has_the_error_of_a_proportion():
    found = densities_2d.gap_row(torch.tensor([True] * 20 + [False] * 80), 0.01, {"dataset": "checkerboard", "method": "glow"})
    assert found["value"] == pytest.approx(0.2) and found["error"] == pytest.approx(0.04) and found["floor"] == 0.01


def test_the_nll_and_its_error():
    x = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    model = densities_2d.Model(lambda x: -x[:, 0], None, None, lambda x: -2 * x[:, 0], 7.0)
    rows = densities_2d.likelihood_rows(model, x, {"dataset": "checkerboard", "method": "glow"})
    assert (
        values(rows, "nll") == [2.0] and values(rows, "nll_at_two_thirds") == [4.0] and values(rows, "training_seconds") == [7.0]
    )
    assert rows[0]["error"] == pytest.approx(1.0) and rows[0]["floor"] == math.log(32)


def test_two_thirds_of_a_training():
    how = TrainSettings(steps=90, batch=1, learning_rate=1, snapshots=6)
    assert how.snapshot_near(2 / 3) == 60


def test_what_a_flow_was_earlier_leaves_it_as_it_is(context, monkeypatch):
    """The two weights are told apart, and the later one stands afterwards."""
    settings = resolve(PACKAGE, "densities_2d", "smoke", [])
    monkeypatch.setattr(nn.Linear, "log_density", lambda self, x: self(x)[:, 0], raising=False)

    def no_training(context, flow, loss, how, *, name, **_):
        (context.out / "snapshots").mkdir()
        save_file({"weight": torch.full((1, 2), 3.0), "bias": torch.zeros(1)}, context.out / f"snapshots/{name}-4.safetensors")
        return type("Done", (), {"model": flow, "seconds": 1.0})

    monkeypatch.setattr(densities_2d, "train_run", no_training)
    flow = nn.Linear(2, 1)
    with torch.no_grad():
        flow.weight.fill_(1.0), flow.bias.zero_()
        model = densities_2d.trained("glow", flow, {}, {}, settings.train, settings, context)
        x = torch.ones(4, 2)
        assert model.earlier(x).tolist() == [6.0] * 4
        assert model.log_density(x).tolist() == [2.0] * 4


def test_evaluations_are_counted_for_every_stage():
    x = torch.randn(5, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    rows = evaluation_rows({0: moving(), 9: moving()}, x, SolverSettings(method="rk4", steps=3), {"method": "ffjord"})
    assert [row["at"] for row in rows] == [0, 0, 9, 9]
    # four stages of each step, there and back, and the slope at the start
    assert values(rows, "nfe_forward") == [13, 13] and values(rows, "nfe_backward") == [12, 12]


def test_inversion_follows_the_tolerance():
    flow = FlowSettings(hidden=(16,), nonlinearity="tanh", end_time=1.0).build(2, seed=3)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.mul_(3)
    x, z = torch.randn(2, 50, 2, generator=torch.Generator().manual_seed(1))
    rows = inversion_rows(flow, x, z, [1e-2, 1e-8], {"method": "ffjord"})
    for metric in ("round_trip_error", "log_density_gap"):
        loose, tight = values(rows, metric)
        assert 0 < tight < 1e-6 < loose < 0.3
    assert next(flow.parameters()).dtype == torch.float32  # the flow itself stays as it was


def test_the_length_of_differences():
    assert float(rms(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))) == pytest.approx(12.5**0.5)


def test_paths_run_from_base_to_data():
    z = torch.randn(6, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    paths = sample_paths(moving(), z, points=3)
    # the data are where the base points come from
    shift = np.array([0.5, -0.25])
    for k in range(3):
        np.testing.assert_allclose(paths[k], z.numpy() - k / 2 * shift, atol=3e-3)


def test_a_smoke_run(tmp_path):
    call = ["densities_2d", "--level", "smoke", "--seed", "0", "--base-seed", "99", "--results", str(tmp_path)]
    assert main(PACKAGE, call) == 0
    folder = tmp_path / "smoke/ffjord/densities_2d/eight_gaussians/seed0"
    table = pd.read_csv(folder / "metrics.csv")
    models = {"gaussian", "real_nvp", "glow", "ffjord", "ffjord_decay"}
    for metric in ("nll", "gap_share", "mass"):
        assert set(table[table.metric == metric].method) == models
    assert np.isfinite(table.value).all()
    coupled = table[(table.metric == "round_trip_error") & table.method.isin(["real_nvp", "glow"])]
    assert len(coupled) == 2 and (coupled.value < 1e-4).all()
    with np.load(folder / "arrays.npz") as arrays:
        assert {f"density_{name}" for name in models} <= set(arrays)
        assert arrays["trajectory_ffjord"].shape == (6, 50, 2)
