"""Every training of the gpu and paper levels: the network at full size, and with few channels a step and a step of sampling."""

from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import patch

import pytest
import torch
from narrowed import narrow

from common.dynamics.denoiser import Denoiser
from common.dynamics.samplers.ode import euler
from common.evaluation.rehearsal import place, rehearsed, schedules, trainings
from common.evaluation.step_watch import Enough
from common.learning.data import catalogue
from common.learning.data.stand_ins import stand_ins
from common.learning.data.training import sample_shape
from common.learning.nets import build
from common.learning.nets.mlp import parameter_count
from common.learning.objective_table import OBJECTIVES
from common.runs import workflow
from common.runs.experiment import load
from replications.ffjord.experiments import dimension, tables
from replications.ffjord.experiments.posteriors import mean_images
from replications.ffjord.solving.solve import SolverSettings
from replications.flow_matching.experiments import upsampling
from replications.flow_matching.upsampling import Conditioned
from replications.forecast.runs import planned
from replications.ncsn.annealed_langevin import annealed_langevin
from replications.ncsn.experiments import objectives
from replications.neural_ode.planar_cnf import runge_kutta
from replications.neural_ode.spirals import times
from replications.score_sde.experiments import latent_codes

LARGE = ("gpu", "paper")
BATCH = 2
IMAGES = 16  # or rows, of a stand-in
ONE_STEP = SolverSettings(method="rk4", steps=1)
META = torch.device("meta")


def noise(*shape):
    return torch.randn(BATCH, *shape, generator=seeded())


def seeded():
    return torch.Generator().manual_seed(0)


def denoiser_step(model, settings):
    """An evaluation of a denoiser, and a step from its first time to the next: of Langevin where it knows one level alone."""
    shape, known = sample_shape(settings.data), model.known_times
    two = torch.tensor([0.6, 0.5]) if known is None else known[:2]
    x = noise(*shape) * float(model.path.sigma(two[0]))
    stepped = euler(model, x, two) if len(two) > 1 else annealed_langevin(0.1)(model, x, two.repeat(2), generator=seeded())
    return [(model.denoised(x, float(two[0])), (BATCH, *shape)), (stepped.x, (BATCH, *shape))]


def upsampler_step(network, settings):
    """The same of a network that is given a condition."""
    condition = noise(*sample_shape(settings.data))
    return denoiser_step(
        Denoiser(Conditioned(network, condition), OBJECTIVES["fm_ot"].objective.build().path, "velocity"), settings
    )


def flow_samples(flow, settings):
    """Samples of a flow that is solved, and their density."""
    x = flow.sample(BATCH, ONE_STEP, generator=seeded())
    shape = flow.settings.shape if hasattr(flow, "settings") else (flow.dim,)
    return [(x, (BATCH, *shape)), (flow.log_density(x, ONE_STEP, generator=seeded()), (BATCH,))]


def classes(model, settings):
    return [(model(noise(*sample_shape(settings.data))), (BATCH, 10))]


def noisy_classes(model, settings):
    return [(model(noise(*sample_shape(settings.data)), 0.5), (BATCH, 10))]


def score(network, settings):
    return [(network(noise(2)), (BATCH, 2))]


def circle_score(network, settings):
    return [(network(noise(settings.dimensions), torch.zeros(1)), (BATCH, settings.dimensions))]


def coupling_samples(flow, settings):
    return [(flow.sample(BATCH, generator=seeded()), (BATCH, 2))]


def posterior_images(model, settings):
    """Images of latents that the posterior's flow has moved."""
    shape = sample_shape(settings.data)
    mean, _, feature = model.encode(torch.zeros(BATCH, *shape, dtype=torch.uint8))
    return [(mean_images(model, model.flow(mean, feature).z), (BATCH, *shape))]


def planar_samples(flow, settings):
    x, trace = runge_kutta(flow, noise(2).expand(len(flow.base), -1, -1), 1.0, 0.0, steps=1)
    return [(x, (len(flow.base), BATCH, 2)), (trace, (len(flow.base), BATCH))]


def latent_paths(model, settings):
    start = torch.zeros(len(settings.observations), BATCH, model.latent)
    paths = model.decode(model.adaptive(start, times()[:3], tolerance=1e-3).float())
    return [(paths, (3, len(settings.observations), BATCH, 2))]


