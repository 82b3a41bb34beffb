"""`python -m report collect|build|all`: turn the run folders of a level into tables and a page."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from common.errors import RetraceError
from common.runs.levels import LEVELS
from common.runs.settings import ROOT


def main(arguments: Sequence[str] | None = None, root: Path = ROOT / "replications") -> int:
    """Collect, build or both; return 0 when everything asked for was written, 2 for bad input.

    Failed runs do not change the status: whether they are an error is the workflow's decision.
    """
    os.environ["MPLBACKEND"] = "agg"  # drawn into files, whatever the user's screen is
    options = _parser().parse_args(arguments)
    try:
        _run(options, root)
    except RetraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m report", description="Collect the runs of a level and write its report.")
    commands = parser.add_subparsers(dest="command", required=True)
    helps = {
        "collect": "write results/<level>/metrics.csv and claims.csv",
        "build": "write the page, with its tables beside it",
        "all": "collect and build",
    }
    for command, text in helps.items():
        add = commands.add_parser(command, help=text, description=text).add_argument
        add("--level", choices=LEVELS, default="laptop", help="default: %(default)s")
        add("--results", type=Path, default=Path("results"), metavar="DIR", help="where runs are kept; default %(default)s")
        add("--runs", type=Path, metavar="FILE", help="the planned run folders, one a line; default: results/<level>/runs.txt")
        if command != "collect":
            add("--out", type=Path, metavar="DIR", help="default: report/build/<level>")
            add("--papers", nargs="+", metavar="PAPER", help="only these; then results/<level> keeps its tables of all papers")
    return parser


def _run(options: argparse.Namespace, root: Path) -> None:
    # here, not above: --help should not wait for pandas and matplotlib
    from report.build import build
    from report.collect import collect, judge_all, load_papers, read_plan, write_tables

    chosen = getattr(options, "papers", None)
    plan = read_plan(options.runs or options.results / options.level / "runs.txt")
    papers = load_papers(root, chosen)
    collection = collect(options.level, plan, options.results)
    claims = judge_all(papers, collection)
    if options.command != "build" and not chosen:
        write_tables(options.results / options.level, collection.metrics, claims)
    if options.command != "collect":
        page = build(collection, papers, claims, options.out or Path("report/build") / options.level)
        print(f"wrote {page}")


if __name__ == "__main__":
    sys.exit(main())
