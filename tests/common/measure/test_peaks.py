"""Peaks of devices: an unknown one has none, and a lower precision is never slower."""

from common.measure.peaks import PEAKS, peak


def test_an_unknown_device_has_no_peak():
    assert peak("cpu", "fp32") is None
    assert peak("NVIDIA H100 NVL", "bf16") is None  # whose clocks are others


def test_a_lower_precision_is_faster_and_bf16_twice_tf32():
    for name, peaks in PEAKS.items():
        assert peaks.fp32 < peaks.tf32 < peaks.bf16 == peak(name, "bf16")
        assert abs(peaks.bf16 / peaks.tf32 - 2) < 0.03
