"""NLL in bits/dim, Fréchet distance and NFE of dopri5 for every objective (Tables 1 and 4).

Test images, dequantisation noise, divergence probes and sampling noise are shared by all objectives of one seed.
"""

from typing import Any

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt

from common.dynamics.likelihood import Divergence, is_estimated, log_likelihood
from common.errors import RefusedError
from common.learning.data import catalogue
from common.learning.data.scale import to_unit
from common.learning.data.split import ImageSplit
from common.learning.models import load_denoiser
from common.measure.metrics.density import bits_per_dim, check_draws, importance_weighted, standard_error
from common.measure.metrics.inception import find_weights
from common.runs.experiment import Context
from common.runs.folders import Outcome, refused, row
from replications.flow_matching import image_models
from replications.flow_matching.image_models import ImageModels, fid_to, yardstick
from replications.flow_matching.sampling import sample_adaptively

__all__ = ["VARIANT", "Settings", "check", "run"]

VARIANT = ("data",)


class Settings(ImageModels):
    """Settings of the evaluation."""

    samples: PositiveInt = Field(description="samples of the Fréchet distance (feature space, against the test split)")
    batch: PositiveInt = Field(default=500, description="samples or test images solved jointly by dopri5: its NFE depends on it")
    test_images: PositiveInt = Field(description="test images of the NLL")
    dequantisations: list[PositiveInt] = Field(default=[1, 5, 20], description="numbers K of dequantisation draws")
    divergence: Divergence = Field(default="auto", description="divergence of the NLL; auto = exact up to 64 dimensions")
    tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of dopri5")
    inception: bool = Field(default=False, description="also FID, in Inception's features; its weights must be on disk")


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and whole, and Inception's weights where they are asked for."""
    image_models.check(settings)
    if settings.inception:
        find_weights()


def run(settings: Settings, context: Context) -> Outcome:
    """Evaluate every objective's model."""
    test, distance_to_test = yardstick(settings.data, context)
    train = catalogue.load(settings.data, "train")
    floor = distance_to_test(to_unit(train.images, train.grey_values))
    shape = tuple(test.images.shape[1:])
    noise = torch.randn(settings.samples, *shape, generator=context.generator("noise"), dtype=torch.float64)
    rows = [
        row("feature_frechet", floor, dataset=settings.data, method="data", variant="train split", n=len(train.images)),
        row(
            "feature_frechet",
            distance_to_test(noise.clamp(-1, 1)),
            dataset=settings.data,
            method="noise",
            variant="clipped normal noise",
            n=settings.samples,
        ),
    ]
    samples, fid = {}, fid_to(test, context.device) if settings.inception else None
    for objective in settings.objectives:
        denoiser = load_denoiser(context.model(settings.data, objective), context.device)
        labels = {"dataset": settings.data, "method": objective}
        images, nfe = sample_adaptively(denoiser, noise.to(context.device), settings.batch, settings.tolerance)
        distance = distance_to_test(images)
        rows.append(row("feature_frechet", distance, variant="dopri5", nfe=nfe, n=len(images), **labels))
        if fid:
            rows.append(row("fid", fid(images), variant="dopri5, test split", nfe=nfe, n=len(images), **labels))
        rows.append(row("nfe", nfe, variant="dopri5", unit="evaluations", n=settings.batch, **labels))
        rows += likelihood_rows(denoiser, test, settings, labels, context)
        samples[objective] = images.half().cpu().numpy()
    return Outcome(rows, samples=samples)


def likelihood_rows(
    denoiser: Any, test: ImageSplit, settings: Settings, labels: dict[str, Any], context: Context
) -> list[dict[str, Any]]:
    """Return the NLL in bits/dim at each K with its Monte-Carlo standard error over images (Table 4).

    K draws of uniform dequantisation tighten the bound: -log (1/K) sum_k p(x + u_k). That asks for exact divergences: where they
    are estimated, K = 1 alone is measured.
    """
    dim, n = test.images[0].numel(), min(settings.test_images, len(test.images))
    noisy = is_estimated(settings.divergence, dim)
    log_densities, nfe = solved(denoiser, test, 1 if noisy else max(settings.dequantisations), settings, context)
    rows = []
    for k in settings.dequantisations:
        more = {"variant": "test", "axis": "K", "at": k, "unit": "bits/dim", "n": n, **labels}
        try:
            check_draws(k, noisy=noisy)
        except RefusedError as error:
            rows.append(refused("nll", error, **more))
            continue
        bits = bits_per_dim(importance_weighted(log_densities[:k], noisy=noisy), dim, grey_values=test.grey_values)
        rows.append(row("nll", bits.mean(), nfe=nfe, **more))
        rows.append(row("nll_standard_error", standard_error(bits), nfe=nfe, **more))
    return rows


def solved(denoiser: Any, test: ImageSplit, draws: int, settings: Settings, context: Context) -> tuple[np.ndarray, float]:
    """Return the log-densities [draws, images] of dequantised test images, and the mean evaluations of a solve."""
    dequantise, probes = context.generator("dequantise"), context.generator("probes", device=context.device)
    images, parts = test.images[: settings.test_images], []
    # draw by draw, but as many images in one solve as fit: small solves cost as much as larger ones
    for chosen in torch.arange(draws * len(images)).split(settings.batch):
        x = to_unit(images[chosen % len(images)], test.grey_values, generator=dequantise).to(context.device).double()
        tolerances = {"rtol": settings.tolerance, "atol": settings.tolerance}
        parts.append(log_likelihood(denoiser, x, divergence=settings.divergence, generator=probes, **tolerances))
    found = torch.cat([part.log_density.cpu() for part in parts]).reshape(draws, -1).numpy()
    return found, float(np.average([part.nfe for part in parts], weights=[len(part.log_density) for part in parts]))
