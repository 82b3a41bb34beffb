"""The table's arithmetic on stand-ins whose answers are known, and smoke runs of both experiments."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from common.dynamics.paths import STANDARD_NORMAL
from common.errors import DataError, SettingsError
from common.learning.training.settings import TrainSettings
from common.measure.figures import RunFolder
from common.runs.cli import main
from common.runs.experiment import Context
from common.runs.settings import Settings, resolve
from replications.ffjord.experiments import dimension, tables
from replications.ffjord.table_models import Table, best_steps, nll_of_rows, scaled, trained_flow

F64, PACKAGE = torch.float64, "replications.ffjord"


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


class Shift(nn.Module):
    """N(mean, I) with a learned mean."""

    def __init__(self, dim):
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(dim, dtype=F64))

    def log_density(self, x):
        return STANDARD_NORMAL.prior_log_density(x - self.mean)


def test_the_scale_is_paid_for():
    train = 3 + 0.1 * normal(400, 5)
    table = scaled(train, train[:30], 3 + 0.1 * normal(50, 5, seed=1))
    assert float(table.train.mean()) == pytest.approx(0, abs=1e-9) and float(table.train.std()) == pytest.approx(1)
    nll = nll_of_rows(STANDARD_NORMAL.prior_log_density, table.test, table.log_det, chunk=7)
    density = torch.distributions.Normal(train.mean(), train.std())
    torch.testing.assert_close(nll, -density.log_prob(3 + 0.1 * normal(50, 5, seed=1)).sum(1))


def test_the_best_state_is_of_least_loss_and_the_earlier_one_of_the_first_two_thirds():
    assert best_steps([1, 2, 3, 4, 5, 6], [5, 4, 4, 6, 3, 3]) == (5, 2)
    assert best_steps([10, 20, 30], [2, 3, 4]) == (10, 10)
    assert best_steps([10, 20, 30], [4, 3, 2]) == (30, 20)


def test_training_takes_the_state_that_validation_likes(tmp_path):
    context = Context("ffjord", "tables", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu"))
    # training rows pull the mean to 2, validation rows lie at 0.5: the best state is on the way
    table = Table(torch.full((40, 1), 2.0, dtype=F64), torch.full((9, 1), 0.5, dtype=F64), torch.zeros(1, 1, dtype=F64), 0.0)
    train = TrainSettings(steps=30, batch=8, learning_rate=0.1, ema_decay=0, snapshots=30)
    chosen = trained_flow(
        "shift", Shift(1), lambda model, x, generator: model.log_density(x), table, train, context, of=Settings(), chunk=4
    )
    assert chosen.best.mean.item() == pytest.approx(0.5, abs=0.11) and 3 <= chosen.best_step <= 8
    assert torch.equal(chosen.best.mean, chosen.earlier.mean) and chosen.best is not chosen.earlier
    assert min(chosen.losses) == chosen.losses[chosen.best_step - 1] < chosen.losses[-1] - 0.5


def test_differences_are_paired():
    of_ffjord, step = 10 * normal(50), torch.tensor([0.5, 1.5], dtype=F64).repeat(25)
    found = tables.paired_row(of_ffjord + step, of_ffjord, {})
    assert found["value"] == pytest.approx(1) and found["error"] == pytest.approx(0.5 / math.sqrt(49))
    assert tables.nll_row("nll", of_ffjord, {})["error"] > 10 * found["error"]


def test_estimates_are_told_from_the_exact_trace_and_their_scatter_is_that_of_a_mean(tmp_path, monkeypatch):
    context = Context("ffjord", "tables", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu"))
    settings = resolve(PACKAGE, "tables", "smoke", ["probes=400"])
    exact = 5 + normal(100)

    def noisy(flow, trace, settings, table, generator):
        return exact + 0.3 + 2 * torch.randn(100, generator=generator, dtype=F64)

    monkeypatch.setattr(tables, "tested", noisy)
    bias, variance = tables.estimate_rows(SimpleNamespace(), exact, settings, None, context, {})
    assert bias["value"] == pytest.approx(0.3, abs=4 * bias["error"]) and bias["error"] == pytest.approx(0.01, rel=0.2)
    assert variance["value"] == pytest.approx(2**2 / 100, rel=0.3)


def test_what_cannot_run_is_refused_at_once():
    with pytest.raises(DataError, match="no table"):
        tables.check(resolve(PACKAGE, "tables", "smoke").model_copy(update={"data": "patches9"}))
    with pytest.raises(SettingsError, match=r"glow\.snapshots"):
        tables.check(resolve(PACKAGE, "tables", "smoke", ["train.glow.snapshots=2"]))


def test_the_mixture_has_the_density_it_says():
    settings = resolve(PACKAGE, "dimension", "smoke")
    grid = torch.linspace(-6, 6, 4001, dtype=F64)[:, None]
    density = dimension.mixture_log_density(settings, grid).exp()
    assert float(density.sum() * 12 / 4000) == pytest.approx(1, abs=1e-9)
    second = settings.mode**2 + settings.spread**2
    assert float((density * grid[:, 0].square()).sum() * 12 / 4000) == pytest.approx(second)
    points = dimension.mixture(settings, 20000, 3, torch.Generator().manual_seed(0))
    torch.testing.assert_close(points.T.cov(), second * torch.eye(3), atol=0.06, rtol=0)
    torch.testing.assert_close(
        dimension.mixture_log_density(settings, points[:5]),
        sum(dimension.mixture_log_density(settings, points[:5, k : k + 1]) for k in range(3)),
    )


@pytest.fixture(scope="module")
def metrics(tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    assert main(PACKAGE, ["tables", "dimension", "--level", "smoke", "--results", str(results)]) == 0
    return {file.parts[-4]: RunFolder.open(file.parent).metrics for file in results.rglob("metrics.csv")}


def test_every_method_has_its_rows(metrics):
    found = metrics["tables"]
    methods = {"ffjord", "real_nvp", "glow", "maf", "gaussian"}
    assert set(found.method[found.metric == "nll"]) == methods
    assert set(found.method[found.metric == "nll_minus_ffjord"]) == methods - {"ffjord"}
    nll = found[found.metric == "nll"].set_index("method").value
    differences = found[found.metric == "nll_minus_ffjord"].set_index("method").value
    for method in methods - {"ffjord"}:
        assert differences[method] == pytest.approx(nll[method] - nll["ffjord"])
    assert found[found.metric == "nfe_forward"].value.ge(8).all() and found[found.metric == "nfe_backward"].value.ge(6).all()


def test_every_dimension_is_counted_before_and_after(metrics):
    found = metrics["dimension"]
    counted = found[found.metric == "nfe_forward"].pivot(index="at", columns="variant", values="value")
    assert list(counted.index) == [2, 4] and counted.ge(8).all(axis=None)
    excess = found[found.metric == "kl_per_column"].pivot(index="at", columns="variant", values="value")
    assert (excess["trained"] < excess["untrained"]).all()
