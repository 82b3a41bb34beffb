"""`python -m report collect|index|paper|all|check`: tables and pages of a level from its runs, and how they compare with ours."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from common.errors import RetraceError
from common.runs.levels import LEVELS
from common.runs.memory import leave
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
        "collect": "write results/<level>/metrics.csv, claims.csv and costs.csv",
        "index": "collect, and write the first page; the papers' pages stand beside it",
        "paper": "write the pages of the papers named by --papers",
        "all": "collect, and write every page",
    }
    for command, text in helps.items():
        add = commands.add_parser(command, help=text, description=text).add_argument
        add("--level", choices=LEVELS, default="laptop", help="default: %(default)s")
        add("--results", type=Path, default=Path("results"), metavar="DIR", help="where runs are kept; default %(default)s")
        add("--runs", type=Path, metavar="FILE", help="the planned run folders, one a line; default: results/<level>/runs.txt")
        add("--papers", nargs="+", metavar="PAPER", help="only these", required=command == "paper")
        if command != "collect":
            add("--out", type=Path, metavar="DIR", help="default: report/build/<level>")
        if command == "paper":
            add("--whole", action="store_true", help="link to the first page, which must be written too")
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
    from common.measure.claims import discoveries
    from report.build import build_index, build_paper
    from report.collect import collect, judge_all, load_papers, of_paper, read_plan, write_table, write_tables
    from report.cost import by_experiment, table

    plan = read_plan(options.runs or options.results / options.level / "runs.txt")
    papers = load_papers(root, options.papers)
    collection = collect(options.level, plan, options.results)
    claims = judge_all(papers, collection)
    if options.command != "paper":
        write_tables(options.results / options.level, collection.metrics, claims)
        write_table(options.results / options.level / "costs.csv", table(by_experiment(collection.runs)))
    if options.command == "collect":
        return 0
    out = options.out or Path("report/build") / options.level
    if options.command != "index":
        for paper in papers:
            # the same verdicts; which of them survive is counted over a page's own tests
            own = discoveries(claims[claims["paper"] == paper.id].reset_index(drop=True))
            whole = options.command == "all" or options.whole
            print(f"wrote {build_paper(of_paper(collection, paper), paper, own, out / paper.id, whole=whole)}", flush=True)
    if options.command != "paper":
        print(f"wrote {build_index(collection, papers, claims, out, options.results)}")
    return 0


if __name__ == "__main__":
    leave(main())
