"""Trying out what a user wrote: on a few images of independent Gaussian pixels, whose score is exact on every path."""

import inspect
from collections.abc import Callable
from typing import Any, get_args

import torch
from torch import Tensor

from common.dynamics.answers import QUANTITIES, Answering, Answers, Time
from common.dynamics.denoiser import Conditioning, StateInput, TimeInput
from common.dynamics.oracles import gaussian
from common.dynamics.paths import PATHS, GaussianPath, ve
from common.dynamics.samplers.loop import CountedModel, Sampler, Times
from common.dynamics.samplers.result import Samples
from common.errors import RefusedError, SettingsError
from common.learning.objectives import Objective, Weight, regression_loss, weight_at

Grid = Callable[[GaussianPath, int], Times]  # so many times on a path, from noise to data
SHAPE, IMAGES = (1, 4, 4), 3
POINTS = (3, 5)
TINY = 1e-6  # of a difference quotient
SAMPLER = "sample(model, x, times, *, generator=None, callback=None) -> Samples"
STEP = "step(model, x, t, t_next, noise) -> (x, mean)"
Complain = Callable[..., SettingsError]


class Watched(CountedModel):
    """A model that counts evaluations sample by sample: what a sampler says of itself does not count."""

    def __init__(self, model: Answers) -> None:
        super().__init__(model)
        self.samples = 0

    def answer(self, quantity: str, x: Tensor, t: Time) -> Tensor:
        """Return the model's answer and count it."""
        self.samples += len(x)
        return super().answer(quantity, x, t)


def exact(path: GaussianPath) -> Answering:
    """Return what is exact for images of independent Gaussian pixels of standard deviation 0.3."""
    oracle = gaussian(path, torch.linspace(-0.5, 0.5, 16, dtype=torch.float64), 0.3)
    return Answering(path, "data", lambda x, t: oracle.denoised(x.flatten(1).double(), t).reshape(x.shape).to(x.dtype))


def evaluations(sample: Sampler, grid: Grid, path: GaussianPath, points: int) -> float:
    """Return how often a sampler asks an exact model on a path, for each sample, at so many times."""
    return _sampled(sample, grid, path, points)[1]


def try_sampler(sample: Any, grid: Grid, complain: Complain) -> None:
    """Raise what `complain` makes unless a sampler can be called as the suite's are, and gives finite samples on a path."""
    _check_call(sample, SAMPLER, (None, None, None), {"generator": None}, complain)
    reasons = []
    for name, make in PATHS.items():
        try:
            found, asked = _sampled(sample, grid, make(), POINTS[0])
        except RefusedError as error:
            reasons.append(f"{name}: {error}")
            continue
        except Exception as error:
            raise complain(f"fails on the path {name!r}; where it cannot run, raise common.errors.RefusedError", error) from None
        _check_samples(found, asked, f"on the path {name!r}", complain)
    if len(reasons) == len(PATHS):
        raise complain(f"runs on no path: {'; '.join(reasons)}")


def try_step(step: Any, complain: Complain) -> None:
    """Raise what `complain` makes unless a step can be called as the suite's are, and gives two states."""
    _check_call(step, STEP, (None,) * 5, {}, complain)
    path, generator = ve(), torch.Generator().manual_seed(0)
    x = torch.randn(IMAGES, *SHAPE, generator=generator)
    try:
        found = step(exact(path), x, 0.5, 0.4, torch.zeros_like)
    except RefusedError:
        return
    except Exception as error:
        raise complain("fails", error) from None
    if not isinstance(found, tuple) or len(found) != 2 or not all(isinstance(part, Tensor) for part in found):
        raise complain(f"is to return two tensors, {STEP}; it returned {_shown(found)}")
    for part in found:
        if part.shape != x.shape:
            raise complain(f"is to return states of shape {list(x.shape)}; it returned {list(part.shape)}")


def _sampled(sample: Sampler, grid: Grid, path: GaussianPath, points: int) -> tuple[Any, float]:
    """Return what a sampler returns on a path, and its evaluations of each sample."""
    generator, model = torch.Generator().manual_seed(0), Watched(exact(path))
    x = path.prior_std * torch.randn(IMAGES, *SHAPE, generator=generator)
    with torch.no_grad():
        found = sample(model, x, grid(path, points), generator=generator)
    return found, model.samples / IMAGES


