"""The container recipe: its commands find in this tree what they are written for. Nothing is built here."""

import re
import subprocess

import pytest

from common.runs.settings import ROOT

TEXT = re.sub(r"^#.*\n", "", (ROOT / "Containerfile").read_text(), flags=re.M).replace("\\\n", "")
LOCK = (ROOT / "requirements.lock").read_text()
NAMES = re.findall(r"^([a-z][a-z0-9_.-]*)==", LOCK, re.M)
# what comes with PyTorch's build for an index
TORCHS = re.compile(r"torch|torchvision|triton|nvidia-.+|cuda-.+")


def shell(pattern):
    """Return what a command of the recipe prints, reading the lock of this tree."""
    (command,) = re.findall(pattern, TEXT)
    command = command.replace("/tmp/requirements.lock", "requirements.lock")
    return subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_instructions_are_known_and_the_first_is_an_image():
    words = [line.split()[0] for line in TEXT.splitlines() if line.strip()]
    assert set(words) <= {"ARG", "FROM", "RUN", "ENV", "COPY", "WORKDIR", "CMD"} and words[:2] == ["ARG", "FROM"]


def test_pytorch_is_the_locks_and_the_cpus_unless_another_index_is_asked_for():
    pins = dict(line.split("==") for line in shell(r"\$\((grep [^)]*\)==[^)]*)\)").split())
    assert sorted(pins) == ["torch", "torchvision"] and all(f"\n{name}=={pin} " in LOCK for name, pin in pins.items())
    assert re.findall(r"ARG TORCH_INDEX=(\S+)", TEXT)[0].endswith("/whl/cpu") and '--index-url "${TORCH_INDEX}"' in TEXT


def test_everything_else_is_locked_with_its_hashes():
    rest = shell(r"(awk .*?) > /tmp/rest\.lock")
    kept = re.findall(r"^([a-z][a-z0-9_.-]*)==", rest, re.M)
    assert kept == [name for name in NAMES if not TORCHS.fullmatch(name)] and {"torchdiffeq", "torchsde"} <= set(kept)
    for entry in re.split(r"^(?=[a-z])", rest, flags=re.M)[1:]:
        assert "--hash=sha256:" in entry
    assert "--require-hashes --no-deps -r /tmp/rest.lock" in TEXT


def test_the_build_for_cuda_that_it_names_is_the_locks():
    (build,) = re.findall(r"whl/cu(\d+)", (ROOT / "Containerfile").read_text())
    (major, minor) = re.findall(r"^cuda-toolkit==(\d+)\.(\d+)", LOCK, re.M)[0]
    assert build == major + minor


@pytest.mark.parametrize("place", ["requirements.lock", "."])
def test_what_is_copied_is_here(place):
    assert re.search(rf"^COPY {re.escape(place)} ", TEXT, re.M) and (ROOT / place).exists()


def test_what_git_ignores_stays_outside():
    ignored = [re.sub(r"(^|!)/", r"\1", line).rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    left_out = [line.removeprefix("**/") for line in (ROOT / ".dockerignore").read_text().splitlines()[1:]]
    assert ignored == left_out
