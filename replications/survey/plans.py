"""Plans: what each sampler does with a budget of evaluations, or with a tolerance, on a model (the table is in samplers.py)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Generator, Tensor

from common.dynamics.answers import Answering, Answers, Time, require
from common.dynamics.paths import level_times, ve
from common.dynamics.samplers.edm import edm_heun, noise_ratio, time_of_ratio
from common.dynamics.samplers.exponential import dpm_solver_pp_2m
from common.dynamics.samplers.loop import Sampler, Times
from common.dynamics.samplers.result import Samples, denoised_last
from common.errors import SolverError, UnsupportedModelError
from common.runs.settings import Settings as Base
from replications.gotta_go_fast.adaptive_sde import adaptive_sde
from replications.gotta_go_fast.brownian import Noise
from replications.ncsn.annealed_langevin import annealed_langevin, annealing
from replications.ncsnv2.step_size import best_step_size
from replications.score_sde.correctors import Alpha, langevin
from replications.score_sde.predictor_corrector import predictor_corrector
from replications.score_sde.predictors import reverse_diffusion
from replications.score_sde.probability_flow import rk45
from replications.survey.time_grids import end_of, evenly, karras, known_or, log_snr


class Choices(Base):
    """What is chosen of the samplers, for all models alike."""

    snr: dict[str, NonNegativeFloat] = Field(description="signal-to-noise ratio of the corrector's steps, by path")
    alpha: Alpha = Field(default="coded", description="factor of their size: one, coded (1 - beta_i) or printed")
    langevin_steps: PositiveInt = Field(default=5, description="Langevin steps at a level, where the levels may be chosen")
    churn: PositiveFloat = Field(default=20.0, description="S_churn of EDM's stochastic sampler")
    atol: PositiveFloat = Field(default=1 / 128, description="absolute tolerance of ggf; a grey level of pixels in [-1, 1]")
    first_step: PositiveFloat = Field(default=0.01, description="first step of ggf, in units of time")


class Plan(NamedTuple):
    """A sampler and its times."""

    sampler: Sampler
    times: Times

    def samples(self, model: Answers, x: Tensor, *, generator: Generator | None = None) -> Samples:
        """Return the samples that start from the prior's x."""
        return self.sampler(model, x, self.times, generator=generator)


def even_steps(sample: Sampler, stages: int, start: float | None = None) -> Callable[..., Plan]:
    """Return the plan of a method of so many evaluations a step: even times, and the denoising evaluation."""

    def plan(model: Answers, nfe: int, choices: Choices) -> Plan:
        return Plan(denoised_last(sample), known_or(model, evenly(model.path, (nfe - 1) // stages + 1, start)))

    return plan


def flow(sample: Sampler, stages: int) -> Callable[..., Plan]:
    """Return the plan of a solver of the velocity: without the denoising evaluation where it may go down to t = 0."""

    def plan(model: Answers, nfe: int, choices: Choices) -> Plan:
        if _ends_clean(model):
            steps = max(1, nfe // stages)
            return Plan(sample, torch.linspace(1.0, 0.0, steps + 1, dtype=torch.float64))
        return even_steps(sample, stages)(model, nfe, choices)

    return plan


def _ends_clean(model: Answers) -> bool:
    """Return whether a flow may go down to t = 0, where nothing is left to remove."""
    return model.path.t_min == 0


def dpm_solver(model: Answers, nfe: int, choices: Choices) -> Plan:
    """Return the plan of DPM-Solver++ 2M."""
    return Plan(denoised_last(dpm_solver_pp_2m), known_or(model, log_snr(model.path, nfe)))


def edm(churns: bool) -> Callable[..., Plan]:
    """Return the plan of EDM's Heun, with or without noise."""

    def plan(model: Answers, nfe: int, choices: Choices) -> Plan:
        times = known_or(model, karras(model.path, (nfe - 1) // 2 + 1))
        # the first time's noise may be less than the prior's
        scale = float(model.path.sigma(times[0])) / model.path.prior_std
        sample = denoised_last(edm_heun(choices.churn if churns else 0.0))
        return Plan(lambda model, x, times, **options: sample(model, scale * x, times, **options), times)

    return plan


def corrected(model: Answers, nfe: int, choices: Choices) -> Plan:
    """Return the plan of reverse diffusion with a Langevin step before each of its own."""
    name = model.path.name
    if name not in choices.snr:
        raise UnsupportedModelError(f"no signal-to-noise ratio of the corrector is chosen for path {name!r}")
    corrector = langevin(choices.snr[name], alpha=choices.alpha)
    return even_steps(predictor_corrector(reverse_diffusion, corrector), 2)(model, nfe, choices)


def ladder_langevin(model: Answers, nfe: int, choices: Choices) -> Plan:
    """Return NCSNv2's sampler: the step's size from the ratio of the levels, and a denoising evaluation at the end.

    Off the VE path the state is x / alpha, so that it need not shrink from one level to the next.
    """
    unscaled = model.path.name == "ve"
    count = len(model.known_times) if model.known_times is not None else max(2, (nfe - 1) // choices.langevin_steps)
    if count < 2 or nfe <= count:
        raise SolverError(f"{count} noise levels take at least {max(2, count) + 1} evaluations; it has {nfe}")
    asked = model if unscaled else in_noise_ratio(model, count)
    levels = evenly(asked.path, count) if asked.known_times is None else asked.known_times
    first, last = asked.path.sigma(levels[[0, -1]]).tolist()
    steps = (nfe - 1) // count
    sample = denoised_last(annealed_langevin(best_step_size((first / last) ** (1 / (count - 1)), steps, 1.0).rho))
    if unscaled:
        return Plan(sample, annealing(levels, steps))
    scale = float(model.path.alpha(torch.tensor(model.path.t_max, dtype=torch.float64)))
    return Plan(lambda _, x, times, **options: sample(asked, x / scale, times, **options), annealing(levels, steps))


def in_noise_ratio(model: Answers, count: int) -> Answering:
    """Return a model of all times of a path as one on the VE path of x / alpha, whose noise is sigma / alpha, at `count` levels.

    Raises `UnsupportedModelError` for a network of noise levels.
    """
    require(model, "Langevin dynamics in x / alpha", "data")
    ends = torch.tensor([model.path.t_max, end_of(model.path)], dtype=torch.float64)
    largest, least = noise_ratio(model.path, ends).tolist()
    path = ve(least, largest)
    levels = level_times(path, count)
    times = time_of_ratio(model.path, path.sigma(levels))
    # the model's own time at each level, and its alpha there
    places = dict(zip(levels.tolist(), zip(times.tolist(), model.path.alpha(times).tolist())))

    def data(y: Tensor, t: Time) -> Tensor:
        time, alpha = places[float(t)]
        return model.denoised(alpha * y, time)

    return Answering(path, "data", data, levels)


def adaptive_flow(model: Answers, tolerance: float, choices: Choices) -> Plan:
    """Return the plan of RK45 on the flow."""
    clean = _ends_clean(model)
    ends = [1.0, 0.0 if clean else end_of(model.path)]
    return Plan(rk45(tolerance, denoised=not clean), torch.tensor(ends, dtype=torch.float64))


def adaptive_reverse(noise: Noise) -> Callable[..., Plan]:
    """Return the plan of the adaptive solver of the reverse SDE; noise: what becomes of that of rejected steps."""

    def plan(model: Answers, tolerance: float, choices: Choices) -> Plan:
        solver = adaptive_sde(tolerance, choices.atol, first_step=choices.first_step, noise=noise)
        return Plan(denoised_last(solver), evenly(model.path, 2))

    return plan
