import fabricate
import pytest


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The fabricated tree, collected and built once: (papers, results, plan, out)."""
    from report.__main__ import main

    root = tmp_path_factory.mktemp("report")
    papers, results, plan = fabricate.tree(root)
    arguments = ["all", "--level", fabricate.LEVEL, "--results", str(results), "--runs", str(plan), "--out", str(root / "out")]
    assert main(arguments, root=papers) == 0
    return papers, results, plan, root / "out"


@pytest.fixture
def tree(tmp_path):
    """A fresh fabricated tree that a test may change: (papers, results, plan)."""
    return fabricate.tree(tmp_path)
