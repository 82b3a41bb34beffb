"""What can be wrong with claims before anything is run: a statistic that nothing feeds, a claim of the paper left out."""

import ast
import functools
import re
from pathlib import Path

from common.measure.paper import Paper
from common.measure.statistic_source import is_text, source
from common.runs.dependencies import sources
from common.runs.entries import entries
from common.runs.settings import ROOT, package_folder


def lint(paper: Paper) -> list[str]:
    """Return every problem of a paper's claims, each naming the claim and the remedy."""
    return [*left_out(paper), *unwritten(paper)]


def left_out(paper: Paper) -> list[str]:
    """Return a line for each of the paper's numbered claims that has no entry."""
    given = {claim.number for claim in paper.claims}
    missing = [str(number) for number in range(1, paper.numbered + 1) if str(number) not in given]
    return [
        f"{paper.id}/paper.yaml: claims: no entry has number {number} of {paper.numbered}; add one, if only at level paper"
        for number in missing
    ]


def unwritten(paper: Paper) -> list[str]:
    """Return a line for each statistic that reads a metric which none of its experiments writes."""
    package = f"replications.{paper.id}"
    if paper.folder != package_folder(package):
        return []  # a paper from elsewhere, whose experiments are not known here
    known, problems = set(entries(package)), []
    for claim in paper.claims:
        found = source(paper.folder, claim.statistic)
        where = f"{paper.id}/paper.yaml: claims {claim.id!r}: statistic {claim.statistic}"
        if not (experiments := sorted(found.words & known)):
            problems.append(f"{where}: names no experiment of jobs.yaml; start it from rows(...)")
            continue
        files = {file for name in experiments for file in sources(f"{package}.experiments.{name}") if "replications" in file}
        patterns = [pattern for file in sorted(files) for pattern in texts(ROOT / file)]
        problems += [
            f"{where}: reads the metric {metric!r}, which no file of {' or '.join(experiments)} writes; mend the name"
            for metric in sorted(found.metrics)
            if not any(pattern.fullmatch(metric) for pattern in patterns)
        ]
    return problems


@functools.cache
def texts(file: Path) -> list[re.Pattern]:
    """Return the texts of a module as patterns: what an f-string fills in may be any word."""
    tree = ast.parse(file.read_text())
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    whole = [re.escape(node.value) for node in ast.walk(tree) if is_text(node) and id(node) not in parts]
    filled = [
        "".join(re.escape(part.value) if is_text(part) else r"\w+" for part in node.values)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
    ]
    return [re.compile(text) for text in sorted({*whole, *filled})]
