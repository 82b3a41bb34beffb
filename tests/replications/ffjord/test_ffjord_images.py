"""Flows on images, measured: a Gaussian's bits, probes, evaluations, memory that is kept, and a smoke run."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from common.errors import SettingsError
from common.measure.figures import RunFolder
from common.runs.cli import main
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.ffjord.experiments import images
from replications.ffjord.images.image_flows import ImageFlowSettings
from replications.ffjord.images.image_measures import Bits, bits_by_probe, gaussian_bits, step_work
from replications.ffjord.images.kept_memory import peak_kept_bytes
from replications.ffjord.solving.solve import SolverSettings

F64 = torch.float64
FLOW = ImageFlowSettings(shape=(1, 8, 8), widths=(3, 3), flows=1)
RK4 = SolverSettings(method="rk4", steps=2)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def standing_still():
    flow = FLOW.build(0).double()
    for parameter in flow.parameters():
        parameter.data.zero_()
    return flow


def test_gaussian_bits_are_those_of_scipy_after_the_logit():
    from scipy.special import logit
    from scipy.stats import multivariate_normal

    train, test = (torch.rand(n, 1, 2, 2, generator=generator(n), dtype=F64) for n in (50, 3))
    seen, y = (logit(part.flatten(1).numpy()) for part in (train, test))
    p = test.flatten(1).numpy()
    log_density = multivariate_normal(seen.mean(0), np.cov(seen.T, bias=True)).logpdf(y) - np.log(p * (1 - p)).sum(1)
    expected = -log_density / (4 * math.log(2)) + math.log2(17)
    np.testing.assert_allclose(gaussian_bits(train, test, 17, alpha=0.0), expected, rtol=1e-10)


def test_probes_are_rows_and_batches_change_nothing():
    """A flow that stands still: the same bits by every probe, in the order of the images, 9 evaluations for each of 3 flows."""
    x = torch.rand(5, 1, 8, 8, generator=generator(), dtype=F64)
    found = bits_by_probe(standing_still(), x, RK4, 17, probes=2, batch=3, generator=generator())
    y = torch.logit(x)
    log_density = (-0.5 * y.square() - 0.5 * math.log(2 * math.pi) - (x * (1 - x)).log()).flatten(1).sum(1)
    expected = (math.log2(17) - log_density / (64 * math.log(2))).numpy()
    np.testing.assert_allclose(found.values, [expected, expected], rtol=1e-4)
    assert found.nfe == 27


def test_a_steps_work_counts_both_ways_and_leaves_no_gradient():
    flow = FLOW.build(0)
    x = torch.rand(2, 1, 8, 8, generator=generator())
    flow.evaluations.forward = 5
    work = step_work(flow, x, RK4, 17, noise="gaussian", generator=generator())
    assert (work.forward, work.backward) == (27, 24), "1 + 4 per step forwards and 4 per step back, of 3 flows"
    assert all(parameter.grad is None for parameter in flow.parameters())


def test_kept_bytes_of_a_chain_are_counted_by_hand():
    """Two sines keep their arguments, and the product its factor; the parameters' own memory does not count."""
    owned = nn.Linear(10, 1, bias=False, dtype=F64)
    x = torch.ones(4, 10, dtype=F64)

    def loss():
        inner = x * owned.weight  # keeps x, 320 bytes; the weight is the model's
        return inner.sin().sin().sum()  # keep inner and sin(inner), 320 bytes each

    assert peak_kept_bytes(loss, owned) == 3 * 320


def test_kept_bytes_see_what_a_backward_pass_keeps():
    owned = nn.Linear(10, 1, bias=False, dtype=F64)

    class Late(torch.autograd.Function):
        @staticmethod
        def forward(ctx, w):
            return w.sum()

        @staticmethod
        def backward(ctx, g):
            for _ in range(3):  # one after another: the peak is that of one
                with torch.enable_grad():
                    late = torch.ones(100, dtype=F64, requires_grad=True).exp().sum()
                torch.autograd.backward(late)
            return g.expand(1, 10)

    assert peak_kept_bytes(lambda: Late.apply(owned.weight), owned) == 800


