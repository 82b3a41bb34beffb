"""Distance of samples to the data: near zero means copies, far more than between data points means off the manifold.

Read it beside the same distance of held-out data: samples clearly closer to the training set than test data are memorised.
"""

import numpy as np
from jaxtyping import Float

from common.measure.metrics.points import as_pair, centred


def nearest_distances(x: Float[np.ndarray, "n d"], reference: Float[np.ndarray, "m d"]) -> Float[np.ndarray, " n"]:
    """Return for each point of `x` the Euclidean distance to its nearest neighbour in `reference`."""
    from sklearn.neighbors import NearestNeighbors

    points, candidates = centred(*as_pair(x, reference))
    nearest = NearestNeighbors(n_neighbors=1).fit(candidates).kneighbors(points, return_distance=False)[:, 0]
    # the search expands |a - b|^2 = a.a - 2 a.b + b.b, which loses half the digits of a copy's distance: measure it anew
    return np.linalg.norm(points - candidates[nearest], axis=1)


def distance_to_data(x: Float[np.ndarray, "n *shape"], data: Float[np.ndarray, "m *shape"]) -> float:
    """Return the median over samples of the distance to the nearest data point (images are flattened)."""
    return float(np.median(nearest_distances(*as_pair(x, data))))
