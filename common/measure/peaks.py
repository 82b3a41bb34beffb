"""What a device can do at the most: dense matrix products in operations per second, from its vendor's data sheet.

A data sheet's number "with sparsity" is twice that. A device whose power or clock is limited does less than its sheet says.
"""

from typing import Literal, NamedTuple

Precision = Literal["fp32", "tf32", "bf16"]


class Peaks(NamedTuple):
    """Operations per second in each precision."""

    fp32: float
    tf32: float
    bf16: float


_A100, _H100 = Peaks(19.5e12, 156e12, 312e12), Peaks(67e12, 494.7e12, 989.4e12)
# by the name that CUDA gives a device
PEAKS: dict[str, Peaks] = {
    "NVIDIA A100-SXM4-40GB": _A100,
    "NVIDIA A100-SXM4-80GB": _A100,
    "NVIDIA A100-PCIE-40GB": _A100,
    "NVIDIA A100 80GB PCIe": _A100,
    "NVIDIA H100 80GB HBM3": _H100,
    "NVIDIA H200": _H100,
    "NVIDIA H100 PCIe": Peaks(51e12, 378e12, 756e12),
    "NVIDIA L40S": Peaks(91.6e12, 183e12, 362e12),
}


def peak(device: str, precision: Precision) -> float | None:
    """Return the operations per second of a device by its name, or None for one that is not in the table."""
    return getattr(PEAKS[device], precision) if device in PEAKS else None
