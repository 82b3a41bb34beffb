"""`python -m replications`: list papers, check a level, register claims before their run, make notebooks, time trainings."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from common.errors import RetraceError, SettingsError
from common.runs import settings as settings_of
from common.runs import workflow
from common.runs.entries import Entry, entries
from common.runs.folders import check_writable
from common.runs.plan import measured, requested
from common.runs.settings import package_folder
from replications import slices
from replications.forecast import command as forecast


def main() -> int:
    """List the papers and their experiments, check a level, register claims or time trainings; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m replications", description="Papers of this repository.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="papers and their experiments")
    check = commands.add_parser("check", help="check settings, claims, data and disk of a level; computes nothing")
    check.add_argument("--level", default="laptop")
    check.add_argument("--papers", nargs="*", metavar="PAPER", help="default: all")
    check.add_argument("--extra", nargs="*", default=[], metavar="FILE.py", help="your own files, which the survey takes")
    check.add_argument("--results", type=Path, default=Path("results"))
    check.add_argument("--seeds", type=int, metavar="N", help="replicates, for the forecast; default: the configuration's")
    add = commands.add_parser("register", help="write down what the claims are judged by, before their run").add_argument
    add("--papers", nargs="*", metavar="PAPER", help="default: all")
    add("--looked-at", nargs="*", type=int, default=[], metavar="SEED", help="base seeds that settings were chosen with")
    add("--results", type=Path, default=Path("results"))
    books = commands.add_parser("notebooks", help="make each paper's walkthrough into a notebook with holes and one with answers")
    books.add_argument("--papers", nargs="*", metavar="PAPER", help="default: all that have one")
    books.add_argument("--out", type=Path, default=Path("notebooks"))
    slices.add_arguments(commands.add_parser("slices", help="how fast the image models of a level train on this device"))
    forecast.add_arguments(commands.add_parser("forecast", help="what a level costs: work, memory, disk, hours on a device"))
    forecast.add_count_arguments(
        commands.add_parser("count", help="count the work of a level's runs, which the forecast is made from")
    )
    options = parser.parse_args()
    if options.command == "notebooks":
        return notebooks(options)
    if options.command == "slices":
        return slices.command(options)
    if options.command == "forecast":
        return forecast.command(options)
    if options.command == "count":
        return forecast.count(options)
    if options.command == "register":
        return register_all(options)
    if options.command == "list":
        print("\n".join(f"{paper}: {', '.join(settings_of.experiments(f'replications.{paper}'))}" for paper in workflow.papers()))
        return 0
    problems = check_all(options.level, options.papers or workflow.papers(), options.results, options.extra)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if not problems:
        for note in not_as_registered(options.papers or workflow.papers()):
            print(f"note: {note}", file=sys.stderr)
        print(f"level {options.level}: settings, claims, data and disk are in order")
        forecast.announce(options)
    return 2 if problems else 0


def register_all(options: argparse.Namespace) -> int:
    """Register papers with the base seed of config/config.yaml; return the exit status."""
    from common.measure.claims import check_statistics
    from common.measure.paper import load_paper
    from common.measure.registration import LOCK, register

    try:
        for name in options.papers or workflow.papers():
            paper = load_paper(existing(name))
            check_statistics(paper)
            base_seed, today = settings_of.base_seed(), datetime.now(UTC).date().isoformat()
            lock = register(paper, date=today, base_seed=base_seed, looked_at=options.looked_at, results=options.results)
            print(f"replications/{name}/{LOCK}: {len(lock.claims)} claims, base seed {lock.base_seed}; commit it, then run")
    except RetraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def notebooks(options: argparse.Namespace) -> int:
    """Write the notebooks; return the exit status."""
    try:
        from replications.notebooks import walkthroughs, write_all

        for file in write_all(options.out, options.papers or walkthroughs()):
            print(file)
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is missing: pip install {error.name}, or make setup", file=sys.stderr)
        return 2
    except RetraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def not_as_registered(papers: list[str]) -> list[str]:
    """Return how claims differ from their registration without saying so."""
    from common.measure.paper import load_paper
    from common.measure.registration import changes

    return [problem for paper in papers for problem in changes(load_paper(existing(paper))).problems]


def check_all(level: str, papers: list[str], results: Path, extra: Sequence[str] = ()) -> list[str]:
    """Return every problem that would stop a run of this level; empty if there is none."""
    from common.measure.claims import check_statistics
    from common.measure.paper import load_paper

    checks = [lambda: settings_of.check_level(level), lambda: check_writable(results / level)]
    for paper in papers:
        checks.append(lambda paper=paper: check_statistics(load_paper(existing(paper))))
    known = [paper for paper in papers if paper in workflow.papers()]
    for experiment, overrides in shared_runs(known, level, extra):
        checks.append(lambda experiment=experiment, overrides=overrides: check_run("common", experiment, level, overrides))
    for paper in known:
        for experiment in settings_of.experiments(f"replications.{paper}"):
            checks.append(lambda paper=paper, experiment=experiment: check_one(f"replications.{paper}", experiment, level, extra))
    problems = []
    for check in checks:
        try:
            check()
        except RetraceError as error:
            problems.append(str(error))
    return list(dict.fromkeys(problems))


def existing(paper: str) -> Path:
    """Return a paper's folder, or raise naming the papers there are."""
    if paper not in workflow.papers():
        raise SettingsError(f"there is no paper {paper!r}{settings_of.hint(paper, workflow.papers())}")
    return package_folder(f"replications.{paper}")


def shared_runs(papers: list[str], level: str, extra: Sequence[str] = ()) -> list[tuple[str, list[str]]]:
    """Return the shared trainings that these papers take, with their overrides; empty if a jobs.yaml is wrong."""
    try:
        models = [
            ("train", [f"data={data}", f"objective={name}"])
            for data, names in requested(papers, level, extra).items()
            for name in names
        ]
        return [*models, *(("features", [f"data={data}"]) for data in measured(papers, level, extra))]
    except RetraceError:
        return []  # whose message the papers' own check gives


def check_one(package: str, experiment: str, level: str, extra: Sequence[str] = ()) -> None:
    """Check one experiment's settings and, for each data set and own file that it is run on, that they are there and whole."""
    entry = entries(package).get(experiment, Entry())
    files = [[f"{entry.extra}={file}"] for file in extra] if entry.extra else []
    # an experiment with data sets, but none at this level, is not run there
    for override in [[f"data={name}"] for name in entry.sets(level)] if entry.data else [[]]:
        for file in files or [[]]:
            check_run(package, experiment, level, [*override, *file])


def check_run(package: str, experiment: str, level: str, overrides: list[str]) -> None:
    """Raise what would stop one run."""
    module = importlib.import_module(f"{package}.experiments.{experiment}")
    settings = settings_of.resolve(package, experiment, level, overrides)
    if hasattr(module, "check"):
        module.check(settings)


if __name__ == "__main__":
    sys.exit(main())
