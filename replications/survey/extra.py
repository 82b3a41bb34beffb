"""Samplers and objectives of one's own: what a user's Python file says, looked at before anything is computed with it.

A file says one or several of

    SAMPLERS = {"name": sample}        sample(model, x, times, *, generator=None, callback=None) -> Samples
    STEPS = {"name": step}             step(model, x, t, t_next, noise) -> (x, the same without this step's noise)
    OBJECTIVES = {"name": objective}   common.learning.objectives.Objective, with a path, a weight over time of one's own

which is what the suite's own samplers, methods and objectives are. A sampler or a step may be a pair with the name of its times
(`GRIDS`), an objective a pair with what its network is given (`Conditioning`). extra.md has an example.
"""

import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from common.dynamics.denoiser import Conditioning
from common.dynamics.samplers.loop import Sampler, sampler
from common.errors import SettingsError
from common.learning.objective_table import OBJECTIVES
from common.learning.objectives import Objective
from common.runs.extra import MODULE, check_source
from common.runs.settings import fingerprint, hint
from replications.survey.extra_checks import Grid, try_objective, try_sampler, try_step
from replications.survey.samplers import SAMPLERS
from replications.survey.time_grids import evenly, karras, log_snr

GRIDS: dict[str, Grid] = {"evenly": evenly, "log_snr": log_snr, "karras": karras}
KINDS = ("SAMPLERS", "STEPS", "OBJECTIVES")
NAME = re.compile(r"[a-z][a-z0-9_]*")
Complain = Callable[..., SettingsError]


class OwnSampler(NamedTuple):
    """A user's sampler, and the times that it is given."""

    sample: Sampler
    grid: Grid


class OwnObjective(NamedTuple):
    """A user's objective, and what its network is given for x and t."""

    objective: Objective
    conditioning: Conditioning


class Extra(NamedTuple):
    """What a file adds to the suite, by the user's names; `digest` is the SHA-256 of its text."""

    samplers: Mapping[str, OwnSampler]
    objectives: Mapping[str, OwnObjective]
    digest: str


def load(file: str) -> Extra:
    """Return what a user's file adds, all of it tried out on a tiny exact model.

    Raises `SettingsError`, naming the file, for a file that is missing or no Python, that fails when it is run, in which nothing
    is recognised, and for what has another signature than is asked or gives other shapes or numbers than it should.
    """
    return _loaded(file, check_source(file))


@lru_cache
def _loaded(file: str, source: str) -> Extra:
    module, digest = _run(file, source), sha256(source.encode()).hexdigest()
    found = {kind: _entries(file, kind, getattr(module, kind)) for kind in KINDS if hasattr(module, kind)}
    if not any(found.values()):
        raise SettingsError(f'{file}: nothing is recognised; say e.g. SAMPLERS = {{"mine": sample}}{_misspelt(module)}')
    taken = [name for entries in found.values() for name in entries]
    if twice := next((name for name in taken if taken.count(name) > 1), None):
        raise SettingsError(f"{file}: {twice!r} is named twice; give each a name of its own")
    samplers = {name: _sampler(file, name, said) for name, said in found.get("SAMPLERS", {}).items()}
    samplers |= {name: _step(file, name, said) for name, said in found.get("STEPS", {}).items()}
    objectives = {name: _objective(file, name, said) for name, said in found.get("OBJECTIVES", {}).items()}
    return Extra(samplers, objectives, digest)


def _run(file: str, source: str) -> ModuleType:
    """Return the module that a file makes; known to Python by its content, so that an edited file is another one."""
    name = f"{MODULE}{Path(file).stem}_{fingerprint(file, source)[:8]}"
    spec = importlib.util.spec_from_file_location(name, Path(file).resolve())
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        exec(compile(source, file, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _complaint(file)("it fails when it is run", error) from None
    return module


def _entries(file: str, kind: str, said: Any) -> dict[str, Any]:
    """Return what a file says of one kind, its names checked."""
    if not isinstance(said, Mapping):
        raise SettingsError(f'{file}: {kind}: must map names to what they are, e.g. {{"mine": ...}}; got {said!r}')
    for name in said:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise SettingsError(f"{file}: {kind}: {name!r} names a row of the tables; use small letters, digits and _")
        if name in SAMPLERS or name in OBJECTIVES:
            raise SettingsError(f"{file}: {kind}: {name!r} is one of the suite's own; choose another name")
    return dict(said)


def _sampler(file: str, name: str, said: Any) -> OwnSampler:
    sample, grid = _with_grid(file, name, said)
    try_sampler(sample, grid, _complaint(file, f"sampler {name!r}"))
    return OwnSampler(sample, grid)


def _step(file: str, name: str, said: Any) -> OwnSampler:
    step, grid = _with_grid(file, name, said)
    complain = _complaint(file, f"step {name!r}")
    try_step(step, complain)
    sample = sampler(name, lambda path, times: step)
    try_sampler(sample, grid, complain)
    return OwnSampler(sample, grid)


def _with_grid(file: str, name: str, said: Any) -> tuple[Any, Grid]:
    what, grid = said if isinstance(said, tuple) and len(said) == 2 else (said, "evenly")
    if not isinstance(grid, str) or grid not in GRIDS:
        raise SettingsError(f"{file}: {name!r}: there are no times {grid!r}{hint(str(grid), GRIDS)}")
    return what, GRIDS[grid]


def _objective(file: str, name: str, said: Any) -> OwnObjective:
    objective, conditioning = said if isinstance(said, tuple) and len(said) == 2 else (said, Conditioning())
    complain = _complaint(file, f"objective {name!r}")
    if not isinstance(objective, Objective) or not isinstance(conditioning, Conditioning):
        raise complain("give common.learning.objectives.Objective(path, prediction, weight), or a pair of it and a Conditioning")
    try_objective(objective, conditioning, complain)
    return OwnObjective(objective, conditioning)


def _misspelt(module: ModuleType) -> str:
    written = {name.upper(): name for name in vars(module) if not name.startswith("_")}
    close = next((f"; {kind} for {written[word]}?" for word in written for kind in KINDS if word in (kind, kind[:-1])), "")
    return close or f" (known: {', '.join(KINDS)})"


def _complaint(file: str, what: str = "") -> Complain:
    """Return what makes an error that names the file, the line in it that an exception went through, and what is at fault."""

    def complain(message: str, error: BaseException | None = None) -> SettingsError:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file] if error else []
        said = f": {type(error).__name__}: {error}" if error else ""
        return SettingsError(f"{file}{f', line {lines[-1]}' if lines else ''}: {what}{': ' if what else ''}{message}{said}")

    return complain
