"""The adaptive solver and its rivals on trained models of images, VP and VE (Table 1, Appendix).

Rows have the sampler as `method` and the model as `variant`; `axis` says what is varied. Rivals of an adaptive run have as many
evaluations as it took, and stand at its tolerance.
"""

from typing import Any

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from common.dynamics.samplers.result import denoised_last
from common.errors import SolverError
from common.evaluation.yardstick import Space, yardstick
from common.learning.data import catalogue
from common.learning.data.scale import to_unit
from common.measure.metrics.inception import find_weights
from common.runs.experiment import Context
from common.runs.folders import Outcome, refused, row
from common.runs.settings import Settings as Base
from replications.gotta_go_fast.ablations import ABLATIONS
from replications.gotta_go_fast.experiments.exact_toy import Ablation, Shelf
from replications.gotta_go_fast.leftover_noise import quietest
from replications.gotta_go_fast.model_runs import Case, Measures, Network, Process, trained
from replications.gotta_go_fast.rivals import ddim, euler_maruyama, reverse_diffusion_langevin
from replications.gotta_go_fast.torchsde_adaptive import torchsde_adaptive
from replications.score_sde.images.model_samples import halved
from replications.score_sde.probability_flow import rk45

VARIANT = ("data",)
SHOWN = 12  # pictures of each sampler
Row = dict[str, Any]
Found = tuple[list[Row], dict[str, Tensor]]


class Settings(Base):
    """Settings of the samplers."""

    data: str = Field(description="image data set")
    network: Network = Field(default="shared", description="the suite's shared network, or the published ones")
    models: dict[str, Process] = Field(description="trained models, with what is chosen for the SDE of each")
    samples: PositiveInt = Field(description="samples of each sampler")
    batch: PositiveInt = Field(default=900, description="samples that are drawn together: a cost is its slowest sample's")
    tolerances: list[PositiveFloat] = Field(description="relative tolerances of the adaptive solver")
    full: PositiveInt = Field(default=1000, description="evaluations of Euler-Maruyama where it is not to be fast")
    corrected: PositiveInt = Field(default=2000, description="evaluations of reverse diffusion with Langevin steps")
    flow_tolerance: PositiveFloat = Field(default=1e-5, description="atol = rtol of the probability flow")
    shelf: dict[Shelf, list[PositiveFloat]] = Field(description="torchsde's adaptive solvers, each with its rtol = atol")
    ablations: list[Ablation] = Field(description="variants of the solver")
    ablation_samples: PositiveInt = Field(description="samples of each variant and state, not more than of the samplers")
    ablation_tolerance: PositiveFloat = Field(default=0.01, description="relative tolerance of all variants")
    states: list[NonNegativeFloat] = Field(description="shares of the training whose states are sampled too")
    state_tolerance: PositiveFloat = Field(default=0.05, description="relative tolerance there")
    space: Space = Field(default="classifier", description="features of the distances; Inception's need its weights on disk")


def check(settings: Settings) -> None:
    """Raise unless the data set's files are there and whole, and Inception's weights where they are asked for."""
    catalogue.load(settings.data, "test")
    if settings.space == "inception":
        find_weights("FID")


def run(settings: Settings, context: Context) -> Outcome:
    """Run every sampler on every model."""
    measures, shape = measures_of(settings, context)
    noise = torch.randn(settings.samples, *shape, generator=context.generator("starts"), dtype=torch.float32)
    rows = [
        measures.yardstick.floor_row(settings.samples, settings.data),
        row("leftover_noise", measures.quiet_floor, floor=measures.quiet_floor, dataset=settings.data, method="data"),
    ]
    arrays: dict[str, Tensor] = {}
    for name, process in settings.models.items():
        model = trained(settings.data, name, settings.network, context)
        case = Case(model, process, noise, settings.batch, measures, context)
        labels = {"dataset": settings.data, "variant": name}
        for found, pictures in (full_rows(case, settings, labels), tolerance_rows(case, settings, labels)):
            rows += found
            arrays |= {f"{name}_{key}": images for key, images in pictures.items()}
        rows += [*shelf_rows(case, settings, labels), *ablation_rows(case, settings, labels)]
        rows += state_rows(name, case, settings, labels)
    return Outcome(rows, arrays={key: halved(images) for key, images in arrays.items()})


