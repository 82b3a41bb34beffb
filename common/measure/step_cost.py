"""What a training step costs beside another: floating-point operations, counted by torch's own formulas, and time by turns."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from common.measure.metrics.density import standard_error
from common.measure.timing import interleaved_seconds
from common.measure.work import counted
from common.runs.folders import refused, row


def operations(work: Callable[[], Any]) -> int:
    """Return the floating-point operations of matrix products and convolutions, backward passes included."""
    return int(counted(work).flops)


def compared_costs(
    steps: Mapping[str, Callable[[], Any]], base: str, repeats: int, labels: Mapping[str, Any], metrics: tuple[str, str]
) -> list[dict[str, Any]]:
    """Return each step's operations over those of the step `base`, and the median ratio of their times in `repeats` turns.

    `metrics` are the names of both. A step that torch cannot make is a row with the reason.
    """
    rows, work = [], {}
    for name, step in steps.items():
        if reason := unable(step):
            rows += [refused(metric, reason, method=name, unit="ratio", **labels) for metric in metrics]
        else:
            work[name] = step
    counted, seconds = {name: operations(step) for name, step in work.items()}, interleaved_seconds(work, repeats)
    for name in (name for name in work if name != base):
        by_turn = np.array(seconds[name]) / np.array(seconds[base])
        rows.append(row(metrics[0], counted[name] / counted[base], method=name, unit="ratio", **labels))
        rows.append(
            row(metrics[1], np.median(by_turn), error=standard_error(by_turn), n=repeats, method=name, unit="ratio", **labels)
        )
    return rows


def unable(step: Callable[[], Any]) -> str:
    """Return why a step cannot be made, or nothing: torch has no forward mode of fused attention."""
    try:
        step()
    except RuntimeError as error:
        return f"torch cannot differentiate this network so: {error}"
    return ""