def event_rates(model, settings):
    return [(model.solve(settings.span, 2)[1], (2,))]


# what is asked of an experiment's first trained model: outputs, and the shapes that they must have
ASKED = {
    ("common", "train"): denoiser_step,
    ("ffjord", "solver_error"): flow_samples,
    ("ffjord", "dimension"): flow_samples,
    ("ffjord", "densities_2d"): coupling_samples,
    ("ffjord", "tables"): flow_samples,
    ("ffjord", "images"): flow_samples,
    ("ffjord", "posteriors"): posterior_images,
    ("flow_matching", "upsampling"): upsampler_step,
    ("ncsn", "train_refinenet"): denoiser_step,
    ("ncsn", "score_regions"): score,
    ("ncsn", "manifold"): circle_score,
    ("ncsn", "objectives"): denoiser_step,
    ("ncsnv2", "train_refinenet"): denoiser_step,
    ("neural_ode", "train_classifier"): classes,
    ("neural_ode", "density_matching"): planar_samples,
    ("neural_ode", "maximum_likelihood"): planar_samples,
    ("neural_ode", "latent_spirals"): latent_paths,
    ("neural_ode", "poisson_events"): event_rates,
    ("score_sde", "train_ncsnpp"): denoiser_step,
    ("score_sde", "latent_codes"): denoiser_step,
    ("score_sde", "controllable"): noisy_classes,
}
# what these compute before they train needs numbers: their flows are really built
REALLY = {("ffjord", "densities_2d"), ("ffjord", "images"), ("ffjord", "tables")}
RUNS = [run for level in LARGE for run in planned(level, workflow.papers(), 1)]
TRAININGS = [run for run in RUNS if run.key[:2] in ASKED]


def name_of(run):
    return "-".join(part for part in (run.level, *run.key) if part)


@pytest.fixture(autouse=True)
def measures(monkeypatch):
    """Nothing is measured before the first training, and there are no features that samples are measured by."""
    monkeypatch.setattr(upsampling, "yardstick", lambda data, *_: SimpleNamespace(test=catalogue.load(data, "test")))
    monkeypatch.setattr(dimension, "measured", lambda *_: [])
    monkeypatch.setattr(tables, "nfe_rows", lambda *_: [])
    for module in (latent_codes, objectives):
        monkeypatch.setattr(module, "find_weights", lambda what: None)


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter:UserWarning")
@pytest.mark.parametrize("run", TRAININGS, ids=name_of)
def test_every_training_goes_through(run):
    settings, module, kind = run.settings, load(run.package, run.experiment), run.key[:2]
    with stand_ins(IMAGES), place(run.paper, run.experiment, run.level, narrow) as context:
        if hasattr(module, "check"):
            module.check(settings)
        model = after_a_step(module, narrow(settings), context)
        with torch.no_grad():
            for output, shape in ASKED[kind](model, narrow(settings)):
                assert tuple(output.shape) == shape and output.isfinite().all()
        assert size(module, settings, context, really=kind in REALLY) >= parameter_count(model) > 0


def after_a_step(module, settings, context):
    """The averaged model after one step of a run's first training, all of whose numbers are finite."""
    found = []

    def look(step, model, averaged):
        found.extend([model, averaged])
        raise Enough

    rehearsed(module.run, settings, replace(context, on_step=look), BATCH)
    assert all(value.isfinite().all() for model in found for value in model.state_dict().values())
    return found[1].eval()


def size(module, settings, context, *, really):
    """The parameters of the first network that a run trains, which is not trained here, and by default has no numbers."""
    found = []

    def stop(train, model, loss, **how):
        found.append(parameter_count(model))
        raise Enough

    with trainings(stop), patch.object(build, "seeded", build.seeded if really else on_meta), pytest.raises(Enough):
        module.run(settings, context if really else replace(context, device=META))
    return found[0]


def on_meta(seed, make):
    with META:
        return make()


@pytest.mark.parametrize("run", [run for run in RUNS if run.key[:2] not in ASKED], ids=name_of)
def test_all_others_train_nothing(run):
    assert not any(schedules(run.settings))