def measures_of(settings: Settings, context: Context) -> tuple[Measures, tuple[int, ...]]:
    """Return what measures the samples, and the shape of an image.

    Models learn from dequantised images, so the noise left in samples is compared with that of such images.
    """
    measure = yardstick(settings.data, context, settings.samples, space=settings.space)
    train, generator = catalogue.load(settings.data, "train", context.seed), context.generator("dequantise")
    seen, unseen = (to_unit(split.images, split.grey_values, generator=generator) for split in (train, measure.test))
    quiet = quietest(seen)
    return Measures(measure, measure.floor(settings.samples), quiet, quiet.noise(unseen)), tuple(seen.shape[1:])


def shown(images: Tensor) -> Tensor:
    """Return some pictures, clipped: a copy, which does not hold on to all of them."""
    return images[:SHOWN].clamp(-1, 1)


def full_rows(case: Case, settings: Settings, labels: Row) -> Found:
    """Return the rows and samples of what has all its evaluations: Euler-Maruyama, a predictor-corrector, the flow by RK45."""
    process = case.process
    samplers = {
        "euler_maruyama_full": euler_maruyama(settings.full),
        "reverse_diffusion_langevin": reverse_diffusion_langevin(settings.corrected, process.snr, alpha=process.alpha),
        "rk45": rk45(settings.flow_tolerance),
    }
    rows, pictures = [], {}
    for method, sampler in samplers.items():
        found = case.drawn(sampler)
        rows += case.measures.rows(found.images, method=method, nfe=found.nfe + 1, **labels)
        pictures[method] = shown(found.images)
    return rows, pictures


def tolerance_rows(case: Case, settings: Settings, labels: Row) -> Found:
    """Return the rows and samples of the adaptive solver by tolerance, and of its rivals at as many evaluations.

    DDIM runs on the VP path alone, as in the table.
    """
    rows, pictures = [], {}
    for tolerance in settings.tolerances:
        found, where = case.solved(tolerance), {"axis": "tolerance", "at": tolerance, **labels}
        rows += case.adaptive_rows(found, method="ggf", **where)
        pictures[f"ggf_{tolerance:g}"] = shown(found.images)
        nfe = round(found.nfe)
        rivals = {"euler_maruyama": euler_maruyama(nfe), **({"ddim": ddim(nfe)} if case.sde == "vp" else {})}
        for method, sampler in rivals.items():
            images = case.drawn(sampler).images
            rows += case.measures.rows(images, method=method, nfe=nfe, **where)
            pictures[f"{method}_{tolerance:g}"] = shown(images)
    return rows, pictures


def shelf_rows(case: Case, settings: Settings, labels: Row) -> list[Row]:
    """Return the rows of off-the-shelf adaptive solvers by their tolerance, which is relative and absolute; or why not."""
    rows = []
    for method, tolerances in settings.shelf.items():
        for tolerance in tolerances:
            where = {"method": f"torchsde_{method}", "axis": "tolerance", "at": tolerance, **labels}
            try:
                found = case.drawn(denoised_last(torchsde_adaptive(method, rtol=tolerance, atol=tolerance)))
            except SolverError as error:
                rows += [refused(metric, error, **where) for metric in ("feature_frechet", "leftover_noise")]
                continue
            rows += case.measures.rows(found.images, nfe=found.nfe + 1, **where)
    return rows


def ablation_rows(case: Case, settings: Settings, labels: Row) -> list[Row]:
    """Return the rows of the solver's variants, each as a method."""
    case, rows = case.first(settings.ablation_samples), []
    where = {"axis": "ablation", "at": settings.ablation_tolerance, **labels}
    for name in settings.ablations:
        found = case.solved(settings.ablation_tolerance, **ABLATIONS[name])
        rows += case.adaptive_rows(found, method=name, **where)
    return rows


def state_rows(name: str, case: Case, settings: Settings, labels: Row) -> list[Row]:
    """Return the rows of states of a model's training, all of it last: another network with the same process and data."""
    case, rows = case.first(settings.ablation_samples), []
    for share in (*settings.states, *([1.0] if settings.states else [])):
        state = trained(settings.data, name, settings.network, case.context, share)
        found = case._replace(trained=state).solved(settings.state_tolerance)
        rows += case.adaptive_rows(found, method="ggf", axis="share of training", at=share, **labels)
    return rows
