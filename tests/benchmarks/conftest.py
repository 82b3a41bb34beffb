"""Benchmarks measure time, so they run only when asked for: `pytest tests/benchmarks -m benchmark -n 0`."""

import pytest


def pytest_collection_modifyitems(config, items):
    if "benchmark" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("benchmark"):
                item.add_marker(pytest.mark.skip(reason="runs with -m benchmark"))
