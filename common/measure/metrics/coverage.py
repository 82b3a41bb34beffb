"""Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020), by the package prdc.

All four ask which points fall into balls that reach to each point's k-th neighbour in its own set:

    precision   share of samples inside some real ball          recall     share of real points inside some sample ball
    density     real balls around a sample, over k, mean        coverage   share of real balls that hold a sample

Precision and density measure fidelity, recall and coverage variety; density and coverage resist outliers.
"""

import contextlib
import io
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from common.measure.metrics.points import as_pair


class Coverage(NamedTuple):
    """Shares between 0 and 1, except for density, which is 1 in expectation for equal distributions but has no bound."""

    precision: float
    recall: float
    density: float
    coverage: float


def coverage(real: Float[np.ndarray, "n d"], samples: Float[np.ndarray, "m d"], *, neighbours: int = 5) -> Coverage:
    """Return the four numbers of `samples` against `real`; compare only equal n, m and k = `neighbours`.

    Holds n x n, m x m and n x m distances in memory. Raises `RetraceError` for sets of fewer than k + 2 points.
    """
    import joblib
    import prdc

    real, samples = as_pair(real, samples, least=neighbours + 2)
    # prdc announces itself on stdout and asks for eight threads, whatever a job was given
    with contextlib.redirect_stdout(io.StringIO()), joblib.parallel_config("sequential"):
        found = prdc.compute_prdc(real, samples, nearest_k=neighbours)
    return Coverage(**{name: float(found[name]) for name in Coverage._fields})
