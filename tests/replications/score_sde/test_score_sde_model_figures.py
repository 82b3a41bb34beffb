"""Figures and tables of models of images and of their latents: what is drawn is what was saved, whatever models there are."""

from functools import partial

import ffjord_runs
import numpy as np
import pandas as pd
import pytest
from ffjord_runs import row

from common.measure.figures import Runs, style
from common.measure.image_lines import tiled
from replications.score_sde import figures, figures_identified, figures_latents
from replications.score_sde.images.latent_uses import MOMENTS
from replications.score_sde.names import name, shade

made_up = partial(ffjord_runs.made_up, paper="score_sde")
NOISE = np.random.default_rng(0)
BITS = {"score_vp": 3.2, "score_ve": 2.9, "ddpm_vp": 3.0}
# what a data set's runs have: models with likelihoods, models with latents, shape of the images
SETS = {"digits": (tuple(BITS), ("ddpm_vp", "score_ve"), (1, 8, 8)), "cifar10": (("score_vp",), ("score_ve",), (3, 16, 16))}
TOLERANCES, TEMPERATURES = (1e-5, 0.1), (0.6, 1.2)
FIGURES = ("bits", "least-time", "flow-samples", "fewer-evaluations", "solver-tolerance", "interpolation", "temperature",
           "latent-edits", "identified")  # fmt: skip
PICTURES = {"flow-samples", "fewer-evaluations", "interpolation", "temperature"}


def images(n, shape):
    return NOISE.uniform(-1, 1, (n, *shape)).astype(np.float16)


def samplers(model):
    return ("ODE", "SDE", "PC") if model.endswith("_ve") else ("ODE", "SDE")


def likelihood_rows(seed, models):
    rows = [row("feature_frechet", 0.5, method="data", variant="train split", floor=0.5)]
    rows += [row("feature_frechet", 20, method="noise", variant="clipped normal noise", floor=0.5)]
    rows += [row("nll", 4, method="uniform", variant="uniform density")]
    for model in models:
        where = {"method": model, "variant": "ODE", "nfe": 100 + seed, "axis": "eps", "at": 1e-5}
        # one image that the flow takes far out decides the mean
        rows += [
            row("nll", 99 if model == "score_ve" else BITS[model], **where),
            row("nll_median", BITS[model] + seed / 10, **where),
        ]
        rows += [row("nll_over_least_eps", 100 * at, method=model, axis="eps", at=at) for at in (1e-2, 1e-3)]
        for place, how in enumerate(samplers(model)):
            rows.append(row("feature_frechet", 6 - place, method=model, variant=how, nfe=100, floor=0.5))
        if model == "ddpm_vp":
            rows += [row("variational_bound", 3.1, method=model, variant="forward variance")]
    return rows


def likelihood_arrays(seed, models, shape):
    arrays = {f"samples_{model}_{how}": images(24, shape) for model in models for how in samplers(model)}
    return arrays | {f"bound_{model}": np.array([3.1, 3.3 + seed / 10, 50]) for model in models if model == "ddpm_vp"}


def latent_rows(seed, models):
    rows = [row("sample_variance", 0.26, method="data", variant="test split")]
    for place, model in enumerate(models):
        of = {"method": model}
        for at in TOLERANCES:
            where = {**of, "axis": "tolerance", "at": at}
            rows += [row("nfe", round(3 / at**0.3) + seed, **where), row("frechet_of_tolerance", 5 + at, floor=1, **where)]
            rows += [row("moved", 0 if at == TOLERANCES[0] else at, **where), row("round_trip_error", 2 * at, **where)]
        for at in TEMPERATURES:
            where = {**of, "axis": "temperature", "at": at}
            rows += [row("sample_variance", at / 4, **where), row("frechet_of_temperature", 9 - at, floor=1, **where)]
        for shift, kind in enumerate(figures_latents.PATHS):
            rows += [row("frechet_of_path", 2 + shift + 10 * place, variant=kind, floor=1.4, **of)]
            rows += [row("sample_variance", 77, variant=kind, **of)]
    compared = [({"variant": "Gaussian flow"}, 0.2)]
    compared += [({"variant": "shared network", "axis": "share of training", "at": at}, 1 - at / 2) for at in (0.1, 1)]
    for where, value in compared:
        rows += [row("latent_difference", value, method="score_ve", **where)]
        rows += [
            row("latent_correlation", 0.9, method="score_ve", **where),
            row("shuffled_correlation", 0, method="score_ve", **where),
        ]
    return rows


