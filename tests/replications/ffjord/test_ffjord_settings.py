"""Every setting of the gpu and paper levels, at a size that a test can take: a step of training, and all that is measured."""

import math

import numpy as np
import pytest
import torch

from common.errors import SettingsError
from common.learning.data import catalogue, tables
from common.learning.data import densities as two_dimensional
from common.learning.data.split import ImageSplit
from common.runs.experiment import Context, load
from common.runs.folders import write_run
from common.runs.settings import load_yaml, package_folder, resolve
from replications.ffjord import free_form_flow
from replications.ffjord.experiments import images
from replications.ffjord.images import image_flows, multiscale
from replications.ffjord.posteriors.vae_settings import VAESettings
from replications.ffjord.solving import solve
from replications.ffjord.solving.solve import SolverSettings, at_tolerance

PACKAGE, CPU = "replications.ffjord", torch.device("cpu")
JOBS = load_yaml(package_folder(PACKAGE) / "jobs.yaml")
LARGE = ("gpu", "paper")
ALL = [
    (experiment, level, data)
    for experiment, entry in JOBS.items()
    for level in LARGE
    for data in entry.get("data", {}).get(level, [""])
]
# of two-dimensional densities, which at a level differ in their names alone, half at the one and half at the other
DENSITIES = [run for run in ALL if run[0] == "densities_2d"]
RUNS = [run for run in ALL if run not in DENSITIES or DENSITIES.index(run) % 2 == (run[1] == "paper")]
COLUMNS = {"power": 6, "gas": 8, "hepmass": 21, "miniboone": 43, "bsds300": 63}
# shapes, and grey values of the training images and of the others
PIXELS = {
    "fashion_mnist": ((1, 28, 28), 256, 256),
    "mnist": ((1, 28, 28), 256, 256),
    "cifar10": ((3, 32, 32), 256, 256),
    "mnist_static": ((1, 28, 28), 2, 2),
    "omniglot": ((1, 28, 28), 256, 2),
    "frey_faces": ((1, 28, 20), 256, 256),
    "caltech_silhouettes": ((1, 28, 28), 2, 2),
}
# the most that a test takes of what only costs time; numbers of flows and layers, for one thing, stay as they are
MOST = {
    **dict.fromkeys(("steps", "warmup_steps", "kept_steps", "kept_images", "test_draws"), 1),
    **dict.fromkeys(("probes", "solves", "matrices", "inverted", "watched_images", "test_images", "samples", "pictures"), 2),
    **dict.fromkeys(("hidden", "widths", "filters", "rank", "columns", "counted", "validation_rows", "test_rows"), 3),
    **dict.fromkeys(("drawn", "batch"), 3),
    **dict.fromkeys(("points", "test_points", "grid", "latent", "features"), 8),
}
# runs on images of one kind have the same models, of which each is trained in one of them
TRAINED = {
    ("gpu", "fashion_mnist"): ["single_scale", "gaussian_probes", "gaussian_bottleneck"],
    ("gpu", "mnist"): ["rademacher_probes", "rademacher_bottleneck"],
    ("paper", "mnist"): ["multiscale"],
    ("gpu", "cifar10"): ["single_scale"],
    ("paper", "cifar10"): ["multiscale"],
}
METHODS = {
    "densities_2d": {"gaussian", "real_nvp", "glow", "ffjord", "ffjord_decay"},
    "tables": {"gaussian", "real_nvp", "glow", "maf", "ffjord"},
    "posteriors": {"independent_pixels", "none", "planar", "iaf", "sylvester", "ffjord", "hypernetwork"},
}


def made_up_table(columns, split):
    return torch.randn(150 if split == "train" else 5, columns, generator=torch.Generator().manual_seed(len(split)))


