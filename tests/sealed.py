"""Run folders that a test fills by hand, sealed as a finished run is: run.json holds the digest of every other file."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from common.runs.folders import digest


def seal(folder: Path, **info: Any) -> None:
    """Write run.json over whatever is in the folder."""
    files = {str(file.relative_to(folder)): digest(file) for file in sorted(folder.rglob("*")) if file.is_file()}
    files.pop("run.json", None)
    (folder / "run.json").write_text(json.dumps({**info, "files": files}))


def split(metrics: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the measured and the refused rows, as the report gives them to tables."""
    return metrics[metrics["status"] == "ok"], metrics[metrics["status"] == "refused"]
