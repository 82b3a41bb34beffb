import errno
import io
from pathlib import Path

import pytest
import torch

from common.errors import CheckpointError, RetraceError
from common.learning.training.state import load_state, save_state, state_path

CPU = torch.device("cpu")
MARK = "abcdef0123456789"


def saved(folder, **more):
    file = state_path(folder / "state.pt", MARK)
    save_state(file, {"fingerprint": MARK, "weights": torch.arange(5000.0), **more})
    return file


def test_the_file_name_tells_trainings_apart(tmp_path):
    assert saved(tmp_path).name == "state-abcdef01.pt"


def test_a_state_comes_back_as_it_was_saved(tmp_path):
    state = load_state(saved(tmp_path, step=3), MARK, CPU)
    assert state["step"] == 3 and torch.equal(state["weights"], torch.arange(5000.0))
    assert load_state(tmp_path / "none.pt", MARK, CPU) is None


@pytest.mark.parametrize("keep", [0, 1, 100, 10_000, -1])
def test_truncated_at_any_place_is_an_error_with_a_remedy(tmp_path, keep):
    file = saved(tmp_path)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=rf"{file}: this training state is truncated or corrupt .*delete {file} to train"):
        load_state(file, MARK, CPU)


@pytest.mark.parametrize("place", [0.0, 0.3, 0.5, 0.9])
def test_one_bit_that_flipped_is_an_error(tmp_path, place):
    """A weight that rotted on disk would train on and end elsewhere."""
    file = saved(tmp_path)
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= 1
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match="truncated or corrupt"):
        load_state(file, MARK, CPU)


def test_other_content_is_an_error(tmp_path):
    file = tmp_path / "state.pt"
    for content in ({}, {"fingerprint": MARK[:8] + "00000000"}):
        save_state(file, content)
        with pytest.raises(CheckpointError, match="belongs to other settings"):
            load_state(file, MARK, CPU)


def test_code_in_a_state_is_not_run(tmp_path):
    file = tmp_path / "state.pt"
    save_state(file, {"fingerprint": MARK, "code": Path("x")})
    with pytest.raises(CheckpointError, match="truncated or corrupt"):
        load_state(file, MARK, CPU)


@pytest.mark.parametrize("room", [0, 700, 15_000])
def test_a_disk_that_fills_up_is_named_and_the_last_state_stays(tmp_path, monkeypatch, room):
    file = saved(tmp_path, step=1)
    before = file.read_bytes()

    class FullDisk(io.FileIO):
        def write(self, data):
            if self.tell() + len(bytes(data)) > room:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    monkeypatch.setattr(Path, "open", lambda path, mode: FullDisk(path, mode))
    with pytest.raises(RetraceError, match=f"{file}: could not be written .No space left on device"):
        saved(tmp_path, step=2)
    monkeypatch.undo()
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]