def latent_arrays(models, shape):
    arrays = {}
    for model in models:
        arrays |= {f"{model}_tolerance_{at:g}": images(12, shape) for at in TOLERANCES}
        arrays |= {f"{model}_temperature_{at:g}": images(12, shape) for at in TEMPERATURES}
        arrays[f"{model}_path_spherical"] = images(6 * MOMENTS, shape)
    return arrays | {f"score_ve_latents_{which}": 2 * images(12, shape) for which in ("shared", "second", "linear")}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder, found = tmp_path_factory.mktemp("runs"), []
    for data, (models, with_latents, shape) in SETS.items():
        for seed in (1, 2):  # the first replicate is whichever there is
            of_bits = likelihood_arrays(seed, models, shape)
            found.append(
                made_up(folder, "likelihood", data, likelihood_rows(seed, models), of_bits, seed, eps=[1e-2, 1e-3, 1e-5])
            )
            of_latents = latent_arrays(with_latents, shape)
            found.append(
                made_up(folder, "latent_codes", data, latent_rows(seed, with_latents), of_latents, seed, identified=["score_ve"])
            )
    return Runs(found, "score_sde")


@pytest.fixture(scope="module")
def drawn(runs):
    with style():
        yield {figure.id: figure for figure in (draw() for draw in figures.figures(runs))}


@pytest.fixture(scope="module")
def tables(runs):
    return {table.id: table for table in figures.tables(pd.concat([run.metrics for run in runs.folders]))}


def line(axis, label):
    return next(line for line in axis.lines if line.get_label() == label)