def made_up_images(name, split, replicate=0):
    shape, of_train, of_others = PIXELS[name]
    # a Gaussian is fitted to the training images: more of them than a grey one has pixels
    many = 800 if split == "train" and name in ("fashion_mnist", "mnist") else 5
    generator = torch.Generator().manual_seed(len(split))
    grey_values = of_train if split == "train" else of_others
    return ImageSplit(torch.randint(grey_values, (many, *shape), generator=generator, dtype=torch.uint8), None, grey_values)


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    """Small made-up data in the place of sets that are not on every machine."""
    for name, columns in COLUMNS.items():
        monkeypatch.setitem(tables.LOADERS, name, lambda split, columns=columns: made_up_table(columns, split))
    for name in PIXELS:
        monkeypatch.setitem(catalogue.LOADERS, name, lambda *which, name=name: made_up_images(name, *which))
    monkeypatch.setattr(images, "distance_to_data", lambda x, data: 1.0)  # scikit-learn's search takes long to begin


@pytest.fixture
def asked(monkeypatch):
    """What runs ask of the solver, of the probes and of the training images."""
    asked = {"solvers": [], "noise": set(), "flip": set()}

    def watch(module, name, note):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, **more: note(args, more) or real(*args, **more))

    for way in ("_direct", "_adjoint"):
        watch(solve, way, lambda args, more, way=way[1:]: asked["solvers"].append((way, args[4])))
    for module in (free_form_flow, image_flows):
        watch(module, "draw", lambda args, more: asked["noise"].add(args[0]))
    watch(images, "training_batches", lambda args, more: asked["flip"].add(more["flip"]))
    fitted = images.fitted

    def with_its_noise_alone(name, model, *rest):
        asked["noise"].clear()
        trained = fitted(name, model, *rest)
        assert asked["noise"] == {model.noise}
        return trained

    monkeypatch.setattr(images, "fitted", with_its_noise_alone)
    return asked


def settings_of(experiment, level, data):
    return resolve(PACKAGE, experiment, level, [f"data={data}"] if data else [])


