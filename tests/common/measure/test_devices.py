"""Seconds of counted work, by hand."""

import pytest

from common.measure.devices import DEVICES, Device
from common.measure.peaks import PEAKS, Peaks
from common.measure.work import Work

CPU = Device("cpu", "cpu", Peaks(100.0, 100.0, 100.0), 10.0, 1e9, 2.0, 0.5, 0.1, 0.0)
GPU = CPU._replace(kind="gpu", rates=Peaks(100.0, 200.0, 400.0))


def test_a_processor_starts_computes_and_moves_one_after_the_other():
    assert CPU.seconds(Work(3, 0, 0)) == 6
    assert CPU.seconds(Work(0, 100, 0)) == 2
    assert CPU.seconds(Work(0, 0, 10)) == 10
    assert CPU.seconds(Work(3, 100, 10)) == 18


def test_a_gpu_computes_while_it_is_started():
    assert GPU.seconds(Work(3, 100, 10)) == 12
    assert GPU.seconds(Work(10, 100, 10)) == 20


def test_the_precision_decides_the_rate_of_products():
    assert [GPU.seconds(Work(0, 400, 0), precision) for precision in ("fp32", "tf32", "bf16")] == [8, 4, 2]


@pytest.mark.parametrize("name", DEVICES)
def test_every_device_is_in_order(name):
    device = DEVICES[name]
    assert 0 < device.arithmetic <= 1
    assert 0 < device.moving <= 1
    assert device.rates.fp32 <= device.rates.tf32 <= device.rates.bf16
    assert (device.kind == "cpu") == (name == "cpu")
    assert device.process > 0
    # bytes and bytes per second: of a card from 2020 on, and of a core
    memory, bandwidth = ((5e9, 16e9), (5e9, 2e10)) if name == "cpu" else ((20e9, 200e9), (5e11, 1e13))
    assert memory[0] < device.memory < memory[1]
    assert bandwidth[0] < device.bandwidth < bandwidth[1]


def test_devices_and_peaks_say_the_same():
    assert DEVICES["h100"].rates == PEAKS["NVIDIA H100 80GB HBM3"]
    assert DEVICES["h200"].rates == PEAKS["NVIDIA H200"]
    assert DEVICES["a100"].rates == DEVICES["a100-40gb"].rates == PEAKS["NVIDIA A100-SXM4-80GB"]


def test_the_same_processor_with_more_memory_moves_more():
    for smaller, larger in (("h100", "h200"), ("a100-40gb", "a100")):
        assert DEVICES[smaller].rates == DEVICES[larger].rates
        assert DEVICES[smaller].memory < DEVICES[larger].memory
        assert DEVICES[smaller].bandwidth < DEVICES[larger].bandwidth


def test_shares_of_a_peak_are_one_card_s():
    for device in DEVICES.values():
        if device.kind == "gpu":
            assert device[5:9] == DEVICES["h100"][5:9]
    assert [name for name, device in DEVICES.items() if device.measured] == ["cpu", "h100"]
