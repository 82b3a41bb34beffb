"""Where runs live. Apart from `common.runs.folders`, because the workflow needs it without importing torch."""

from pathlib import Path

RESULTS = "results"


def run_folder(results: Path, level: str, paper: str, experiment: str, variant: str, seed: int | str) -> Path:
    """Return where a run is kept: results/<level>/<paper>/<experiment>/<variant>/seed<seed>."""
    return results / level / paper / experiment / (variant or "default") / f"seed{seed}"


def extra_folder(results: Path, level: str, paper: str, experiment: str, data: str, file: str, seed: int | str) -> Path:
    """Return where a run on a user's own file is kept: apart from the level's runs, by the file's name."""
    return results / level / "own" / paper / experiment / f"{data}-{Path(file).stem}" / f"seed{seed}"


def model_folder(results: Path, level: str, data: str, backbone: str, objective: str, seed: int | str) -> Path:
    """Return where a trained model is kept. Its key names no paper: whoever needs the model takes it from here."""
    return results / level / "models" / f"{data}-{backbone}-{objective}" / f"seed{seed}"
