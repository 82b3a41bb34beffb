"""Whether a finished run still stands, so that a job which has to make one of its runs need not make the others again.

Snakemake knows jobs, not runs: if one replicate's folder is gone, the job of all replicates starts. A run stands if it is whole
(every file is as its run.json says), did not fail since, and has the settings, base seed, code and inputs of now.
"""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from common.errors import CheckpointError
from common.runs.call import PlannedRun
from common.runs.extra import MODULE
from common.runs.folders import digest, verified
from common.runs.settings import ROOT, fingerprint

KEEP = "RETRACE_KEEP"  # set by the workflow, unless it was told to make everything anew


def made_from(taken: Iterable[Path]) -> dict[str, Any]:
    """Return what a run was made from: the modules of this repository that its process loaded, and the runs and files it took."""
    modules = {name: module for name, module in list(sys.modules.items()) if not name.startswith(MODULE)}
    loaded = (getattr(module, "__file__", None) for module in modules.values())
    here = f"{ROOT}{os.sep}"  # compared as text: paths of every module of a process take longer than all else a run records
    files = sorted({file.removeprefix(here) for file in loaded if file and file.startswith(here)})
    files = [file for file in files if not file.startswith((".venv", "tests"))]
    inputs = {str(path): digest(_told_by(path)) for path in sorted(set(taken))}
    return {"code": {"digest": _of(files), "files": files}, "inputs": inputs}


def stands(run: PlannedRun, base_seed: int | None) -> bool:
    """Return whether a planned run is there already and would come out the same."""
    if (run.out / "failure.json").exists():
        return False
    try:
        info = json.loads((run.out / "run.json").read_text())
        same = run.mark and info["level_settings"] == run.mark and info["base_seed"] == base_seed
        code, inputs = info["made_from"]["code"], info["made_from"]["inputs"]
        if not same or code["digest"] != _of(code["files"]):
            return False
        if any(digest(_told_by(Path(path))) != found for path, found in inputs.items()):
            return False
        for name in info["files"]:
            verified(run.out, name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, CheckpointError):
        return False
    return True


def _told_by(path: Path) -> Path:
    """Return what tells one state of an input from another: a run's record, or a file itself."""
    return path / "run.json" if path.is_dir() else path


def renew(folder: Path) -> None:
    """Make a run that stands look as new as if it had been made again, which is what Snakemake goes by; metrics.csv last."""
    files = sorted((file for file in folder.rglob("*") if file.is_file()), key=lambda file: file.name == "metrics.csv")
    for file in files:
        os.utime(file)


def _of(files: Iterable[str]) -> str:
    return fingerprint({file: digest(ROOT / file) for file in files})
