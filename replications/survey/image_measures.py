"""What samples of images are worth: Fréchet distance, precision and recall, in one set of features."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from torch import Tensor

from common.evaluation.yardstick import Yardstick
from common.measure.metrics.coverage import Coverage, coverage, radii
from common.measure.metrics.frechet import frechet_distance
from common.runs.folders import row

Row = dict[str, Any]


class Measures(NamedTuple):
    """The yardstick of a data set, and what as many training images as there are samples read on it."""

    yardstick: Yardstick
    neighbours: int
    floor: float
    shares: Coverage  # precision and recall of training images
    radii: Float[np.ndarray, " n"]  # of the test images

    def rows(self, images: Float[Tensor, "n c h w"], **labels: Any) -> list[Row]:
        """Return the rows of images in [-1, 1]: values beyond are clipped."""
        return self._rows(self.yardstick.features(images.clamp(-1, 1).float().cpu()), labels)

    def floor_rows(self, n: int, **labels: Any) -> list[Row]:
        """Return the rows of n training images."""
        return self._rows(self.yardstick.training[:n], {"method": "data", "n": n, **labels})

    def _rows(self, found: np.ndarray, labels: Row) -> list[Row]:
        reference = self.yardstick.reference
        shares = coverage(reference, found, neighbours=self.neighbours, real_radii=self.radii)
        return [
            row("feature_frechet", frechet_distance(found, reference), floor=self.floor, **labels),
            row("precision", shares.precision, floor=self.shares.precision, **labels),
            row("recall", shares.recall, floor=self.shares.recall, **labels),
        ]


def measures(yardstick: Yardstick, n: int, neighbours: int) -> Measures:
    """Return what measures n samples, with the floors of n training images."""
    reach = radii(yardstick.reference, neighbours)
    shares = coverage(yardstick.reference, yardstick.training[:n], neighbours=neighbours, real_radii=reach)
    return Measures(yardstick, neighbours, yardstick.floor(n), shares, reach)
