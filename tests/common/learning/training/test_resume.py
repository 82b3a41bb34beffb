"""A killed training ends bit for bit where an unbroken one ends."""

import random

import numpy as np
import processes
import pytest

from common.learning.training.run import snapshot_file
from common.runs import cli
from common.runs.call import planned

PACKAGE = "common"
WORDS = ["train", "--level", "smoke", "--set", "train.steps=400", "--set", "data=digits", "--set", "objective=fm_vp"]
WORDS += ["--set", "train.checkpoint_seconds=0.02", "--set", "train.snapshots=4"]
# kept apart, because these settings are not the level's own
FOLDER = str(planned(PACKAGE, cli.parser(PACKAGE).parse_args(WORDS))[0].out.relative_to("results"))


def start(results, *more):
    results.mkdir(exist_ok=True)
    return processes.start(cli.main, PACKAGE, [*WORDS, "--results", str(results), *more], output=results / "output.txt")


def content(folder):
    """The run's weights, snapshots, loss curve and metrics; rows without the timing column."""
    arrays = np.load(folder / "arrays.npz")
    kept = [snapshot_file(step, raw=raw) for step in (100, 200, 300, 400) for raw in (True, False)]
    snapshots = [(folder / file).read_bytes() for file in kept]
    assert snapshots[-1] == (folder / "weights.safetensors").read_bytes() != snapshots[1]
    assert len(set(snapshots)) == len(snapshots), "raw and averaged weights differ"
    return snapshots, arrays["loss"].tobytes(), processes.untimed_rows(folder)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    results = tmp_path_factory.mktemp("unbroken")
    assert processes.status(start(results)) == 0
    return content(results / FOLDER)


def test_killed_three_times_and_resumed(tmp_path, unbroken):
    """kill -9 at three random moments after the first saved state, then run to the end."""
    moments = random.Random(7)
    for _ in range(3):
        processes.kill_in_training(start(tmp_path), tmp_path / FOLDER, moments.uniform(0.0, 0.3))
    process = start(tmp_path)
    assert processes.status(process) == 0
    assert "resumed at step" in (tmp_path / "output.txt").read_text()
    assert content(tmp_path / FOLDER) == unbroken
    assert not list((tmp_path / FOLDER).glob("training-state-*"))


def test_same_seed_same_bytes_other_seed_other_numbers(tmp_path, unbroken):
    assert processes.status(start(tmp_path, "--seed", "1", "0")) == 0
    assert content(tmp_path / FOLDER) == unbroken, "what the process did before makes no difference"
    assert content(tmp_path / FOLDER.replace("seed0", "seed1"))[0] != unbroken[0]


def test_truncated_state_is_named_with_its_remedy(tmp_path):
    process = start(tmp_path)
    assert processes.next_state(tmp_path / FOLDER, process)
    process.kill()
    processes.status(process)
    (state,) = (tmp_path / FOLDER).glob("training-state-*.pt")
    state.write_bytes(state.read_bytes()[:1000])
    assert processes.status(start(tmp_path)) == 1
    message = (tmp_path / "output.txt").read_text()
    assert f"{state}: this training state is truncated or corrupt" in message and f"delete {state}" in message
    assert len(state.read_bytes()) == 1000, "the file is left for its owner to look at"
