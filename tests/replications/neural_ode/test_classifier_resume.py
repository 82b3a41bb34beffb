"""A killed training of the ODE-Net ends bit for bit where an unbroken one ends, its record of evaluations included."""

import random
import re

import numpy as np
import processes

from common.runs import cli
from common.runs.call import planned

STEPS = 40
SETTINGS = [
    f"train.steps={STEPS}",
    "train.batch=80",
    "probe_images=8",
    "tolerance=2e-3",
    "train.checkpoint_seconds=0.02",
    "kind=ode_net",
]
PAPER = "replications.neural_ode"
WORDS = ["train_classifier", "--level", "smoke", *(word for setting in SETTINGS for word in ("--set", setting))]
# kept apart, because these settings are not the level's own
FOLDER = str(planned(PAPER, cli.parser(PAPER).parse_args(WORDS))[0].out.relative_to("results"))


def start(results):
    results.mkdir(exist_ok=True)
    return processes.start(cli.main, PAPER, [*WORDS, "--results", str(results)], output=results / "output.txt")


def content(folder):
    """The run's weights, arrays and metrics."""
    arrays = {name: array.tobytes() for name, array in np.load(folder / "arrays.npz").items()}
    return (folder / "weights.safetensors").read_bytes(), arrays, processes.untimed_rows(folder)


def test_killed_twice_and_resumed(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert processes.status(start(whole)) == 0
    moments = random.Random(3)
    for _ in range(2):
        processes.kill_in_training(start(broken), broken / FOLDER, moments.uniform(0.0, 0.3))
    assert processes.status(start(broken)) == 0
    resumed = re.search(r"resumed at step (\d+)", (broken / "output.txt").read_text())
    assert resumed and 1 < int(resumed[1]) < STEPS
    expected = content(whole / FOLDER)
    assert content(broken / FOLDER) == expected
    assert {"depth", "loss"} <= expected[1].keys()
    loss, depth = (np.load(whole / FOLDER / "arrays.npz")[name] for name in ("loss", "depth"))
    assert len(loss) == STEPS and len(depth) == 3 and (depth >= 8).all(), "before training, and after either of two epochs"
