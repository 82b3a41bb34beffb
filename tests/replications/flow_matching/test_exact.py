"""What needs no network: the board in closed form, conditional paths, the theorems, published numbers."""

import json
import math

import pytest
import torch

from common.dynamics.oracles import EmpiricalDistribution
from common.dynamics.paths import PATHS, optimal_transport, vp
from common.learning.data.densities import checkerboard
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.flow_matching import path_geometry
from replications.flow_matching.board import histogram_distance, marginal_off_board, row_to_row, share_off_board
from replications.flow_matching.experiments import during_training, exact_paths, published_numbers, theorems

F64 = torch.float64
PACKAGE = "replications.flow_matching"


@pytest.fixture
def context(tmp_path):
    return Context("flow_matching", "exact_paths", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu"))


def test_share_off_the_board():
    points = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-3.0, 1.0], [-3.0, 3.0], [5.0, 1.0], [3.0, 3.0]])
    assert share_off_board(points) == 0.5
    assert share_off_board(checkerboard(500, generator=torch.Generator().manual_seed(0))) == 0
    assert share_off_board(checkerboard(500, generator=torch.Generator().manual_seed(0)) + torch.tensor([2.0, 0.0])) == 1


def test_a_histogram_sees_what_crowds_inside_the_cells():
    data = checkerboard(20_000, generator=torch.Generator().manual_seed(0))
    assert 0 < histogram_distance(data) < 0.05
    assert histogram_distance(data + torch.tensor([2.0, 0.0])) == pytest.approx(1)
    # a quarter of every cell holds all: three quarters of the mass are in the wrong squares
    crowded = 2 * torch.floor(data / 2) + 0.5 * (data - 2 * torch.floor(data / 2))
    assert share_off_board(crowded) == 0 and histogram_distance(crowded) == pytest.approx(0.75, abs=0.02)
    assert histogram_distance(torch.full((4, 2), 99.0)) == 1


@pytest.mark.parametrize("name", ["ot", "vp"])
@pytest.mark.parametrize("fraction", [0.5, 0.75])
def test_the_marginals_mass_off_the_board_is_that_of_many_samples(name, fraction):
    path, t = PATHS[name](), torch.tensor(1 - fraction, dtype=F64)
    x0 = checkerboard(40_000, generator=torch.Generator().manual_seed(1)).double()
    x = path.perturb(x0, t, torch.randn(x0.shape, generator=torch.Generator().manual_seed(2), dtype=F64))
    # the standard error of a share of 40 000 samples is 0.0025
    assert marginal_off_board(path, float(t)) == pytest.approx(share_off_board(x / path.alpha(t)), abs=0.01)


def test_without_noise_every_row_stays_itself():
    torch.testing.assert_close(row_to_row(1e-6), torch.eye(4, dtype=F64), atol=1e-5, rtol=0)
    assert (row_to_row(1.0).sum(1) < 1).all(), "some leave the board"


def test_paths_that_pass_their_end_turn_back():
    """With x_0 = c eps a diffusion path is at (alpha c + sigma) eps, at most sqrt(1 + c^2) > c of it; OT's way is straight."""
    noise = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    assert path_geometry.overshoot_share(vp(), 2 * noise, noise) == 1
    assert path_geometry.overshoot_share(optimal_transport(), 2 * noise, noise) == 0
    # from the other side of the origin it comes the whole way, and no further
    assert path_geometry.overshoot_share(vp(), -2 * noise, noise) == 0
    mixed = torch.cat([2 * noise, -2 * noise])
    assert path_geometry.overshoot_share(vp(), mixed, torch.cat([noise, noise])) == 0.5


