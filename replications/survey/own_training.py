"""A user's objective, trained as `common train` trains the suite's: same network, budget, first weights, batches and noise."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from common.dynamics.denoiser import Denoiser
from common.learning.data.training import sample_shape
from common.learning.fit import regressed
from common.learning.nets.build import build_backbone
from common.runs import settings as settings_of
from common.runs.experiment import Context
from common.runs.folders import row
from common.runs.settings import Settings as Base
from replications.gotta_go_fast.model_runs import Trained
from replications.survey.extra import OwnObjective


class Of(Base):
    """All that a training depends on beside its schedule: a state is resumed only where none of it changed."""

    objective: str = Field(description="its name in the rows")
    digest: str = Field(description="SHA-256 of the file that says what it is")
    common: Mapping[str, Any] = Field(description="settings of the suite's trainings")


def trained_own(name: str, made: OwnObjective, digest: str, data: str, context: Context) -> tuple[Trained, list[dict[str, Any]]]:
    """Return the denoiser that a training of the user's objective makes, with the averaged weights, and the training's rows."""
    common = settings_of.resolve("common", "train", context.level, [f"data={data}"])
    # the purpose of `common train`, so that a user's objective differs from the suite's in nothing else
    seed = replace(context, paper="common", experiment="train").seed_for(data)
    objective, shape = made.objective, sample_shape(data)
    backbone = build_backbone(common.backbone, shape, seed=seed)
    denoiser = Denoiser(backbone, objective.path, objective.prediction, objective.known_times, made.conditioning)
    # its states would be another objective's, which is trained in the same folder
    schedule = common.train.model_copy(update={"snapshots": 0})
    of = Of(objective=name, digest=digest, common=common.model_dump(mode="json"))
    how = {"data": data, "pixels": common.pixel_range, "seed": seed, "of": of}
    found = regressed(denoiser.to(context.device), objective, schedule, context, **how)
    labels = {"dataset": data, "method": "training", "variant": name, "unit": "1"}
    rows = [row("final_training_loss", float(found.losses[-1]), n=schedule.steps, seconds=found.seconds, **labels)]
    return Trained(found.model.eval().requires_grad_(False), common.pixel_range), rows
