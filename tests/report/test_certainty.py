"""What a page says of its verdicts' certainty and of their registration, counted by hand."""

import math
from types import SimpleNamespace

import pandas as pd

from common.measure.paper import Amendment
from common.measure.registration import Lock, Registered
from report import certainty as module
from report.certainty import certainty, registered


def claims(*rows):
    columns = ("paper", "claim", "verdict", "p_value", "survives", "close", "registered", "amendments")
    return pd.DataFrame(rows, columns=columns)


TABLE = claims(
    ("p", "a", "replicated", 0.001, "yes", "", "as registered", 0),
    ("p", "b", "contradicted", 0.04, "no", "yes", "as registered", 2),
    ("p", "c", "inconclusive", 0.3, "no", "", "changed: range", 1),
    ("p", "d", "holds", math.nan, "", "", "as registered", 0),
    ("p", "e", "not run", math.nan, "", "", "as registered", 0),
)


def test_tests_verdicts_false_ones_survivors_and_close_ones():
    found = certainty(TABLE)
    assert (found.tests, found.given, found.survive, found.false) == (3, 2, 1, 0.05 * 3)
    assert [row.claim for row in found.close] == ["b"]
    nothing = certainty(TABLE[3:])
    assert (nothing.tests, nothing.given, nothing.survive, nothing.false) == (0, 0, 0, 0.0)


def test_a_registration_counts_amendments_and_tells_other_seeds(monkeypatch):
    entry = Amendment(date="2026-01-01", why="w", rule="r", verdict="none")
    kept = [
        SimpleNamespace(id="b", amended=[entry] * 2),
        SimpleNamespace(id="c", amended=[entry]),
        SimpleNamespace(id="a", amended=[]),
    ]
    paper = SimpleNamespace(claims=kept, withdrawn=[entry])
    then = {
        name: Registered(kind="real", range=(0, None), statistic="s", settings="s", amendments=count)
        for name, count in (("a", 0), ("b", 1), ("c", 1))
    }
    lock = Lock(date="2026-02-01", base_seed=7, looked_at=[0], rule={}, claims=then)
    runs = [SimpleNamespace(info={"base_seed": seed}) for seed in (7, 7, 8, None)]
    monkeypatch.setattr(module.registration, "read", lambda paper: lock)
    found = registered(paper, TABLE, runs)
    assert (found.date, found.base_seed, found.other_seeds) == ("2026-02-01", 7, [8])
    assert (found.amendments, found.since, found.changed) == (4, 1, 1), (
        "three of claims and one of a claim given up; one is newer"
    )
    monkeypatch.setattr(module.registration, "read", lambda paper: None)
    assert registered(paper, TABLE, runs).date == ""
