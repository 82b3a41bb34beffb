"""The forecast of a level, a line for each run with its replicates: work, memory, disk, hours on a device."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from common.learning.training.settings import TrainSettings
from common.measure.devices import DEVICES
from common.runs.plan import ONE_RUN_PER_JOB, plan
from replications.forecast.runs import Planned, configured, planned
from replications.forecast.scaled import Forecast, forecast
from replications.forecast.sizes import schedules

# bytes of a parameter: weights, gradients, Adam's two moments and the average; the training state on disk has no gradients
WEIGHT, TRAINED, STATE = 4, 20, 16


class Line(NamedTuple):
    """The runs of a level that differ in their replicate alone; hours are of all of them on `device`, the rest is of one.

    memory: bytes of weights, gradients, optimiser, average and activations, which is what a step keeps for its backward pass;
    disk: bytes of weights, snapshots and training states. scaled_from: the lower level that the evaluations are scaled from, if
    they were not counted.
    """

    paper: str
    experiment: str
    variant: str
    replicates: int
    device: str
    trainings: int
    steps: int
    training_flops: float
    evaluations: float
    evaluation_flops: float
    parameters: int
    memory: float
    activations: float
    disk: float
    training_hours: float
    evaluation_hours: float
    start_hours: float
    scaled_from: str

    @property
    def hours(self) -> float:
        """All of it."""
        return self.training_hours + self.evaluation_hours + self.start_hours

    def record(self) -> dict[str, Any]:
        """Return the line by name, with its sum."""
        return {**self._asdict(), "hours": self.hours}


def lines(level: str, papers: Sequence[str], seeds: int, device: str) -> list[Line]:
    """Return the forecast of every run that the papers need at a level. Raises `RetraceError` where a count is missing."""
    every = list(planned(level, papers, seeds))
    jobs = len(plan(papers, {**configured(), "level": level, "seeds": {level: seeds}, "extra": None, "resources": None}))
    return [line(run, device, jobs / sum(len(run.seeds) for run in every)) for run in every]


def line(run: Planned, device: str, jobs: float = 1.0) -> Line:
    """Return the forecast of a run and its replicates, of `jobs` jobs each; what wants no GPU is done by a core of a CPU."""
    alone = run.level in ONE_RUN_PER_JOB
    name = device if run.gpu and alone else "cpu"
    how, found, plans, times = DEVICES[name], forecast(run), schedules(run), len(run.seeds) / 3600
    return Line(
        *run.key,
        len(run.seeds),
        name,
        len(plans),
        found.steps,
        found.training.flops,
        found.evaluations,
        found.rest.flops,
        found.parameters,
        in_memory(found, plans),
        float(found.kept if plans else 0.0),
        on_disk(found, plans),
        how.seconds(found.training, precision(plans)) * times,
        how.seconds(found.rest, "tf32") * times,
        how.process * jobs * times,
        found.scaled_from,
    )


def precision(plans: Sequence[TrainSettings]) -> str:
    """Return the precision of the products; torch convolves 32-bit numbers in TF32 where a GPU can."""
    return "bf16" if plans and plans[0].precision == "bf16" else "tf32"


def in_memory(found: Forecast, plans: Sequence[TrainSettings]) -> float:
    """Return the bytes that a training takes, or weights alone where there is none."""
    return float(found.parameters * TRAINED + found.kept if plans else found.parameters * WEIGHT)


def on_disk(found: Forecast, plans: Sequence[TrainSettings]) -> float:
    """Return the bytes of the weights of a run's trainings, averaged and raw at each snapshot, and of their states."""
    return float(sum(found.parameters * (WEIGHT * (1 + 2 * plan.snapshots) + STATE) for plan in plans))
