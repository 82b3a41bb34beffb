"""What an experiment is, and what it is given.

An experiment is a module `replications/<paper>/experiments/<name>.py` with

    docstring             its first line is the help text
    Settings              a pydantic model (common.runs.settings.Settings)
    VARIANT               names of the settings that tell its runs apart, e.g. ("data", "objective"); may be empty
    run(settings, context) -> Outcome

and, where they apply,

    folder(settings, ...) -> Path    of runs that are models, which other jobs take as inputs
    check(settings)                  raises what would stop the run, before any compute
    FILES                            which of VARIANT are a user's own files: inputs of the run, and `folder` is named after them
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from common.errors import RetraceError
from common.runs import layout, seeds
from common.runs.settings import Settings, shared_backbone

OnStep = Callable[[int, torch.nn.Module, torch.nn.Module], None]


@dataclass(frozen=True)
class Context:
    """Where and as what a run happens: everything that is not a setting.

    `on_step(step, model, averaged model)`, where there is one, looks on after every step of every training of the run.
    """

    paper: str
    experiment: str
    level: str
    seed: int
    base_seed: int
    results: Path
    out: Path
    device: torch.device
    taken: list[Path] = field(default_factory=list, compare=False)
    on_step: OnStep | None = field(default=None, compare=False)

    def seed_for(self, *purpose: str | int) -> int:
        """Return the seed of one purpose in this run; methods that pass the same purpose share their randomness."""
        return seeds.derive_seed(self.base_seed, self.paper, self.experiment, self.seed, *purpose)

    def generator(self, *purpose: str | int, device: torch.device | str = "cpu") -> torch.Generator:
        """Return a fresh generator for one purpose."""
        return torch.Generator(device=device).manual_seed(self.seed_for(*purpose))

    def model(self, data: str, objective: str, seed: int | None = None, *, backbone: str | None = None) -> Path:
        """Return the folder of a trained model of this level, by default with the network of `common train`."""
        seed = self.seed if seed is None else seed
        backbone = backbone or shared_backbone(self.level, data)
        folder = layout.model_folder(self.results, self.level, data, backbone, objective, seed)
        return self._take(folder, "weights.safetensors")

    def features(self, data: str) -> Path:
        """Return the folder of this replicate's feature network of a data set; all methods of a replicate share it."""
        return self.model(data, "classifier", backbone="features")

    def file(self, path: str) -> Path:
        """Return a user's own file, and note that this run was made from it: run.json has its path and digest."""
        self.taken.append(Path(path))
        return Path(path)

    def run_of(self, paper: str, experiment: str, variant: str, seed: int | None = None) -> Path:
        """Return the folder of another run of this level, or say how to make it."""
        seed = self.seed if seed is None else seed
        return self._take(layout.run_folder(self.results, self.level, paper, experiment, variant, seed), "metrics.csv")

    def _take(self, folder: Path, file: str) -> Path:
        """Return another run's folder, and note that this run was made from it."""
        self.taken.append(present(folder, file, self.level))
        return folder


def present(folder: Path, file: str, level: str) -> Path:
    """Return `folder` if it holds `file`; otherwise raise with the command that makes it."""
    if not (folder / file).is_file():
        make = f"snakemake {folder / 'metrics.csv'} --cores --config level={level}"
        raise RetraceError(f"{folder / file} is missing; make it with: {make}")
    return folder


def load(package: str, experiment: str) -> ModuleType:
    """Import one experiment (and nothing of the others)."""
    return importlib.import_module(f"{package}.experiments.{experiment}")


def variant(module: ModuleType, settings: Settings) -> str:
    """Return the name that tells this run from the experiment's others, e.g. "checkerboard-fm_ot"."""
    return "-".join(str(getattr(settings, key)) for key in module.VARIANT)


def default_folder(module: ModuleType, settings: Settings, context: dict[str, Any]) -> Path:
    """Return the folder that the workflow uses for this run."""
    results, level, seed = context["results"], context["level"], context["seed"]
    if hasattr(module, "folder"):
        return module.folder(settings, results=results, level=level, seed=seed)
    return layout.run_folder(results, level, context["paper"], context["experiment"], variant(module, settings), seed)
