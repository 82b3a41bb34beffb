"""How long a device takes for counted work (`common.measure.work`), by its data sheet and by what has been measured.

A processor starts operations one after the other, and a device does their arithmetic and moves their bytes. On a GPU both go on
at the same time, and the slower one decides; a CPU does both itself. Few steps reach a device's peak, so the share that they do
reach is part of the table: measured where `results/reference` has timings of that device, and else that of the one measured.
"""

from typing import Literal, NamedTuple

from common.measure.peaks import PEAKS, Peaks, Precision
from common.measure.work import Work

Kind = Literal["cpu", "gpu"]


class Device(NamedTuple):
    """start: seconds to start an operation; rates: peak operations per second; bandwidth: bytes per second; memory: bytes.

    arithmetic, moving: what share of rates and bandwidth a training reaches. process: seconds until a job's first step.
    """

    title: str
    kind: Kind
    rates: Peaks
    bandwidth: float
    memory: float
    start: float
    arithmetic: float
    moving: float
    process: float
    measured: bool = False

    def seconds(self, work: Work, precision: Precision = "fp32") -> float:
        """Return what the work takes in a precision of its training."""
        arithmetic = work.flops / (self.arithmetic * getattr(self.rates, precision))
        busy, started = arithmetic + work.moved / (self.moving * self.bandwidth), work.operations * self.start
        return max(busy, started) if self.kind == "gpu" else busy + started


# least squares of the logarithms, to a tenth, of twenty trainings' steps in results/reference/gpu-h100/slices.csv
START, ARITHMETIC, MOVING, PROCESS = 4.0e-5, 0.4, 0.4, 20.0


def _gpu(title: str, rates: Peaks, bandwidth: float, memory: float, *, measured: bool = False) -> Device:
    return Device(title, "gpu", rates, bandwidth, memory, START, ARITHMETIC, MOVING, PROCESS, measured)


_H100, _A100 = PEAKS["NVIDIA H100 80GB HBM3"], PEAKS["NVIDIA A100-SXM4-80GB"]
DEVICES = {
    # least squares over the runs of results/reference/laptop-epyc-2-cores, weighed by the inverse of their seconds
    "cpu": Device("core of a server", "cpu", Peaks(7.1e10, 7.1e10, 7.1e10), 1.17e10, 8e9, 3.6e-6, 1.0, 1.0, 1.2, measured=True),
    "h100": _gpu("NVIDIA H100 SXM", _H100, 3.35e12, 80e9, measured=True),
    "h200": _gpu("NVIDIA H200", _H100, 4.8e12, 141e9),
    "a100": _gpu("NVIDIA A100 80 GB", _A100, 2.039e12, 80e9),
    "a100-40gb": _gpu("NVIDIA A100 40 GB", _A100, 1.555e12, 40e9),
    "l40s": _gpu("NVIDIA L40S", PEAKS["NVIDIA L40S"], 0.864e12, 48e9),
    "rtx4090": _gpu("NVIDIA RTX 4090", Peaks(82.6e12, 82.6e12, 165.2e12), 1.008e12, 24e9),
    "rtx3090": _gpu("NVIDIA RTX 3090", Peaks(35.6e12, 35.6e12, 71e12), 0.936e12, 24e9),
}
