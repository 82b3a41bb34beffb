"""Run folders that tests of figures fill by hand: FFJORD's, and those of papers that came after it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sealed import seal

from common.measure.figures import RunFolder
from common.runs.folders import COLUMNS


def row(metric: str, value: float, **more: Any) -> dict[str, Any]:
    """Return a finished row."""
    return {"metric": metric, "value": value, "status": "ok", **more}


def made_up(
    folder: Path,
    experiment: str,
    dataset: str,
    rows: list[dict[str, Any]],
    arrays: dict[str, np.ndarray],
    seed: int = 0,
    paper: str = "ffjord",
    **settings: Any,
) -> RunFolder:
    """Return a run that left these rows and arrays."""
    path = folder / experiment / dataset / f"seed{seed}"
    path.mkdir(parents=True)
    np.savez(path / "arrays.npz", **arrays)
    table = pd.DataFrame(rows, columns=COLUMNS).assign(paper=paper, experiment=experiment, level="laptop", seed=seed)
    table.assign(dataset=table.dataset.fillna(dataset)).to_csv(path / "metrics.csv", index=False)
    seal(path, paper=paper, experiment=experiment, seed=seed, dataset=dataset, settings={**settings, "data": dataset})
    return RunFolder.open(path)