def test_directions_of_conditional_fields():
    noise, x0 = torch.randn(2, 40, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    assert path_geometry.direction_cosine(optimal_transport(), x0, noise) == pytest.approx(1, abs=1e-9)
    assert path_geometry.direction_cosine(vp(), x0, noise) < 0.9


def test_exact_paths_are_measured_on_the_same_pairs(context):
    outcome = exact_paths.run(resolve(PACKAGE, "exact_paths", "smoke"), context)
    value = {(row["method"], row["metric"], row.get("at")): row["value"] for row in outcome.rows}
    assert value["fm_ot", "overshoot_share", None] == 0 < 0.05 < value["fm_vp", "overshoot_share", None]
    assert value["fm_ot", "direction_cosine", None] == pytest.approx(1, abs=1e-6)
    assert value["fm_ot", "straightness", None] < value["fm_vp", "straightness", None]
    assert value["fm_ot", "marginal_off_board", 0.5] == pytest.approx(marginal_off_board(optimal_transport(), 0.5))
    assert value["fm_vp", "marginal_off_board", 0.75] == pytest.approx(marginal_off_board(vp(), 0.25))
    assert value["fm_ot", "solver_mse", 20] < value["fm_ot", "solver_mse", 4]
    arrays = outcome.arrays
    # both start at the same noise, up to the diffusion path's rest of the data
    assert abs(arrays["conditional_fm_ot"][0] - arrays["conditional_fm_vp"][0]).max() < 0.1
    assert len(arrays["paper_time"]) == len(arrays["off_board_fm_ot"]) and arrays["off_board_fm_vp"][-1] < 0.05


def test_theorems_hold_and_wrong_fields_do_not(context, monkeypatch):
    settings = resolve(PACKAGE, "theorems", "smoke")
    right = {(row["method"], row["metric"]): row["value"] for row in theorems.run(settings, context).rows}
    assert len(right) == 6 and max(right.values()) < 1e-11
    honest = theorems.conditional_field
    for wrong in (lambda *a: -honest(*a), lambda *a: 1.01 * honest(*a), lambda path, x, x0, t: honest(path, x, 0.99 * x0, t)):
        monkeypatch.setattr(theorems, "conditional_field", wrong)
        found = {(row["method"], row["metric"]): row["value"] for row in theorems.run(settings, context).rows}
        assert min(found.values()) > 1e-4


def test_the_marginal_field_of_the_theorem_is_the_oracles():
    data = torch.randn(5, 2, generator=torch.Generator().manual_seed(1), dtype=F64)
    x, t = torch.randn(4, 2, generator=torch.Generator().manual_seed(2), dtype=F64), torch.tensor(0.4, dtype=F64)
    for name in ("ot", "vp"):
        path = PATHS[name]()
        ours = torch.stack([theorems.marginal_field(path, data, state, t) for state in x])
        torch.testing.assert_close(ours, EmpiricalDistribution(path, data).velocity(x, t), rtol=1e-8, atol=1e-9)


def test_published_numbers_are_the_papers(context):
    rows = published_numbers.run(resolve(PACKAGE, "published_numbers", "smoke"), context).rows
    images = {row["method"]: row["value"] for row in rows if row["metric"] == "training_images"}
    assert images == {"fm_ot": 500_000 * 1536, "guided_diffusion": 4_360_000 * 256}
    gaps = [row["value"] for row in rows if row["metric"] == "table_gap"]
    assert len(gaps) == 15 and max(gaps) == 0.02 and sorted(gaps)[-2] == 0.01 and math.isclose(sum(gaps), 0.03)


@pytest.mark.parametrize(
    ("schedule", "kept"),
    [
        ({"schedule": "constant"}, [25, 50, 75, 100]),
        ({"schedule": "linear", "decay_start": 0.8}, [25, 50, 75]),
        ({"schedule": "linear"}, [25, 50, 75, 100]),
    ],
)
def test_states_of_training_are_those_at_a_constant_rate(tmp_path, schedule, kept):
    train = {"steps": 100, "batch": 1, "learning_rate": 0.1, "snapshots": 4, **schedule}
    (tmp_path / "run.json").write_text(json.dumps({"settings": {"train": train}}))
    assert during_training.kept_steps(tmp_path) == kept
