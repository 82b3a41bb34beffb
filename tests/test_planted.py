"""Every mistake that `tests/mutants.py` plants still has its place, and the tests that should notice it exist."""

import pytest
from mutants import MUTANTS, ROOT, WATCHED


@pytest.mark.parametrize(("file", "old", "new", "tests"), MUTANTS)
def test_a_mistake_can_be_planted(file, old, new, tests):
    assert old != new and old in (ROOT / file).read_text(), f"{file} has no {old!r} any more: renew the mutant"
    assert all((ROOT / test).exists() for test in tests.split())


def test_watched_files_and_their_tests_exist():
    assert not [file for file in WATCHED if not (ROOT / file).is_file()]
    assert all((ROOT / test).exists() for tests in WATCHED.values() for test in tests.split())
