"""Training of a VAE: it learns, resumes to the same weights, and warms the divergence up."""

import numpy as np
import torch

from common.learning.data import catalogue
from common.learning.data.split import ImageSplit
from common.learning.training.loop import Trained
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.settings import Settings
from replications.ffjord.posteriors import vae_training
from replications.ffjord.posteriors.vae import held_out
from replications.ffjord.posteriors.vae_networks import MLPCoders
from replications.ffjord.posteriors.vae_settings import FFJORDSettings, NoFlowSettings, VAESettings
from replications.ffjord.solving.solve import SolverSettings

SCHEDULE = TrainSettings(steps=60, batch=50, learning_rate=3e-3, ema_decay=0)
FLOW = FFJORDSettings(flows=1, hidden=(8,), rank=1, solver=SolverSettings(method="rk4", steps=1))


class Nothing(Settings):
    """No further settings."""


def context(tmp_path):
    return Context("ffjord", "vae", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu"))


def test_a_training_lowers_the_bound_on_held_out_digits(tmp_path):
    model = VAESettings(coders=MLPCoders(hidden=(16,)), latent=4, flow=FLOW).build((1, 8, 8), seed=0)
    test = catalogue.load("digits_binary", "test").images

    def bound(model):
        return float(held_out(model, test, samples=1, batch=450, generator=torch.Generator().manual_seed(0))[0].mean())

    before = bound(model)
    trained = vae_training.train_vae(context(tmp_path), model, catalogue.load("digits_binary", "train"), SCHEDULE, of=Nothing())
    assert bound(trained.model) < before - 8
    assert abs(float(trained.losses[-1]) - bound(trained.model)) < 4, "the loss is that bound, in nats"


def losses(monkeypatch, tmp_path, split, **options):
    """The losses of the first steps, of a model that is not trained."""
    caught = {}

    def train_run(context, model, loss, schedule, *, seed, of, name):
        draw = torch.Generator()
        caught["losses"] = [float(loss(model, step, draw.manual_seed(0))) for step in (0, 4, 20)]
        return Trained(model, np.zeros(0), np.zeros(0), 0.0, 0)

    monkeypatch.setattr(vae_training, "train_run", train_run)
    model = VAESettings(coders=MLPCoders(hidden=(16,)), latent=4, flow=NoFlowSettings()).build((1, 8, 8), seed=0)
    vae_training.train_vae(context(tmp_path), model, split, SCHEDULE, of=Nothing(), **options)
    return model, caught["losses"]


def test_the_divergences_weight_rises_to_1(monkeypatch, tmp_path):
    image = catalogue.load("digits_binary", "train").images[:1]
    split = ImageSplit(image.expand(50, -1, -1, -1), None, 2)  # so that all steps have the same batch
    model, found = losses(monkeypatch, tmp_path, split, warmup_steps=10)
    with torch.no_grad():
        bound = model(split.images, torch.Generator().manual_seed(0))
    expected = [float((bound.reconstruction + weight * bound.divergence).mean()) for weight in (0.1, 0.5, 1.0)]
    torch.testing.assert_close(found, expected)
    assert losses(monkeypatch, tmp_path, split)[1][0] == found[2], "without a warm-up the bound from the start"


def test_grey_images_are_drawn_anew_at_every_step(monkeypatch, tmp_path):
    grey = ImageSplit(torch.full((50, 1, 8, 8), 128, dtype=torch.uint8), None, 256)
    seen = []
    monkeypatch.setattr(vae_training, "drawn_pixels", lambda x, levels, generator: seen.append(levels) or (x > 3).to(x))
    losses(monkeypatch, tmp_path, grey)
    assert seen == [256] * 3
