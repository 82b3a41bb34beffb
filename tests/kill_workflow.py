"""Kill the smoke workflow at many moments, and let the plain next call finish: nothing may differ from an unbroken run.

    python tests/kill_workflow.py [--kills 10] [--signals 5] [--cores 2]

Each trial starts from nothing in a copy of the tree, sends its signal at a random moment (SIGKILL to everything that the call
started; SIGINT and SIGTERM to the call alone, as a terminal or a scheduler does), calls `snakemake` again without any flag, and
compares every number of metrics.csv but the timings. By hand: it takes a minute and a half a trial.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
TIMED = ("seconds", "commit")
TIMINGS = (
    *("training_seconds", "evaluation_seconds", "forward_seconds", "gradient_seconds"),
    *("evaluation_share", "gradient_time_ratio", "top_octave_slope"),
)


def copy_of_the_tree(folder: Path) -> Path:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def call(tree: Path, cores: int) -> subprocess.Popen:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--config", "level=smoke"]
    with (tree / "output.txt").open("a") as output:
        return subprocess.Popen(
            command, cwd=tree, env=os.environ | {"PATH": path}, stdout=output, stderr=output, start_new_session=True
        )


def numbers(tree: Path) -> pd.DataFrame:
    table = pd.read_csv(tree / "results/smoke/metrics.csv").drop(columns=list(TIMED))
    return table[~table.metric.isin(TIMINGS)].reset_index(drop=True)


def trial(number: int, how: signal.Signals, moment: float, expected: pd.DataFrame, cores: int) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_of_the_tree(Path(folder) / "tree")
        process = call(tree, cores)
        time.sleep(moment)
        early = process.poll() is None
        (os.killpg if how == signal.SIGKILL else os.kill)(process.pid, how)
        process.wait()
        status = call(tree, cores).wait()
        same = status == 0 and numbers(tree).equals(expected)
        print(f"{number}: {how.name} after {moment:.1f} s ({'at work' if early else 'had ended'}): exit {status}, same: {same}")
        if not same:
            print((tree / "output.txt").read_text()[-3000:])
        return same


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--signals", type=int, default=5)
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_of_the_tree(Path(folder) / "tree")
        begin = time.time()
        if call(tree, options.cores).wait():
            sys.exit((tree / "output.txt").read_text()[-3000:])
        whole, expected = time.time() - begin, numbers(tree)
    moments = random.Random(0)
    signals = [signal.SIGKILL] * options.kills + [signal.SIGINT, signal.SIGTERM] * options.signals
    results = [
        trial(number, how, moments.uniform(0.05, 0.95) * whole, expected, options.cores) for number, how in enumerate(signals, 1)
    ]
    print(f"{sum(results)} of {len(results)} trials ended as an unbroken run")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
