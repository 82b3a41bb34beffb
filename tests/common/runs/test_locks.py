import json
import socket
import subprocess
import sys

import psutil
import pytest

from common.runs.locks import OWNER, free_stale_lock


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "0.output.lock").write_text("results/x\n")
    return tmp_path


def own(folder, **named):
    (folder / OWNER).write_text(json.dumps({"host": socket.gethostname(), **named}))


def locked(folder):
    return bool(list((folder / "locks").glob("*.lock")))


def test_a_dead_owners_lock_is_freed_and_a_living_ones_kept(folder):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    own(folder, pid=process.pid, started=psutil.Process(process.pid).create_time())
    before = (folder / OWNER).read_text()
    assert not free_stale_lock(folder) and locked(folder) and (folder / OWNER).read_text() == before
    process.kill()
    process.wait()
    assert free_stale_lock(folder) and not locked(folder)
    assert json.loads((folder / OWNER).read_text())["pid"] == psutil.Process().pid


def test_another_process_of_the_same_number_is_not_the_owner(folder):
    own(folder, pid=psutil.Process().ppid(), started=1.0)
    assert free_stale_lock(folder) and not locked(folder)


@pytest.mark.parametrize("text", ["", "{", '{"pid": 1}', '{"pid": 1, "started": 1, "host": "elsewhere"}'])
def test_a_lock_whose_owner_is_not_known_here_is_kept(folder, text):
    (folder / OWNER).write_text(text)
    assert not free_stale_lock(folder) and locked(folder)
