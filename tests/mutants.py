"""Plant small mistakes one at a time and see which test notices: `make mutants`.

They stand in `tests/planted/`: a file, what stands there, what a slip would make of it, and the tests that should fail. A mutant
that survives is a test that is missing. By hand: a minute for ten, on two cores. `python tests/mutants.py WORD` runs those whose line
has the word;
`python tests/mutants.py --random 40 7` turns round operators and constants at random places of the files that are watched instead (7: which
sample), which shows what nobody thought of. Some of these change nothing that matters: look at the survivors.
"""

import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from planted import (
    clusters,
    common,
    ffjord,
    flow_matching,
    forecast,
    ggf_claims,
    ggf_experiments,
    ggf_solver,
    ncsn,
    ncsnv2_claims,
    ncsnv2_experiments,
    ncsnv2_networks,
    ncsnv2_samples,
    ncsnv2_techniques,
    neural_ode,
    score_sde,
    score_sde_claims,
    score_sde_networks,
    survey_claims,
    survey_report,
    teaching,
)

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 240  # a mutant that hangs is noticed too
PLANTED = (
    common,
    clusters,
    neural_ode,
    ncsn,
    ncsnv2_claims,
    ncsnv2_networks,
    ncsnv2_samples,
    ncsnv2_techniques,
    ncsnv2_experiments,
    ffjord,
    score_sde,
    score_sde_claims,
    score_sde_networks,
    ggf_solver,
    ggf_experiments,
    ggf_claims,
    flow_matching,
    survey_claims,
    survey_report,
    teaching,
    forecast,
)
MUTANTS = [mutant for part in PLANTED for mutant in part.MUTANTS]
WATCHED = {file: tests for part in PLANTED for file, tests in part.WATCHED.items()}
SWAPPED = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.Lt: ">=", ast.Gt: "<=", ast.LtE: ">", ast.GtE: "<"}
SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Lt: "<", ast.Gt: ">", ast.LtE: "<=", ast.GtE: ">="}


def slips(file: str) -> list[tuple[str, str, str, str]]:
    """Every operator and number of a file turned round, each in its whole line, as mutants."""
    text = (ROOT / file).read_text()
    lines, found = text.split("\n"), []

    def slip(row: int, start: int, end: int, old: str, new: str) -> None:
        line = lines[row - 1]
        at = line.find(old, start, end)
        if at >= 0 and text.count(line) == 1:
            found.append((file, line, line[:at] + new + line[at + len(old) :], WATCHED[file]))

    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.BinOp) and type(node.op) in SWAPPED and node.left.end_lineno == node.right.lineno:
            slip(node.right.lineno, node.left.end_col_offset, node.right.col_offset, SIGNS[type(node.op)], SWAPPED[type(node.op)])
        elif (
            isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED and node.left.end_lineno == node.comparators[0].lineno
        ):
            right = node.comparators[0]
            slip(right.lineno, node.left.end_col_offset, right.col_offset, SIGNS[type(node.ops[0])], SWAPPED[type(node.ops[0])])
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value:
            old = ast.get_source_segment(text, node) or ""
            slip(node.lineno, node.col_offset, node.end_col_offset or 0, old, f"({old} * 2)")
    return found


def survives(mutant: tuple[str, str, str, str]) -> str:
    """Plant one mistake in a copy of the tree; return "" if a test fails, or what happened."""
    file, old, new, tests = mutant
    text = (ROOT / file).read_text()
    if old not in text:
        return "does not apply: the code has changed, write the mutant anew"
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        ignore = shutil.ignore_patterns(".git", ".venv", "results", "build", ".snakemake", "*_cache", "__pycache__")
        shutil.copytree(ROOT, tree, ignore=ignore)
        (tree / file).write_text(text.replace(old, new, 1))
        command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-q", "-x", "-p", "no:cacheprovider", *tests.split()]
        try:
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=SECONDS, env=environment)
        except subprocess.TimeoutExpired:
            return ""
    return {0: "survives", 1: ""}.get(done.returncode, f"did not run: {done.stdout[-300:]}{done.stderr[-300:]}")


def main() -> int:
    """Run the mutants and print the score; 0 when every one that applies is caught."""
    if "--random" in sys.argv:
        pool_of_slips = [mutant for file in WATCHED for mutant in slips(file)]
        count, sample = (int(word) for word in [*sys.argv[2:], "0"][:2])
        chosen = random.Random(sample).sample(pool_of_slips, count)
    else:
        chosen = [mutant for mutant in MUTANTS if all(word in " ".join(mutant) for word in sys.argv[1:])]
    caught = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutant, outcome in zip(chosen, pool.map(survives, chosen)):
            caught += not outcome
            print(f"{outcome or 'caught'}: {mutant[0]}: {mutant[1]!r} -> {mutant[2]!r}", flush=True)
    print(f"{caught} of {len(chosen)} caught: {caught / len(chosen):.1%}")
    return 0 if caught == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
