"""Run folders: one run is one folder, written file by file under temporary names, `metrics.csv` last.

    metrics.csv            long rows, one number each (COLUMNS)
    arrays.npz             what figures need
    samples.npz            samples, where there are any, so that a new metric costs no sampling
    weights.safetensors    trained weights, where there are any
    run.json               resolved settings, seed, command, provenance, cost
    failure.json           what went wrong at the last attempt; an older result is left as it was, but does not count

A folder without metrics.csv is not a finished run. run.json holds the digest of every other file, and readers check it.
"""

import contextlib
import csv
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import IO, Any, SupportsFloat

import numpy as np

from common.errors import CheckpointError, RetraceError

COLUMNS = (
    *("paper", "experiment", "dataset", "method", "variant", "axis", "at", "seed", "metric", "value", "error"),
    *("floor", "unit", "nfe", "seconds", "n", "status", "message", "level", "device", "commit"),
)
NUMERIC = ("at", "value", "error", "floor", "nfe", "seconds", "n")
# a run writes a few MB; half a disk page short of that is the wrong moment to find out
FREE_SPACE_MB = 64


@dataclass
class Outcome:
    """What an experiment hands back: measured rows, arrays for figures, samples, weights and a model's description."""

    rows: list[dict[str, Any]]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    samples: Mapping[str, np.ndarray] = field(default_factory=dict)
    weights: Mapping[str, Any] = field(default_factory=dict)  # tensors
    model: Mapping[str, Any] | None = None


def row(metric: str, value: SupportsFloat, *, dataset: str = "", method: str = "", unit: str = "", **more: Any) -> dict[str, Any]:
    """Return one measured number as a row.

    `more` may hold variant, nfe, seconds, n (how many items it averages), where a curve runs: `axis` (its name, such as "step" or
    "sigma") and `at` (the number there), and how far the number can be trusted: `error`, its standard error from finite samples,
    and `floor`, what the same measure reads for data against data with the same sizes.
    """
    return {"metric": metric, "value": float(value), "dataset": dataset, "method": method, "unit": unit, **more}


def refused(metric: str, reason: Exception | str, **labels: Any) -> dict[str, Any]:
    """Return the row of a number that cannot be measured, with the reason; it counts neither as measured nor as failed."""
    return {**row(metric, float("nan"), **labels), "status": "refused", "message": str(reason)}


def check_writable(folder: Path) -> None:
    """Raise `RetraceError` before any compute if `folder` cannot take the outputs of a run."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RetraceError(f"{folder}: cannot write here ({error.strerror}); free it or choose another --results") from None
    free = shutil.disk_usage(folder).free / 2**20
    if free < FREE_SPACE_MB:
        raise RetraceError(
            f"{folder}: only {free:.0f} MB free on this disk, a run needs {FREE_SPACE_MB}; free some space or choose another "
            "--results"
        )


def write(file: Path, fill: Callable[[IO[bytes]], Any]) -> None:
    """Write `file` whole or not at all: fill a temporary file beside it, sync, rename."""
    # a name of its own: another process may be writing the same file
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            fill(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except OSError as error:
        raise RetraceError(
            f"{file}: could not be written ({error.strerror}; {_free_mb(file.parent)} MB free on this disk); free some space or "
            "make the folder writable, and run again"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _free_mb(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free / 2**20:.0f}"
    except OSError:
        return "unknown"


def write_run(folder: Path, outcome: Outcome, info: Mapping[str, Any]) -> None:
    """Write a finished run: arrays, samples, weights and run.json first, `metrics.csv` last."""
    if outcome.arrays:
        write(folder / "arrays.npz", lambda stream: np.savez_compressed(stream, **outcome.arrays))
    if outcome.samples:
        write(folder / "samples.npz", lambda stream: np.savez_compressed(stream, **outcome.samples))
    if outcome.weights:
        write_weights(folder / "weights.safetensors", outcome.weights)
    shared = {
        **{key: info[key] for key in ("paper", "experiment", "variant", "seed", "level", "device", "commit")},
        "status": "ok",
        "message": "",
    }
    table = to_csv([{**shared, **row} for row in outcome.rows]).encode()
    written = [folder / name for name in ("arrays.npz", "samples.npz", "weights.safetensors") if (folder / name).is_file()]
    digests = {str(file.relative_to(folder)): digest(file) for file in [*written, *sorted(folder.glob("snapshots/*"))]}
    info = {**info, "files": {**digests, "metrics.csv": sha256(table).hexdigest()}}
    write_json(folder / "run.json", {**info, "model": outcome.model} if outcome.model else info)
    write(folder / "metrics.csv", lambda stream: stream.write(table))
    (folder / "failure.json").unlink(missing_ok=True)


def digest(file: Path) -> str:
    """Return a file's SHA-256."""
    with file.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def verified(folder: Path, name: str) -> Path:
    """Return a file of a finished run. Raises `CheckpointError` unless it is there and as its run wrote it."""
    file, record = folder / name, folder / "run.json"
    try:
        expected = json.loads(record.read_text())["files"].get(name)
        found = digest(file)
    except FileNotFoundError as error:
        raise CheckpointError(f"{error.filename} is missing; delete {folder} and run again") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{file}: cannot be read with its {record.name} ({error}); delete {folder} and run again") from None
    if found != expected:
        raise CheckpointError(
            f"{file}: is not what its run wrote (another digest than in run.json); delete {folder} and run again"
        )
    return file


def write_weights(file: Path, weights: Mapping[str, Any]) -> None:
    """Write tensors as safetensors."""
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    write(file, lambda stream: stream.write(save(tensors)))


def write_failure(folder: Path, info: Mapping[str, Any], message: str, traceback: str) -> None:
    """Leave a failed run's reason in its folder, where the report finds it; what an earlier run finished stays."""
    keep = ("paper", "experiment", "dataset", "variant", "seed", "level", "command")
    record = {key: info.get(key, "") for key in keep}
    write_json(folder / "failure.json", {**record, "status": "failed", "message": message, "traceback": traceback})


def write_json(file: Path, content: Any) -> None:
    """Write JSON that a person can read."""
    write(file, lambda stream: stream.write((json.dumps(content, indent=1, default=str) + "\n").encode()))


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV text with the fixed columns; floats are written so that they read back exactly."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: neutral(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def neutral(value: Any) -> Any:
    """Return a text that a spreadsheet would take for a formula with a quote before it; anything else as it is."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
