"""Imports go down only: report -> replications -> common; among papers only back in time."""

from itertools import combinations

import grimp

from common.measure.paper import load_paper
from common.runs.dependencies import graph
from common.runs.settings import ROOT
from common.runs.workflow import papers


def chains(importer: str, imported: str) -> set:
    return graph().find_shortest_chains(importer=importer, imported=imported, as_packages=True)


def test_layers():
    assert graph().find_illegal_dependencies_for_layers(layers=("report", "replications", "common")) == set()


def test_papers_import_only_earlier_papers():
    places = {paper: load_paper(ROOT / "replications" / paper).place for paper in papers()}
    assert max(places, key=places.get) == "survey"
    for first, second in combinations(sorted(places, key=places.get), 2):
        assert not chains(f"replications.{first}", f"replications.{second}"), f"{first} imports the later {second}"


def test_the_check_would_find_a_wrong_import():
    wrong = grimp.ImportGraph()
    wrong.add_import(importer="common.a", imported="report.b")
    for name in ("common", "replications", "report"):
        wrong.add_module(name)
    assert wrong.find_illegal_dependencies_for_layers(layers=("report", "replications", "common"))
