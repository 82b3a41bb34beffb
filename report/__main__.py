"""`python -m report collect|build|all|check`: turn the runs of a level into tables and a page, compare with the reference."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from common.errors import RetraceError
from common.runs.levels import LEVELS
from common.runs.settings import ROOT


def main(arguments: Sequence[str] | None = None, root: Path = ROOT / "replications") -> int:
    """Collect, build, both or check; return 0 when everything asked for was written and nothing differs, 2 for bad input.

    Failed runs do not change the status: whether they are an error is the workflow's decision.
    """
    os.environ["MPLBACKEND"] = "agg"  # drawn into files, whatever the user's screen is
    options = _parser().parse_args(arguments)
    try:
        return _check(options) if options.command == "check" else _run(options, root)
    except RetraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


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
    text = "compare results/<level>/claims.csv with the committed reference of the level, claim by claim"
    add = commands.add_parser("check", help=text, description=f"{text}. Status 1 if something differs.").add_argument
    add("--level", choices=LEVELS, default="laptop", help="default: %(default)s")
    add("--results", type=Path, default=Path("results"), metavar="DIR", help="where runs are kept; default %(default)s")
    add("--reference", type=Path, metavar="DIR", help="default: the level's folder in results/reference")
    return parser


def _check(options: argparse.Namespace) -> int:
    from report.agreement import check

    return check(options.level, options.results, options.reference)


def _run(options: argparse.Namespace, root: Path) -> int:
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
