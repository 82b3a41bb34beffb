"""What tests of sizes share."""

import pytest

from common.measure.work import Size


def is_size(found: Size, calls: float, samples: float) -> bool:
    """Return whether a size is what was counted by hand."""
    return (found.calls, found.samples) == (pytest.approx(calls), pytest.approx(samples))
