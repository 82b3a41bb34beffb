"""`python -m replications forecast`: what a level asks of a machine, before it is spent."""

import argparse
import json
import sys
from pathlib import Path

from common.errors import RetraceError, SettingsError
from common.runs import settings as settings_of
from common.runs import workflow
from common.runs.settings import hint

DEFAULT = "h100"  # the device that has been measured


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add = parser.add_argument
    add("--level", default="gpu", help="smoke, laptop, gpu or paper; default %(default)s")
    add("--papers", nargs="*", metavar="PAPER", help="default: all")
    add("--device", default=DEFAULT, help="h100, h200, a100, a100-40gb, l40s, rtx4090, rtx3090 or cpu; default %(default)s")
    add("--seeds", type=int, metavar="N", help="replicates; default: the level's of config/config.yaml")
    add("--jobs", action="store_true", help="a line for each run instead of each experiment")
    add("--csv", type=Path, metavar="FILE.csv", help="write the hours of each run")
    add("--overview", action="store_true", help="the README's table of all levels, as Markdown")
    add("--line", action="store_true", help="the sums in a line")
    add("--json", action="store_true", help="every run as JSON, unrounded")
    add(
        "--resources",
        type=Path,
        metavar="FILE.yaml",
        help="write what each job asks of a cluster, for --config resources=FILE.yaml",
    )


def add_count_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("--level", required=True, help="smoke, laptop, gpu or paper")
    parser.add_argument("--only", nargs="*", default=[], metavar="PART", help="runs with one of these in their name")
    parser.add_argument("--results", type=Path, default=Path("results"), help="where the models of smoke and laptop are")


def command(options: argparse.Namespace) -> int:
    """Print the forecast, or write the table of resources; return the exit status."""
    try:
        check(options)
        from replications.forecast.ahead import summary, write_csv
        from replications.forecast.lines import lines
        from replications.forecast.overview import overview
        from replications.forecast.resources import write_resources
        from replications.forecast.show import table

        if options.overview:
            print(overview())
            return 0
        found = lines(options.level, options.papers or workflow.papers(), seeds_of(options), options.device)
        if options.resources:
            write_resources(options.resources, found)
            print(f"wrote {options.resources}")
        elif options.csv:
            write_csv(options.csv, options.level, found)
            print(f"wrote {options.csv}")
        elif options.line:
            print(f"forecast: {summary(found)}")
        elif options.json:
            print(json.dumps([line.record() for line in found], indent=1))
        else:
            print(table(found, jobs=options.jobs))
    except RetraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def announce(options: argparse.Namespace) -> None:
    """Print the forecast of a level in a line, or why there is none: that is no reason not to run."""
    from replications.forecast.ahead import announced

    papers = options.papers or workflow.papers()
    try:
        print(announced(options.level, papers, seeds_of(options), DEFAULT, options.results))
    except RetraceError as error:
        print(f"note: no forecast: {error}", file=sys.stderr)


def seeds_of(options: argparse.Namespace) -> int:
    """Return the replicates that are asked for, or the configuration's."""
    from replications.forecast.runs import configured

    return options.seeds or configured()["seeds"][options.level]


def count(options: argparse.Namespace) -> int:
    """Count the work of a level's runs; return the exit status."""
    try:
        settings_of.check_level(options.level)
    except RetraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from replications.forecast.count import count_all

    return count_all(options)


def check(options: argparse.Namespace) -> None:
    """Raise `SettingsError` for options that cannot be."""
    from common.measure.devices import DEVICES

    settings_of.check_level(options.level)
    if options.device not in DEVICES:
        raise SettingsError(f"--device {options.device}: not in the table{hint(options.device, DEVICES)}")
    if options.seeds is not None and options.seeds < 1:
        raise SettingsError(f"--seeds {options.seeds}: must be a whole number from 1 on")
    for paper in options.papers or []:
        if paper not in workflow.papers():
            raise SettingsError(f"--papers {paper}: there is no such paper{hint(paper, workflow.papers())}")
