"""The table of training slices: one row for each model, arm and device, written as it is measured; what stands is not done again.

batch                      images per step
arm                        one of `common.evaluation.arms`: precision, memory_format, compiled, and tf32, where TF32 is on
level_settings             whether that is how the level trains it
step_seconds, step_spread  median of the steps after the warm-up, and the distance of their quartiles
start_seconds              from the settings to the end of the first step: network, noise for images, compiler
speedup                    step_seconds of the arm fp32 over this one's
flops_per_image            operations of matrix products and convolutions in a step, as torch counts them: a multiply-add is two.
                           A solver that chooses its steps takes other numbers of evaluations later in a training
utilisation                these, per second, over the device's peak in the arm's precision (`common.measure.peaks`)
forward_images_per_second  of the averaged model without gradients, at the same batch: evaluations of a denoiser, answers of a
                           classifier, samples of a flow
status, message            ok; or failed, and why
"""

import contextlib
import csv
import io
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from common.errors import RetraceError
from common.evaluation.arms import BASE
from common.evaluation.slices import Slice, described, measured, reason
from common.measure.peaks import Precision, peak
from common.runs.folders import write

KEY = ("level", "paper", "model", "data", "batch", "device", "torch", "arm")
COLUMNS = (
    *("level", "paper", "model", "data", "shape", "parameters", "batch"),
    *("arm", "precision", "tf32", "memory_format", "compiled", "level_settings"),
    *("step_seconds", "step_spread", "steps", "start_seconds", "images_per_second", "speedup"),
    *("flops_per_image", "utilisation", "peak_memory_bytes", "forward_images_per_second"),
    *("device", "torch", "status", "message"),
)
Row = dict[str, Any]


def measure(
    slices: Sequence[Slice],
    arms: Sequence[str],
    file: Path,
    device: torch.device,
    *,
    seconds: float,
    limit: float,
    batch: int | None = None,
) -> list[Row]:
    """Measure every arm of every slice and return the table, which `file` holds after each; failed rows are tried again.

    The arms of a slice follow each other in this process. `limit` is the most seconds that a row may take; what takes longer, or
    fails in any other way, is a row with the reason.
    """
    rows = read(file)
    for each in slices:
        for arm in arms:
            begun = described(each, arm, device, batch)
            if any(same(row, begun) and row["status"] == "ok" for row in rows):
                continue
            row = completed(attempted(begun, each, arm, device, seconds, limit, batch), rows)
            rows = [*(row for row in rows if not same(row, begun)), row]
            write(file, lambda stream, rows=rows: stream.write(text(rows).encode()))
            print(line(row), flush=True)
    return rows


def attempted(begun: Row, each: Slice, arm: str, device: torch.device, seconds: float, limit: float, batch: int | None) -> Row:
    """Return a row, measured or with the reason why not."""
    try:
        with limited(limit):
            return {**begun, "status": "ok", **measured(each, arm, device, seconds=seconds, batch=batch)}
    except Exception as error:
        return {**begun, "status": "failed", "message": reason(error)}


def completed(row: Row, rows: Sequence[Row]) -> Row:
    """Return a row with what follows from it and from the other arms of its slice: operations, utilisation, speed-up."""
    if row["status"] != "ok":
        return row
    others = [other for other in rows if same(other, row, KEY[:-1]) and other["status"] == "ok"]
    counted = [float(other["flops_per_image"]) for other in (row, *others) if other.get("flops_per_image")]
    flops = counted[0] if counted else None
    base = row if row["arm"] == BASE else next((other for other in others if other["arm"] == BASE), None)
    precision: Precision = "bf16" if row["precision"] == "bf16" else "fp32" if row["tf32"] == "none" else "tf32"
    most, notes = peak(row["device"], precision), [row["message"]] if row.get("message") else []
    if most is None:
        notes.append(f"no peak of {row['device']!r} is known: add it to common/measure/peaks.py")
    if flops is None:
        notes.append(f"no operations are counted where the network is compiled: measure the arm {BASE} first")
    return {
        **row,
        "flops_per_image": flops,
        "utilisation": None if None in (flops, most) else flops * row["images_per_second"] / most,
        "speedup": float(base["step_seconds"]) / row["step_seconds"] if base else None,
        "message": "; ".join(notes),
    }


def same(row: Row, other: Row, keys: Sequence[str] = KEY) -> bool:
    """Return whether two rows agree in `keys`, one of them perhaps read from a file."""
    return all(str(row[key]) == str(other[key]) for key in keys)


def read(file: Path) -> list[Row]:
    """Return a table's rows as texts, none if there is no file. Raises `RetraceError` if it is no such table."""
    if not file.exists():
        return []
    try:
        with file.open(newline="") as stream:
            table = csv.DictReader(stream)
            rows, columns = list(table), table.fieldnames
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RetraceError(f"--out {file}: cannot be read ({error}); name another file") from None
    if tuple(columns or ()) != COLUMNS or any(None in row or None in row.values() for row in rows):
        raise RetraceError(f"--out {file}: not a table of training slices; name another file, or delete this one")
    return rows


def text(rows: Sequence[Row]) -> str:
    """Return a table as CSV."""
    stream = io.StringIO()
    table = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return stream.getvalue()


def line(row: Row) -> str:
    """Return a row as a line for people."""
    start = f"{row['level']} {row['model']} {row['data']} {row['batch']} {row['arm']}: "
    if row["status"] != "ok":
        return f"{start}{row['status']}, {row['message']}"
    share = "" if row["utilisation"] is None else f", {row['utilisation']:.0%} of the peak"
    memory = f", {row['peak_memory_bytes'] / 2**30:.1f} GiB" if row["peak_memory_bytes"] else ""
    faster = f", {row['speedup']:.2f} x {BASE}" if row["speedup"] else ""
    return f"{start}{row['images_per_second']:.4g} images/s{faster}{share}{memory}"


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `TimeoutError` here when the time is over; only a process's first thread can be interrupted so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise TimeoutError(f"took longer than {seconds:g} s; give it more with --limit")

    handler, timer = signal.signal(signal.SIGALRM, stop), signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        # as it was: somebody else may have been waiting
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)
