"""The cells of the survey's tables: every sampler at every budget on one model, all from the same starts and the same noise."""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor

from common.dynamics.answers import Answers
from common.dynamics.samplers.result import Samples
from common.errors import SolverError, UnsupportedModelError
from common.runs.folders import refused
from common.runs.settings import Settings as Base
from replications.survey.plans import Choices
from replications.survey.samplers import ADAPTIVE, FIXED, SAMPLERS, planned

Row = dict[str, Any]


class Budgets(Base):
    """Which samplers run, and with how many evaluations or at which tolerances."""

    samplers: list[Literal[tuple(SAMPLERS)]] = Field(default=list(SAMPLERS), description="samplers that run")
    nfe: list[PositiveInt] = Field(description="evaluations of all but the adaptive samplers")
    more: dict[Literal[tuple(FIXED)], list[PositiveInt]] = Field(
        default={}, description="further evaluations of the samplers that need them"
    )
    tolerances: dict[Literal[tuple(ADAPTIVE)], list[PositiveFloat]] = Field(
        description="tolerances of the adaptive samplers, relative ones of ggf, relative and absolute ones of rk45"
    )
    choices: Choices = Field(description="what is chosen of the samplers")

    def asked(self) -> Iterator[Row]:
        """Yield the labels of every cell. Adaptive samplers stand at their tolerance: their evaluations are what it takes."""
        for name in self.samplers:
            fixed = name in FIXED
            for at in [*self.nfe, *self.more.get(name, [])] if fixed else self.tolerances.get(name, []):
                yield {"method": name, "axis": "nfe" if fixed else "tolerance", "at": at}


class Cell(NamedTuple):
    """Samples with the labels of their rows, which say evaluations and the seconds of all samples; or why there are none."""

    labels: Row
    samples: Tensor | None
    reason: str = ""

    def refusal(self, metric: str, **labels: Any) -> Row:
        """Return the row of a cell that cannot run."""
        return refused(metric, self.reason, **self.labels, **labels)


def cells(
    model: Answers,
    noise: Float[Tensor, "n *shape"],
    budgets: Budgets,
    *,
    batch: int,
    draws: Callable[[], Generator],
) -> Iterator[Cell]:
    """Yield every cell of a model; its samples, on the CPU, start from standard normal `noise` in the prior's size.

    batch: samples that are drawn together; draws: a fresh generator of the noise on the way, on the noise's device.
    """
    starts = model.path.prior_std * noise
    for labels in budgets.asked():
        begin = perf_counter()
        try:
            plan, generator = planned(labels["method"], model, labels["at"], budgets.choices), draws()
            parts = [plan.samples(model, part, generator=generator) for part in starts.split(batch)]
            found = Samples(*(torch.cat(column).cpu() for column in zip(*parts)))
        except (SolverError, UnsupportedModelError) as error:
            yield Cell(labels, None, str(error))
            continue
        cost = {"nfe": float(found.nfe.double().mean()), "seconds": perf_counter() - begin, "n": len(found.x)}
        yield Cell({**labels, **cost}, found.x)
