"""Benchmarks measure time, so they run only when asked for: `pytest -o addopts= tests/benchmarks -m benchmark`.

Without pytest's usual options: the runtime type checks of the tests would be timed too.
"""

import pytest


def pytest_collection_modifyitems(config, items):
    if "benchmark" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("benchmark"):
                item.add_marker(pytest.mark.skip(reason="runs with -m benchmark"))
