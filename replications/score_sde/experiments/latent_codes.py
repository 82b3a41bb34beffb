"""What the flow's latents are good for: tolerances, round trips, interpolation, temperature, identifiability (Figs. 3, 6 to 8).

Starts, test images and pairs are the same for all models of a replicate.
"""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from common.dynamics.denoiser import Denoiser
from common.evaluation.yardstick import Space
from common.learning.data import catalogue
from common.learning.data.training import sample_shape
from common.learning.fit import fitted
from common.learning.models import ModelSettings, load_denoiser
from common.learning.nets.build import BackboneSettings, check_fits
from common.learning.objective_table import OBJECTIVES
from common.learning.training.run import schedule_of, snapshot_file
from common.learning.training.settings import TrainSettings
from common.measure.metrics.inception import find_weights
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.score_sde.images import latent_uses
from replications.score_sde.images.latent_agreement import agreement, gaussian_latents
from replications.score_sde.images.latent_uses import SHOWN, Given, Rows, latents_of
from replications.score_sde.images.model_samples import EPS, halved

VARIANT = ("data",)
ObjectiveName = Literal[tuple(OBJECTIVES)]


class Settings(Base):
    """Settings of what is measured, and of the second network."""

    data: str = Field(description="image data set")
    objectives: list[ObjectiveName] = Field(description="trained models whose latents are measured")
    samples: PositiveInt = Field(description="samples of each tolerance and temperature")
    tolerances: list[PositiveFloat] = Field(description="atol = rtol of RK45; the first is what others are compared with")
    images: PositiveInt = Field(description="test images that are encoded and decoded again")
    pairs: PositiveInt = Field(description="pairs of test images whose latents are interpolated")
    temperatures: list[PositiveFloat] = Field(default=[0.6, 0.8, 0.9, 1.0, 1.1], description="factors on the norm of latents")
    tolerance: PositiveFloat = Field(default=1e-3, description="atol = rtol of RK45 where it is not what is compared")
    batch: PositiveInt = Field(default=500, description="images solved jointly by RK45: its evaluations depend on it")
    identified: list[ObjectiveName] = Field(description="objectives that a second network is trained on")
    backbone: BackboneSettings = Field(description="the second network")
    train: TrainSettings
    encoded: PositiveInt = Field(description="test images whose latents under both networks are compared")
    states: list[float] = Field(description="shares of the first network's training whose states are compared too")
    space: Space = Field(default="classifier", description="features of the distances; Inception's need its weights on disk")


def check(settings: Settings) -> None:
    """Raise unless data set and, where asked for, Inception's weights are there, and the network fits the images."""
    catalogue.load(settings.data, "test")
    check_fits(settings.backbone, sample_shape(settings.data))
    if settings.space == "inception":
        find_weights("FID")


def run(settings: Settings, context: Context) -> Outcome:
    """Train the second networks, and measure every model's latents."""
    # first, so that a training that fails does so before hours of sampling
    second = {name: second_network(name, settings, context) for name in settings.identified}
    given = latent_uses.given(settings, context)
    rows, arrays = given.references(settings), {}
    for name in settings.objectives:
        of_uses, pictures = use_rows(name, given, settings, context)
        rows += of_uses
        arrays |= {key: halved(images.clamp(-1, 1)) for key, images in pictures.items()}
    for name in settings.identified:
        of_both, latents = agreement_rows(name, second[name], given, settings, context)
        rows += of_both
        arrays |= {key: halved(part) for key, part in latents.items()}
    return Outcome(rows, arrays=arrays)


def use_rows(name: str, given: Given, settings: Settings, context: Context) -> Rows:
    """Return the rows and pictures of all that is done with one model's latents."""
    model, labels = trained(name, settings, context), {"dataset": settings.data, "method": name}
    uses = {
        "tolerance": latent_uses.tolerance_rows,
        "path": latent_uses.interpolation_rows,
        "temperature": latent_uses.temperature_rows,
    }
    rows, pictures = latent_uses.round_trip_rows(model, given, settings, labels), {}
    for use, measured in uses.items():
        of_use, shown = measured(model, given, settings, context, labels)
        rows += of_use
        pictures |= {f"{name}_{use}_{kind}": images for kind, images in shown.items()}
    return rows, pictures


def trained(name: str, settings: Settings, context: Context, share: float = 1.0) -> Denoiser:
    """Return a shared model of the suite, or the state nearest to a share of its training."""
    folder = context.model(settings.data, name)
    if share == 1:
        return load_denoiser(folder, context.device)
    return load_denoiser(folder, context.device, snapshot_file(schedule_of(folder).snapshot_near(share)))


def second_network(name: str, settings: Settings, context: Context) -> Denoiser:
    """Return another network, trained here on a shared model's objective and data, from other weights with other batches."""
    made = {"backbone": settings.backbone, "shape": sample_shape(settings.data), "pixel_range": (-1.0, 1.0)}
    description, seed = ModelSettings(**dict(OBJECTIVES[name]), **made), context.seed_for("second network")
    done = fitted(description, settings.train, context, data=settings.data, method=name, seed=seed, of=description)
    model = description.build(seed)
    model.backbone.load_state_dict(done.weights)
    return model.eval().requires_grad_(False).to(context.device)


def agreement_rows(name: str, second: Denoiser, given: Given, settings: Settings, context: Context) -> Rows:
    """Return how far states of the shared model, and a Gaussian, agree with a second network on latents."""
    x, path, t_min = given.test[: settings.encoded], second.path, EPS[second.path.name]
    reference = latents_of(second, x, settings.tolerance)
    linear = gaussian_latents(path, x, given.train.images.to(x), t_min) / path.prior_std
    compared: list[tuple[dict, Tensor]] = [({"variant": "Gaussian flow"}, linear)]
    for share in (*settings.states, 1.0):
        where = {"variant": "shared network", "axis": "share of training", "at": share}
        compared.append((where, latents_of(trained(name, settings, context, share), x, settings.tolerance)))
    rows = []
    for where, latents in compared:
        found, labels = agreement(latents, reference), {"dataset": settings.data, "method": name, "n": len(x), **where}
        rows += [
            row("latent_difference", found.difference, unit="of different images'", **labels),
            row("latent_correlation", found.correlation, **labels),
            row("shuffled_correlation", found.shuffled, **labels),
        ]
    pictures = {"shared": compared[-1][1], "second": reference, "linear": linear}
    return rows, {f"{name}_latents_{which}": latents[:SHOWN] for which, latents in pictures.items()}