def smaller(values, key=""):
    """Settings with no number that is larger than a test can take."""
    if isinstance(values, dict):
        return {name: smaller(value, name) for name, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [smaller(value, key) for value in values]
    return min(values, MOST[key]) if key in MOST and values is not None else values


def small(experiment, level, data):
    settings = settings_of(experiment, level, data)
    values = smaller(settings.model_dump())
    if experiment == "images":
        values["models"] = {name: values["models"][name] for name in TRAINED[level, data]}
        values["kept_steps"] = [1]
        # convolutions are slow
        for solver in ("solver", "evaluation"):
            values[solver] |= {"rtol": 1e-3, "atol": 1e-3}
    return type(settings).model_validate(values)


def solvers_in(values, key=""):
    """Every solver that settings name, or give the tolerance of."""
    if isinstance(values, dict) and "rtol" in values:
        return [SolverSettings.model_validate(values)]
    if isinstance(values, dict):
        return [each for name, value in values.items() for each in solvers_in(value, name)]
    if isinstance(values, list):
        return [each for value in values for each in solvers_in(value, key)]
    return [at_tolerance(values)] if "tolerance" in key else []


@pytest.mark.parametrize(("experiment", "level", "data"), RUNS)
def test_every_large_run_goes_through(experiment, level, data, tmp_path, asked, monkeypatch):
    if data == "cifar10":
        monkeypatch.setattr(images, "gaussian_bits", lambda train, test, grey_values: np.full(len(test), 8.0))
    settings, module = small(experiment, level, data), load(PACKAGE, experiment)
    if hasattr(module, "check"):
        module.check(settings)
    outcome = module.run(settings, Context("ffjord", experiment, level, 0, 2, tmp_path, tmp_path, CPU))
    assert all(math.isfinite(row["value"]) for row in outcome.rows)
    assert all(np.isfinite(values).all() for values in outcome.arrays.values())
    if data:
        expected = {*images.TAKEN, *settings.models} if experiment == "images" else METHODS[experiment]
        assert {row["method"] for row in outcome.rows} == expected
        assert {row["dataset"] for row in outcome.rows} == {data}
    # what is set is what is done
    used, named = [solver for _, solver in asked["solvers"]], solvers_in(settings.model_dump())
    # the memory of images is that of rk4, whatever they are trained by
    assert all(solver in used for solver in named) and all(solver in named or solver.method == "rk4" for solver in used)
    assert all(way == solver.backward for way, solver in asked["solvers"])
    if experiment in ("tables", "dimension"):
        assert asked["noise"] == {settings.noise}
    if experiment == "images":
        assert asked["flip"] == {settings.flip}
    info = dict.fromkeys(("paper", "experiment", "variant", "seed", "level", "device", "commit"), "")
    write_run(tmp_path / "run", outcome, info)
    assert all((tmp_path / "run" / file).is_file() for file in ("metrics.csv", *JOBS[experiment].get("writes", [])))


def test_densities_of_a_level_differ_in_their_names_alone():
    assert {data for _, _, data in RUNS if data in two_dimensional.DENSITIES} == set(two_dimensional.DENSITIES)
    for level in LARGE:
        of_level = [settings_of(*run).model_dump(exclude={"data"}) for run in DENSITIES if run[1] == level]
        assert len(of_level) == len(two_dimensional.DENSITIES) and all(each == of_level[0] for each in of_level)


@pytest.mark.parametrize("data", ["mnist", "cifar10"])
def test_runs_on_images_of_one_kind_have_the_same_models(data):
    alike = [run for run in TRAINED if PIXELS[run[1]] == PIXELS[data]]
    models = [settings_of("images", *run).models for run in alike]
    assert all(each == models[0] for each in models) and set(models[0]) == {name for run in alike for name in TRAINED[run]}


@pytest.mark.parametrize(("experiment", "level", "data"), [run for run in ALL if run[0] in ("images", "posteriors", "tables")])
def test_every_large_model_can_be_built_for_its_data(experiment, level, data):
    """At full size; where that is millions of weights, without their memory."""
    settings = settings_of(experiment, level, data)
    load(PACKAGE, experiment).check(settings)
    generator = torch.Generator()
    if experiment == "posteriors":
        for flow in settings.posteriors.values():
            described = VAESettings(coders=settings.coders, latent=settings.latent, flow=flow, pixels=settings.pixels)
            with torch.device("meta"):
                described.build(PIXELS[data][0], seed=0)
    if experiment == "tables":
        columns = tables.load_table(data, "train").shape[1]
        for method in ("real_nvp", "glow", "maf"):
            getattr(settings, method).build(columns, generator=generator)
        field = settings.ffjord.build(columns, seed=0).fields[-1]
        assert [layer.linear.out_features for layer in field.layers] == [*settings.ffjord.hidden, columns]


def test_a_model_that_is_called_like_a_baseline_is_refused():
    """Its rows could not be told from the baseline's."""
    settings = settings_of("images", "gpu", "mnist")
    for name in images.TAKEN:
        models = {name: settings.models["gaussian_probes"]}
        with pytest.raises(SettingsError, match=rf"models\.{name}"):
            images.check(settings.model_copy(update={"models": models}))


# nonlinearity, hidden layers, width over columns, flows, batch (Table 4)
TABLE_4 = {
    "power": ("tanh", 3, 10, 5, 10_000),
    "gas": ("tanh", 3, 20, 5, 1_000),
    "hepmass": ("softplus", 2, 10, 10, 10_000),
    "miniboone": ("softplus", 2, 20, 1, 1_000),
    "bsds300": ("softplus", 3, 20, 2, 10_000),
}


@pytest.mark.parametrize("data", TABLE_4)
def test_flows_of_the_papers_tables_are_those_of_its_table_4(data):
    settings = settings_of("tables", "paper", data)
    nonlinearity, layers, multiplier, flows, batch = TABLE_4[data]
    flow, train = settings.ffjord, settings.train.ffjord
    assert flow.hidden == (multiplier * COLUMNS[data],) * layers
    assert (flow.nonlinearity, flow.flows, train.batch) == (nonlinearity, flows, batch)
    # appendix B.1, and the authors' code
    for solver in (settings.solver, settings.test_solver):
        assert (solver.method, solver.atol, solver.rtol, solver.backward) == ("dopri5", 1e-8, 1e-6, "adjoint")
    assert (flow.layer, flow.end_time, settings.noise) == ("concatsquash", 1.0, "gaussian")
    assert (train.learning_rate, train.weight_decay, train.clip_norm) == (1e-3, 0, None)
    for rival in ("real_nvp", "glow"):
        assert (getattr(settings, rival).layers, getattr(settings, rival).hidden) == (10, (100, 100))
        assert getattr(settings.train, rival).learning_rate == 1e-4
    if data == "miniboone":
        assert settings_of("tables", "gpu", data).ffjord == flow


def test_the_papers_toy_set_up_is_that_of_the_authors_code():
    settings = settings_of("densities_2d", "paper", "eight_gaussians")
    flow, train = settings.flow, settings.train
    assert (flow.hidden, flow.nonlinearity, flow.layer) == ((64, 64, 64), "tanh", "concatsquash")
    assert (flow.end_time, flow.flows, settings.training_tolerance) == (0.5, 1, 1e-5)
    assert (train.steps, train.batch, train.learning_rate) == (10_000, 100, 1e-3)
    # Figure 2 has a Glow of a hundred layers
    glow, real_nvp = settings.couplings["glow"], settings.couplings["real_nvp"]
    assert (glow.layers, glow.hidden, glow.linear, real_nvp.linear) == (100, (64, 64), True, False)


@pytest.mark.parametrize(("data", "scales", "images_of_training"), [("mnist", 3, 55_000), ("cifar10", 4, 45_000)])
def test_the_papers_images_are_trained_on_as_section_4_2_says(data, scales, images_of_training):
    settings = settings_of("images", "paper", data)
    flow, train = settings.models["multiscale"].flow, settings.train
    assert (flow.field, flow.widths, flow.flows, flow.end_time, flow.alpha) == ("same_grid", (64, 64), 2, 1.0, 1e-6)
    assert len(multiscale.entered_shapes(flow.shape, flow.scales)) == scales
    assert (train.batch, train.learning_rate, train.schedule, train.decay_start) == (900, 1e-3, "linear", 0.5)
    assert train.steps == round(500 * images_of_training / 900), "500 epochs"
    for solver in (settings.solver, settings.evaluation):
        assert (solver.method, solver.atol, solver.rtol) == ("dopri5", 1e-5, 1e-5)
    assert (settings.models["multiscale"].noise, settings.flip) == ("rademacher", data == "cifar10")
    if data == "mnist":
        one = settings.models["single_scale"].flow
        assert (one.field, one.widths, one.flows, one.scales) == ("encoder_decoder", (64, 64, 128, 128), 1, 1)
        # Figure 4: both noises with and without the trick, through five channels
        narrow = {name: model for name, model in settings.models.items() if model.flow.widths == (64, 64, 128, 5)}
        assert {(model.noise, model.flow.bottleneck) for model in narrow.values()} == {
            (noise, trick) for noise in ("gaussian", "rademacher") for trick in (False, True)
        }


# of training images; Table 5 is in test_posteriors.py
POSTERIORS = {"mnist_static": 50_000, "omniglot": 23_000, "frey_faces": 1_565, "caltech_silhouettes": 4_100}


@pytest.mark.parametrize("data", POSTERIORS)
def test_the_papers_autoencoders_are_trained_as_section_4_3_says(data):
    settings = settings_of("posteriors", "paper", data)
    train = settings.train
    assert (settings.coders.kind, settings.latent, train.batch, train.learning_rate) == ("gated_convolutions", 64, 100, 1e-3)
    assert settings.warmup_steps == 100 * math.ceil(POSTERIORS[data] / 100) < train.steps, "a hundred epochs"
    for name in ("ffjord", "hypernetwork"):
        flow = settings.posteriors[name]
        assert (flow.end_time, flow.solver.method, flow.solver.atol, flow.solver.rtol) == (0.5, "dopri5", 1e-5, 1e-5)
    assert settings.posteriors["hypernetwork"].amortisation == "full"
