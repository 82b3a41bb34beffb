"""Every paper folder passes these by being there."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

from common.measure.paper import load_paper
from common.runs import settings as settings_of
from common.runs.entries import entries
from common.runs.experiment import default_folder
from common.runs.levels import LEVELS
from common.runs.plan import runs_of
from common.runs.settings import ROOT
from common.runs.workflow import papers

FILES = ["README.md", "paper.yaml", "claims.py", "settings.yaml", "figures.py", "jobs.yaml", "__main__.py"]
SOURCES = {"paper", "derived", "code", "figure", "quoted", "memory"}
EXPERIMENTS = [(paper, name) for paper in papers() for name in settings_of.experiments(f"replications.{paper}")]

every_paper = pytest.mark.parametrize("paper", papers())
every_experiment = pytest.mark.parametrize(("paper", "name"), EXPERIMENTS)


def folder(paper: str) -> Path:
    return ROOT / "replications" / paper


def statistics(paper: str) -> dict:
    module = importlib.import_module(f"replications.{paper}.claims")
    public = [(name, f) for name, f in inspect.getmembers(module, inspect.isfunction) if not name.startswith("_")]
    # written out in claims.py or one of its parts, or made from the vocabulary of common.measure.rows
    return {name: f for name, f in public if f.__module__.startswith(module.__name__) or f.__name__ == "compute"}


@every_paper
def test_required_files(paper):
    assert not [name for name in FILES if not (folder(paper) / name).is_file()]
    assert settings_of.experiments(f"replications.{paper}"), "a paper needs at least one experiment"


@every_paper
def test_claims_are_complete(paper):
    claims = load_paper(folder(paper)).claims
    assert claims
    assert len({claim.id for claim in claims}) == len(claims)
    for claim in claims:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", claim.id), claim.id
        assert claim.location and claim.statement.endswith("."), claim.id
        assert claim.level in LEVELS
        assert claim.statistic in statistics(paper), f"{claim.id}: no statistic {claim.statistic}"
        assert any(bound is not None for bound in claim.range), f"{claim.id}: a range open on both sides cannot fail"


@every_paper
def test_every_statistic_has_a_test_with_tables_of_known_answers(paper):
    """By name, in the paper's own tests: one turned round or reading another method would judge a claim wrongly, in silence."""
    text = " ".join(file.read_text() for file in (ROOT / "tests" / "replications" / paper).glob("*.py"))
    assert not [name for name in statistics(paper) if name not in text]


@every_paper
def test_every_statistic_is_used_and_documented(paper):
    used = {claim.statistic for claim in load_paper(folder(paper)).claims}
    assert set(statistics(paper)) == used
    assert all(function.__doc__ for function in statistics(paper).values())


@every_paper
def test_reported_numbers_carry_their_source(paper):
    description = load_paper(folder(paper))
    for claim in description.claims:
        assert claim.reported == "none" or (claim.reported.source in SOURCES and claim.reported.protocol), claim.id
    for table in description.reported_tables:
        assert table.source in SOURCES and table.location
        assert all(len(row) == len(table.columns) for row in table.rows), table.title


@every_experiment
@pytest.mark.parametrize("level", LEVELS)
def test_settings_at_every_level(paper, name, level):
    settings_of.resolve(f"replications.{paper}", name, level)


@every_paper
@pytest.mark.parametrize("level", LEVELS)
def test_the_plan_runs_every_experiment_where_it_writes(paper, level):
    """A planned run's folder is the one that the command line gives it, and each of its values is a setting."""
    table = entries(f"replications.{paper}")
    assert set(table) == set(settings_of.experiments(f"replications.{paper}")), "jobs.yaml: one entry per experiment"
    for name, entry in table.items():
        module = importlib.import_module(f"replications.{paper}.experiments.{name}")
        runs = runs_of(f"replications.{paper}", name, level, [0, 1], entry)
        # without a user's own file there is no run on one
        left_out = entry.extra or (isinstance(entry.data, dict) and entry.data.get(level) == [])
        assert runs or left_out, f"{name} runs on nothing at level {level}; if that is meant, jobs.yaml says `{level}: []`"
        for run in runs:
            overrides = [f"{key}={value}" for key, value in run.values.items()]
            settings = settings_of.resolve(f"replications.{paper}", name, level, overrides)
            place = {"paper": paper, "experiment": name, "level": level, "seed": run.seed, "results": Path("results")}
            assert run.folder == str(default_folder(module, settings, place))


@every_experiment
def test_help_text_and_contract(paper, name):
    module = importlib.import_module(f"replications.{paper}.experiments.{name}")
    first = (module.__doc__ or "").partition("\n")[0]
    assert len(first) > 20 and first.endswith("."), "the first line of the docstring is the help text"
    assert all(key in module.Settings.model_fields for key in module.VARIANT)
    assert list(inspect.signature(module.run).parameters) == ["settings", "context"]
    undocumented = [key for key, field in module.Settings.model_fields.items() if not (field.description or key == "train")]
    assert not undocumented, "every setting says what it is"


@every_paper
def test_readme_points_at_functions_that_exist(paper):
    """The equation table's last column holds `module.function` in backticks, modules seen from the paper or from the root."""
    text = (folder(paper) / "README.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|") and "`" in line]
    assert rows, "README.md needs a table: equation -> function"
    for row in rows:
        for name in re.findall(r"`([a-z_0-9.]+\.[A-Za-z_0-9]+)`", row):
            module, _, attribute = name.rpartition(".")
            full = module if module.startswith("common") else f"replications.{paper}.{module}"
            assert hasattr(importlib.import_module(full), attribute), f"{name} does not exist"