def test_memory_is_flat_in_the_steps_with_the_adjoint_alone():
    flow = FLOW.build(0)
    x = torch.rand(2, 1, 8, 8, generator=generator())

    def kept(backward, steps):
        solver = SolverSettings(method="rk4", steps=steps, backward=backward)
        return peak_kept_bytes(lambda: flow.log_density(x, solver, generator=generator()).sum(), flow)

    assert kept("adjoint", 1) == kept("adjoint", 8)
    one, two, four = (kept("direct", steps) for steps in (1, 2, 4))
    assert four - two == 2 * (two - one) > kept("adjoint", 1)


def test_sizes_of_the_papers_flows_beside_glows():
    rows = pd.DataFrame(images.size_rows("digits")).set_index(["metric", "variant", "method"]).value
    assert rows["paper_parameters", "mnist", "text"] == 425_596
    assert rows["share_of_glow", "cifar10", "text"] == pytest.approx(0.0187, abs=5e-5)
    assert rows["share_of_glow", "cifar10", "recipe"] == pytest.approx(0.0305, abs=5e-5)


def test_the_nearest_training_image_is_looked_for_from_each_sample():
    """Grey images of 2x2: levels 0.1, 0.3 and 0.4 are 0.2, 0.6 and 0.8 from black; white is far from all."""
    samples, train = (torch.tensor(levels)[:, None, None, None].expand(-1, 1, 2, 2) for levels in ([0.1, 0.3, 0.4], [0.0, 1.0]))
    row = images.nearest_row("multiscale", samples, train, resolve("replications.ffjord", "images", "smoke"))
    assert row["value"] == pytest.approx(0.6) and row["n"] == 3 and row["method"] == "multiscale"


def test_bits_of_probes_are_averaged_image_by_image(monkeypatch):
    """Two images by two probes: bits 1 and 3 of one vary by 2, those of the other by 0; the training's solver says 0.5 less."""
    by_solver = {1e-3: np.array([[1.0, 2.0], [3.0, 2.0]]), 1e-1: np.array([[0.5, 1.5]])}
    monkeypatch.setattr(images, "bits_by_probe", lambda flow, x, solver, **more: Bits(by_solver[solver.rtol], 9.0))
    tight, loose = (SolverSettings(rtol=tolerance, atol=tolerance) for tolerance in by_solver)
    settings = resolve("replications.ffjord", "images", "smoke")
    settings = settings.model_copy(update={"evaluation": tight, "solver": loose, "exact_images": 0})
    context = Context("ffjord", "images", "smoke", 0, 2, Path(), Path(), torch.device("cpu"))
    rows = list(images.likelihood_rows("multiscale", FLOW.build(0), torch.zeros(2, 1, 8, 8), 17, settings, context))
    found = {(row["metric"], row.get("variant", "")): row for row in rows}
    assert found["bits_per_dim", "test"]["value"] == 2 and found["bits_per_dim", "test"]["error"] == 0
    assert found["bits_per_dim", "training's solver"]["value"] == 1
    (variance,) = [row for row in rows if row["metric"] == "probe_variance"]
    assert variance["value"] == 1 and variance["n"] == 2
    (gap,) = [row for row in rows if row["metric"] == "own_solver_gap"]
    assert gap["value"] == -0.5


def test_flows_of_other_images_are_refused():
    settings = resolve("replications.ffjord", "images", "smoke")
    wrong = images.Model(flow=ImageFlowSettings(shape=(1, 4, 4), widths=(3,)))
    with pytest.raises(SettingsError, match=r"models\.odd\.flow\.shape"):
        images.check(settings.model_copy(update={"models": {"odd": wrong}}))


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    assert main("replications.ffjord", ["images", "--level", "smoke", "--results", str(results)]) == 0
    (file,) = results.rglob("metrics.csv")
    return RunFolder.open(file.parent)


def test_smoke_run_measures_both_flows(smoke):
    rows = smoke.metrics
    bits = rows[(rows.metric == "bits_per_dim") & (rows.variant == "test")].set_index("method").value
    assert bits["uniform"] == pytest.approx(math.log2(17))
    assert set(bits.index) == {"uniform", "gaussian", "multiscale", "single_scale"} and bits.notna().all()
    # mean evaluations of 3 flows at 9 + 8 each, by 3 steps
    total = rows[rows.metric == "nfe_total"].set_index("method").value
    assert total.to_dict() == {"multiscale": 3 * 51, "single_scale": 3 * 17}
    assert smoke.arrays["samples_multiscale"].shape == (4, 1, 8, 8)
