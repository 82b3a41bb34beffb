"""Run folders that a test fills by hand, sealed as a finished run is: run.json holds the digest of every other file."""

import json
from pathlib import Path
from typing import Any

from common.runs.folders import digest


def seal(folder: Path, **info: Any) -> None:
    """Write run.json over whatever is in the folder."""
    files = {str(file.relative_to(folder)): digest(file) for file in sorted(folder.rglob("*")) if file.is_file()}
    files.pop("run.json", None)
    (folder / "run.json").write_text(json.dumps({**info, "files": files}))
