"""pyproject.toml is the one source of versions; the lock and environment.yml agree with it."""

import ast
import inspect
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from snakemake.scheduling.job_scheduler import JobScheduler

from common.runs.settings import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME = PROJECT["project"]["dependencies"]
LOCK = (ROOT / "requirements.lock").read_text()
PINS = re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", LOCK, flags=re.MULTILINE)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_lock_satisfies_every_requirement():
    pins = {}
    for name, version in PINS:
        pins.setdefault(canonical(name), []).append(version)
    for text in RUNTIME + PROJECT["dependency-groups"]["dev"]:
        requirement = Requirement(text)
        versions = pins.get(canonical(requirement.name), [])
        assert versions, f"{requirement.name} is not in requirements.lock; run make lock"
        assert all(requirement.specifier.contains(version) for version in versions), f"{text}: lock has {versions}"


# used by name and not by import: a plugin that Snakemake finds by itself, and commands
COMMANDS = {"snakemake-executor-plugin-slurm", "beartype", "import-linter", "pytest-timeout", "pytest-xdist", "ruff", "snakefmt"}


# what makes notebooks of the walkthroughs (replications/notebooks.py) is for development: no job needs it
TEACHING = {"jupytext", "nbformat"}


def imported(*folders: str) -> set[str]:
    """The distributions that the Python files below these folders (and the Snakefile) import."""
    known = packages_distributions()
    own = {path.name for path in ROOT.iterdir()} | {path.stem for part in ("tests", ".ci") for path in (ROOT / part).rglob("*")}
    found = set()
    for file in [ROOT / "Snakefile", *(file for folder in folders for file in (ROOT / folder).rglob("*.py"))]:
        text = file.read_text() if file.suffix else re.sub(r"(?m)^(?!import |from ).*$", "", file.read_text())
        for node in ast.walk(ast.parse(text)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            found |= {name.partition(".")[0] for name in names}
    foreign = found - set(sys.stdlib_module_names) - own
    return {canonical(distribution) for name in foreign for distribution in known.get(name, [f"{name} (not installed)"])[:1]}


def declared(requirements: list[str]) -> set[str]:
    return {canonical(Requirement(text).name) for text in requirements}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    runtime, development = declared(RUNTIME), declared(PROJECT["dependency-groups"]["dev"])
    used = imported("common", "replications", "report") - TEACHING
    assert used == runtime - COMMANDS
    assert imported("tests", ".ci") - used == development - COMMANDS


def test_every_pin_has_hashes_and_no_file_names_a_registry():
    blocks = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(PINS)
    assert all("--hash=sha256:" in block for block in blocks)
    for name in ("requirements.lock", "pyproject.toml", "environment.yml", "Makefile"):
        text = (ROOT / name).read_text()
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text), f"{name} names a registry"


def test_lock_covers_linux_and_macos():
    assert re.search(r"nvidia-cublas==.*sys_platform == 'linux'", LOCK), "CUDA packages are for Linux only"
    assert not re.search(r"^torch==[^\\]*sys_platform", LOCK, flags=re.MULTILINE), "torch itself is for every platform"


def test_environment_lists_the_same_requirements():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    assert pip == RUNTIME
    assert f"python{PROJECT['project']['requires-python']}" in environment["dependencies"]


def test_nothing_of_the_tree_is_installed():
    import common

    assert Path(common.__file__).is_relative_to(ROOT)
    assert "site-packages" not in common.__file__
    assert PROJECT["tool"]["uv"]["package"] is False and "build-system" not in PROJECT


def test_snakemakes_scheduler_has_the_limit_that_the_workflow_takes_away():
    used = [line.strip() for line in inspect.getsource(JobScheduler).splitlines() if "self.job_rate_limiter" in line]
    assert {"if self.job_rate_limiter is not None:", "if self.job_rate_limiter is None:"} <= set(used)
    assert "workflow.scheduler.job_rate_limiter = None" in (ROOT / "Snakefile").read_text()
