"""Up-sample images: conditional flow matching against a regressor with the same network (Table 2).

Both networks start from the same weights and see the same batches; both are judged on the same small test images.
"""

from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from common.dynamics.denoiser import Denoiser
from common.errors import SettingsError
from common.evaluation.yardstick import drawn, yardstick
from common.learning.data import catalogue
from common.learning.data.scale import to_unit
from common.learning.data.training import sample_shape, training_batches
from common.learning.nets.build import BackboneSettings, build_backbone, check_fits
from common.learning.objective_table import OBJECTIVES
from common.learning.objectives import draw_times
from common.learning.training.run import train_run
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from common.runs.folders import Outcome, row
from common.runs.settings import Settings as Base
from replications.flow_matching import upsampling as method
from replications.flow_matching.sampling import sample_adaptively

__all__ = ["VARIANT", "Settings", "check", "run"]

VARIANT = ("data",)


class Settings(Base):
    """Settings of training and evaluation."""

    data: str = Field(description="image data set")
    factor: PositiveInt = Field(default=2, description="how many times smaller the given images are, in each direction")
    backbone: Annotated[BackboneSettings, Field(description="network of both methods")]
    train: TrainSettings
    test_images: PositiveInt = Field(description="test images that are shrunk and up-sampled again")
    batch: PositiveInt = Field(default=500, description="samples solved jointly by dopri5")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of dopri5")


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there, its images can be shrunk by the factor, and the network fits them."""
    channels, height, width = catalogue.load(settings.data, "test").images.shape[1:]
    if height % settings.factor or width % settings.factor:
        raise SettingsError(f"factor {settings.factor} does not divide the size of {settings.data}, {height} x {width}")
    check_fits(settings.backbone, (2 * channels, height, width))


def run(settings: Settings, context: Context) -> Outcome:
    """Train both networks, up-sample the test images with each, and compare."""
    measure = yardstick(settings.data, context, settings.test_images)
    test = drawn(measure.test, settings.test_images, context.generator("test images"))
    truth = to_unit(test.images, test.grey_values).to(context.device)
    given = method.shrink_and_enlarge(truth, settings.factor)
    answers = {"fm_ot": flow(settings, context, given), "regression": regressed(settings, context, given), "given": (given, 0.0)}
    # the answers are made from images of the reference, so what data reads here is what the originals themselves do
    floor = measure.row("feature_frechet", truth)["value"]
    rows = []
    for name, (images, nfe) in answers.items():
        labels = {"dataset": settings.data, "method": name, "variant": f"x{settings.factor}", "nfe": nfe}
        rows.append(measure.row("feature_frechet", images, floor=floor, **labels))
        rows.append(row("psnr", method.psnr(images, truth), unit="dB", n=len(truth), **labels))
    shown = {"truth": truth, **{name: images for name, (images, _) in answers.items()}}
    return Outcome(rows, arrays={name: images[:15].float().cpu().numpy() for name, images in shown.items()})


def flow(settings: Settings, context: Context, given: Tensor) -> tuple[Tensor, float]:
    """Return one sample for each small image, and the evaluations it took."""
    objective = OBJECTIVES["fm_ot"].objective.build()

    def loss(network: nn.Module, x0: Tensor, generator: Generator) -> Tensor:
        t = draw_times(objective.path, len(x0), generator=generator, device=x0.device, dtype=x0.dtype)
        noise = torch.randn(x0.shape, generator=generator, device=x0.device, dtype=x0.dtype)
        condition = method.shrink_and_enlarge(x0, settings.factor)
        return method.matching_loss(network, objective, x0, condition, t=t, noise=noise)

    network = trained("fm_ot", loss, settings, context)
    noise = torch.randn(given.shape, generator=context.generator("noise"), dtype=torch.float64).to(context.device)
    solved = []
    for condition, part in zip(given.split(settings.batch), noise.split(settings.batch)):
        denoiser = Denoiser(method.Conditioned(network, condition), objective.path, "velocity")
        solved.append(sample_adaptively(denoiser, part, len(part), settings.tolerance))
    return torch.cat([images for images, _ in solved]), float(
        np.average([nfe for _, nfe in solved], weights=[len(images) for images, _ in solved])
    )


def regressed(settings: Settings, context: Context, given: Tensor) -> tuple[Tensor, float]:
    """Return the regressor's answer for each small image; it takes one evaluation."""

    def loss(network: nn.Module, x0: Tensor, generator: Generator) -> Tensor:
        return method.regressor_loss(network, x0, method.shrink_and_enlarge(x0, settings.factor))

    network = trained("regression", loss, settings, context)
    return torch.cat([method.regression(network, part) for part in given.split(settings.batch)]), 1.0


def trained(name: str, loss: Callable[[nn.Module, Tensor, Generator], Tensor], settings: Settings, context: Context) -> nn.Module:
    """Return the averaged network of one method."""
    seed = context.seed_for("train", settings.data)
    channels, *size = sample_shape(settings.data)
    draw = training_batches(settings.data, settings.train.batch, seed, context.device, replicate=context.seed)
    network = build_backbone(settings.backbone, (2 * channels, *size), seed=seed).to(context.device)

    def of_batch(network: nn.Module, step: int, generator: Generator) -> Tensor:
        return loss(network, draw(step, generator), generator)

    return train_run(context, network, of_batch, settings.train, seed=seed, of=settings, name=name).model.requires_grad_(False)
