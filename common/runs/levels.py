"""A level is a budget. All levels run the same code; rows of different levels never share a cell of a table."""

from typing import Literal, get_args

Level = Literal["smoke", "laptop", "gpu", "paper"]
LEVELS: tuple[str, ...] = get_args(Level)

WHERE = {
    "smoke": "every code path on tiny budgets, minutes on two cores",
    "laptop": "two cores, no GPU, no network, under half an hour",
    "gpu": "one GPU, hours, resumable",
    "paper": "a cluster, the papers' own settings",
}


def reaches(level: str, needed: str) -> bool:
    """Return whether a run at `level` has at least the budget of `needed`."""
    return LEVELS.index(level) >= LEVELS.index(needed)
