"""Which files a job depends on: every module of this repository that its code imports, directly or not.

Snakemake reruns a job when an input changes, and an edited imported module is not an input by itself. Listing the whole
tree would rerun everything after every edit, so the workflow lists exactly the modules that grimp's import graph reaches.
"""

import functools
from pathlib import Path

import grimp

from common.runs.settings import ROOT, package_folder

PACKAGES = ("common", "replications", "report")


@functools.cache
def graph(root: Path = ROOT) -> grimp.ImportGraph:
    """Return the import graph of the repository (built from the sources; nothing is imported)."""
    return grimp.build_graph(*PACKAGES, cache_dir=str(root / ".snakemake" / "grimp"))


@functools.cache  # the graph is walked once per experiment, not once per job
def sources(*modules: str) -> list[str]:
    """Return the source files, relative to the root, that the modules need: their own and those they import."""
    needed = set(modules)
    for module in modules:
        needed |= graph().find_upstream_modules(module)
    return sorted(str(_file(module).relative_to(ROOT)) for module in needed)


def job_sources(package: str, experiment: str) -> list[str]:
    """Return the source files of one job: its command line and its experiment."""
    return sources(f"{package}.__main__", f"{package}.experiments.{experiment}")


def _file(module: str) -> Path:
    folder = package_folder(module)
    # report/build.py stands beside report/build/, where the pages go: the module comes first, as in Python's own search
    module_file = folder.with_suffix(".py")
    return module_file if module_file.is_file() else folder / "__init__.py"
