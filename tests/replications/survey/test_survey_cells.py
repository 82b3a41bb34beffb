"""Cells: which there are, that they share starts and noise, what they cost, and what becomes of those that cannot run."""

import math

import pytest
import torch

from common.dynamics.answers import VelocityFlow
from common.dynamics.oracles import gaussian
from common.dynamics.paths import STANDARD_NORMAL, ve, vp
from common.errors import SettingsError
from common.runs.settings import validated
from replications.survey.cells import Budgets, cells
from replications.survey.samplers import planned

F64 = torch.float64
MEAN = torch.tensor([0.3, -0.2], dtype=F64)


def budgets(**more):
    settings = {"nfe": [5, 10], "tolerances": {"ggf": [0.5]}, "choices": {"snr": {"vp": 0.1, "ve": 0.1}}}
    return validated(Budgets, {**settings, **more}, where="here")


def found(model, chosen, batch=100, n=6):
    noise = torch.randn(n, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    return noise, list(cells(model, noise, chosen, batch=batch, draws=lambda: torch.Generator().manual_seed(1)))


def test_which_cells_there_are():
    chosen = budgets(samplers=["ddim", "ggf", "rk45", "annealed_langevin"], more={"annealed_langevin": [40]})
    assert [(each["method"], each["axis"], each["at"]) for each in chosen.asked()] == [
        *(("ddim", "nfe", at) for at in (5, 10)),
        ("ggf", "tolerance", 0.5),
        *(("annealed_langevin", "nfe", at) for at in (5, 10, 40)),
    ]
    with pytest.raises(SettingsError, match="samplers"):
        budgets(samplers=["plms"])


@pytest.mark.parametrize("path", [vp(), ve(0.01, 15.0)], ids=["vp", "ve"])
def test_a_cell_is_its_plan_from_the_priors_starts(path):
    model, chosen = gaussian(path, MEAN, 0.3), budgets(samplers=["ddim", "euler_maruyama", "ggf"])
    noise, all_cells = found(model, chosen)
    for cell in all_cells:
        plan = planned(cell.labels["method"], model, cell.labels["at"], chosen.choices)
        alone = plan.samples(model, path.prior_std * noise, generator=torch.Generator().manual_seed(1))
        assert torch.equal(cell.samples, alone.x)
        assert cell.labels["nfe"] == pytest.approx(float(alone.nfe.double().mean())) and cell.labels["n"] == 6
        assert cell.labels["seconds"] > 0
    assert [cell.labels["nfe"] for cell in all_cells[:4]] == [5, 10, 5, 10] and all_cells[4].labels["nfe"] > 10


def test_batches_go_on_with_the_noise():
    model, chosen = gaussian(vp(), MEAN, 0.3), budgets(samplers=["ddim", "euler_maruyama"], nfe=[10])
    whole, split = found(model, chosen)[1], found(model, chosen, batch=4)[1]
    torch.testing.assert_close(whole[0].samples, split[0].samples)
    assert split[1].samples.shape == (6, 2) and not torch.allclose(whole[1].samples[:4], split[1].samples[:4])


def test_what_cannot_run_says_why():
    flow = VelocityFlow(STANDARD_NORMAL, gaussian(vp(), MEAN, 0.3).velocity)
    _, (runs, refuses) = found(flow, budgets(samplers=["euler", "ddim"], nfe=[10]))
    assert runs.samples is not None and refuses.samples is None
    row = refuses.refusal("mmd", variant="v")
    assert (row["status"], row["method"], row["axis"], row["at"], row["variant"]) == ("refused", "ddim", "nfe", 10, "v")
    assert math.isnan(row["value"]) and row["message"] == "ddim asks for the data, but this model knows its velocity only"


def test_a_run_that_diverges_is_a_cell_too():
    model = gaussian(vp(), MEAN, 0.3)
    model.means = model.means * math.nan
    (cell,) = found(model, budgets(samplers=["ddim"], nfe=[5]))[1]
    assert cell.samples is None and "not finite" in cell.reason