def same_images(axis, wanted):
    gap = max(1, wanted.shape[-1] // 16)
    np.testing.assert_allclose(axis.images[0].get_array(), tiled(wanted, len(wanted), gap).squeeze(), atol=1e-3)


def test_each_data_set_has_all_figures(drawn):
    assert set(drawn) == {f"{stem}-{data}" for stem in FIGURES for data in SETS}
    for key, figure in drawn.items():
        assert figure.photographic == (key.rsplit("-", 1)[0] in PICTURES)
        assert (figure.arrays or len(figure.data)) and figure.alt.endswith(".") and figure.caption.startswith("Cf. ")
        assert not figure.arrays or (figure.runs[0].path / figure.arrays).is_file()
        assert all(run.info["dataset"] == key.rsplit("-", 1)[1] for run in figure.runs)


def test_no_id_is_the_beginning_of_another(drawn, tables):
    stems = sorted({*FIGURES, *tables, "discrete-chains", "simulations", "marginals", "ancestral-or-reverse", "probes",
                    "predictors-and-correctors", "corrector-strength", "corrector-share", "flow-tolerance", "exact-samplers",
                    "last-denoising"})  # fmt: skip
    assert not [(one, other) for one in stems for other in stems if one != other and other.startswith(one)]


def test_bits_of_models_and_the_bound_below_its_own(drawn):
    left, right = drawn["bits-digits"].figure.axes
    labels = [tick.get_text() for tick in left.get_yticklabels()]
    assert labels == ["VP", "VE", "VP, simple loss", "VP, simple loss: bound"]
    places = [each.get_xdata() for each in left.lines if each.get_marker() == "o"]
    np.testing.assert_allclose(places, [[3.3, 3.4], [3.0, 3.1], [3.1, 3.2], [3.4, 3.5]])  # medians, whatever one image does
    clouds = {tuple(part.get_offsets()[0]) for part in right.collections}
    assert {(3.3, 6), (3.3, 5), (3.0, 6), (3.0, 5), (3.0, 4), (3.1, 6), (3.1, 5)} == {(round(x, 6), y) for x, y in clouds}
    assert [each.get_label() for each in right.lines] == ["flow, RK45", "reverse SDE", "with corrector", "data"]
    assert [each.get_label() for each in drawn["bits-cifar10"].figure.axes[1].lines] == ["flow, RK45", "reverse SDE", "data"]


def test_what_a_later_start_costs(drawn):
    (axis,) = drawn["least-time-digits"].figure.axes
    assert line(axis, "VE").get_xdata().tolist() == [1e-3, 1e-2] and line(axis, "VE").get_ydata().tolist() == [0.1, 1]
    assert "at 0.00001." in drawn["least-time-digits"].caption


def test_rows_of_images_are_those_saved(drawn):
    for stem, first, label in (
        ("flow-samples-digits", "samples_score_vp_ODE", "VP: flow, RK45"),
        ("fewer-evaluations-digits", "ddpm_vp_tolerance_1e-05", "VP, simple loss, 0.00001: 96 NFE"),
        ("temperature-cifar10", "score_ve_temperature_0.6", "VE, × 0.6"),
    ):
        axis, *others = drawn[stem].figure.axes
        run = drawn[stem].runs[0]
        assert run.info["seed"] == 1 and axis.get_ylabel() == label
        same_images(axis, run.arrays[first][:20])
        assert len(others) == {"flow-samples-digits": 6, "fewer-evaluations-digits": 3, "temperature-cifar10": 1}[stem]


def test_a_path_is_a_line(drawn):
    assert figures_latents.MOMENTS == MOMENTS
    axis, _ = drawn["interpolation-digits"].figure.axes
    saved = drawn["interpolation-digits"].runs[0].arrays["ddpm_vp_path_spherical"].reshape(MOMENTS, 6, 1, 8, 8)
    lines = np.concatenate([saved[:, path] for path in range(6)])
    np.testing.assert_allclose(axis.images[0].get_array(), tiled(lines, MOMENTS, 1).squeeze(), atol=1e-3)


def test_by_tolerance_and_by_temperature(drawn):
    left, middle, right = drawn["solver-tolerance-digits"].figure.axes
    assert line(left, "VE").get_ydata().tolist() == [96.5, 7.5] and line(middle, "data").get_ydata()[0] == 1
    moved = [each.get_ydata().tolist() for each in right.lines if each.get_color() == shade("score_ve")]
    assert moved == [[2e-5, 0.2], [0.1]], "samples at the least tolerance have not moved: nothing to draw on a log axis"
    left, middle, right = drawn["latent-edits-digits"].figure.axes
    assert [tick.get_text() for tick in left.get_yticklabels()] == [*figures_latents.PATHS.values()]
    dots = {(each.get_color(), each.get_xdata()[0], each.get_ydata()[0]) for each in left.lines if each.get_marker() == "o"}
    assert (shade("score_ve"), 13, 1) in dots and (shade("ddpm_vp"), 4, 2) in dots
    np.testing.assert_allclose(line(middle, "VE").get_ydata(), [0.15, 0.3])
    assert line(middle, "data").get_ydata()[0] == 0.26


def test_two_networks_beside_other_images_and_a_gaussian(drawn):
    one, several, difference, correlation = drawn["identified-digits"].figure.axes
    arrays = drawn["identified-digits"].runs[0].arrays
    shared, second = (arrays[f"score_ve_latents_{which}"].astype(np.float32) for which in ("shared", "second"))
    np.testing.assert_allclose(line(one, "second network").get_ydata(), second[0].ravel()[: figures_identified.DIMENSIONS])
    np.testing.assert_allclose(line(several, "same image").get_data(), [shared.ravel(), second.ravel()])
    np.testing.assert_allclose(line(several, "different images").get_ydata(), np.roll(second, 1, 0).ravel())
    np.testing.assert_allclose(line(difference, "same image").get_ydata(), [0.95, 0.5])
    assert line(difference, "Gaussian flow").get_ydata()[0] == 0.2
    assert line(correlation, "different images").get_ydata().tolist() == [0, 0]


def test_the_table_of_likelihoods(tables):
    table = tables["likelihoods"]
    frame = table.frame[table.frame.dataset == "digits"].set_index("model")
    assert frame.index.tolist() == ["VE", "VP", "VP, simple loss", "data", "noise", "uniform"]
    assert frame["bits/dim, median"].tolist()[:3] == ["3.05 ± 0.071", "3.35 ± 0.071", "3.15 ± 0.071"]
    assert frame.loc["VE", "bits/dim, mean"] == "99 ± 0" and frame.loc["uniform", "bits/dim, mean"] == "4 ± 0"
    assert frame["bound, forward variance"].tolist() == ["–", "–", "3.1 ± 0", "–", "–", "–"]
    assert frame["Fréchet, with corrector"].tolist()[:2] == ["4 ± 0", "–"]
    assert frame.loc["data", "Fréchet, flow"] == "0.5 ± 0" and frame.loc["VE", "NFE"] == "101.5 ± 0.71"
    roles = dict(zip(table.frame.model, table.kinds))
    assert roles == {"VE": "", "VP": "", name("ddpm_vp"): "", "data": "floor", "noise": "baseline", "uniform": "baseline"}


def test_the_table_of_latents(tables):
    table = tables["latent-agreement"]
    frame = table.frame[table.frame.dataset == "digits"]
    assert frame.latents.tolist() == ["Gaussian flow", "at 10% of training", "at 100% of training"]
    assert frame["difference, over other images'"].tolist() == ["0.2 ± 0", "0.95 ± 0", "0.5 ± 0"]
    assert [each for each, latents in zip(table.kinds, table.frame.latents) if latents == "Gaussian flow"] == ["baseline"] * 2


def test_no_rows_leave_empty_panels(tmp_path):
    empty = [made_up(tmp_path, "likelihood", "digits", [], {"x": np.zeros(1)}, eps=[1e-5])]
    empty += [made_up(tmp_path, "latent_codes", "digits", [], {"x": np.zeros(1)}, identified=[])]
    with style():
        assert len([draw() for draw in figures.figures(Runs(empty, "score_sde"))]) == len(FIGURES) - 1
