"""The small drawing beside a verdict: the range a claim asks for as a band, the measured interval as a bar upon it."""

import math
from dataclasses import dataclass

# Percent of the width kept free on each side, where a band that is open runs on to the edge.
MARGIN = 14.0


@dataclass(frozen=True)
class Strip:
    """Horizontal positions in percent of the width. An end of the band at 0 or 100 means that the range is open there."""

    band: tuple[float, float]
    bar: tuple[float, float]
    mean: float


def strip(
    bounds: tuple[float | None, float | None],
    mean: float,
    low: float = math.nan,
    high: float = math.nan,
    *,
    logarithmic: bool = False,
) -> Strip | None:
    """Place range, interval and mean on one scale that shows all their finite ends; None if nothing was measured.

    The scale is linear, or logarithmic where the number is judged on its logarithm and all ends have one.
    """
    if not math.isfinite(mean):
        return None
    if logarithmic and all(x > 0 for x in (mean, low, high, *bounds) if x is not None and math.isfinite(x)):
        least, most = (None if bound is None else math.log(bound) for bound in bounds)
        return strip((least, most), *(math.log(x) if math.isfinite(x) else x for x in (mean, low, high)))
    low, high = (low, high) if math.isfinite(low) and math.isfinite(high) else (mean, mean)
    ends = [bound for bound in bounds if bound is not None] + [low, mean, high]
    left, right = min(ends), max(ends)
    if right - left <= 1e-9 * max(abs(left), abs(right)):  # one point: put it in the middle
        left, right = left - max(abs(left), 1.0) / 2, right + max(abs(right), 1.0) / 2

    def place(x: float) -> float:
        return round(MARGIN + (100 - 2 * MARGIN) * (x - left) / (right - left), 2)

    band = (0.0 if bounds[0] is None else place(bounds[0]), 100.0 if bounds[1] is None else place(bounds[1]))
    return Strip(band, (place(low), place(high)), place(mean))