def _check_samples(found: Any, asked: float, where: str, complain: Complain) -> None:
    """Raise unless samples have the shape of what they start from and are finite, and the model was asked."""
    if not isinstance(found, Samples) or not isinstance(found.x, Tensor):
        raise complain(
            f"{where} it returned {_shown(found)}; return Samples(x, nfe, rejected) of common.dynamics.samplers.result"
        )
    for name, expected in {"x": (IMAGES, *SHAPE), "nfe": (IMAGES,), "rejected": (IMAGES,)}.items():
        part = getattr(found, name)
        if not isinstance(part, Tensor) or part.shape != expected:
            raise complain(f"{where} its {name} is to have shape {list(expected)}; it is {_shown(part)}")
    if not bool(torch.isfinite(found.x).all()):
        raise complain(f"{where} its samples are not finite, although the model is exact")
    if not asked:
        raise complain(f"{where} it never asks the model")


def try_objective(objective: Objective, conditioning: Conditioning, complain: Complain) -> None:
    """Raise what `complain` makes unless path, prediction, weight and conditioning are such as a training can use."""
    path = objective.path
    if not isinstance(path, GaussianPath):
        raise complain(f"its path is to be a common.dynamics.paths.GaussianPath; it is {_shown(path)}")
    if objective.prediction not in QUANTITIES:
        raise complain(f"its prediction is to be one of {', '.join(QUANTITIES)}; it is {objective.prediction!r}")
    if not callable(objective.weight) and objective.weight not in get_args(Weight):
        raise complain(
            f"its weight is to be a function of the time, or one of {', '.join(get_args(Weight))}; it is {objective.weight!r}"
        )
    if conditioning.x not in get_args(StateInput) or conditioning.t not in get_args(TimeInput):
        known = ", ".join((*get_args(StateInput), *get_args(TimeInput)))
        raise complain(f"its network is to be given one of {known}; it is {conditioning}")
    t = torch.linspace(max(path.t_min, 1e-3), min(path.t_max, 1 - 1e-3), IMAGES, dtype=torch.float64)
    try:
        _check_path(path, t, complain)
        weight = objective.weight(t) if callable(objective.weight) else weight_at(path, objective.weight, t)
        if not isinstance(weight, Tensor) or weight.shape != t.shape or not bool(((weight >= 0) & weight.isfinite()).all()):
            raise complain(f"its weight is to be a number from 0 on for each of [{len(t)}] times; at {t.tolist()} it is {weight}")
        x0 = torch.zeros(IMAGES, *SHAPE, dtype=torch.float64)
        loss = regression_loss(lambda x, t: 0 * x, objective, x0 + 0.5, t=t, noise=x0 + 1)
    except SettingsError:
        raise
    except Exception as error:
        raise complain("fails", error) from None
    if loss.shape != t.shape or not bool(loss.isfinite().all()):
        raise complain(f"its loss is to be a finite number for each sample; it is {loss}")


def _check_path(path: GaussianPath, t: Tensor, complain: Complain) -> None:
    """Raise unless alpha and sigma are finite, have the derivatives that the path says, and there is noise."""
    for name in ("alpha", "sigma"):
        value, change = getattr(path, name), getattr(path, f"{name}_dot")
        found, slope = value(t), (value(t + TINY) - value(t - TINY)) / (2 * TINY)
        if found.shape != t.shape or not bool(found.isfinite().all()):
            raise complain(f"{name} of its path is to be a finite number for each time; at {t.tolist()} it is {found}")
        if not torch.allclose(change(t), slope, rtol=1e-4, atol=1e-4):
            raise complain(
                f"{name}_dot of its path is {change(t).tolist()} at {t.tolist()}, but {name} changes by {slope.tolist()}"
            )
    if not bool((path.sigma(t) > 0).all()):
        raise complain("sigma of its path is to be above 0 between data and noise")


def _check_call(what: Any, asked: str, positional: tuple[Any, ...], named: dict[str, Any], complain: Complain) -> None:
    """Raise unless something can be called with such arguments."""
    if not callable(what):
        raise complain(f"is to be a function {asked}; it is {_shown(what)}")
    try:
        signature = inspect.signature(what)
    except (TypeError, ValueError):
        return  # what is written in C says nothing of itself
    try:
        signature.bind(*positional, **named)
    except TypeError as error:
        raise complain(f"is to be a function {asked}; it is one of {signature}: {error}") from None


def _shown(value: Any) -> str:
    return f"a tensor of shape {list(value.shape)}" if isinstance(value, Tensor) else f"{type(value).__name__} {value!r}"[:80]
