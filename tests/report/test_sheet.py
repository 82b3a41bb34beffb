"""The replication on a page: the paper's own texts, and results that follow from the verdicts."""

import pandas as pd
import pytest

from common.measure.paper import load_paper
from common.runs.settings import package_folder, papers
from report.sheet import results, sheet


def own(*lines):
    return pd.DataFrame(lines, columns=["verdict", "location", "level"]).assign(paper="p")


@pytest.mark.parametrize("name", papers())
def test_every_paper_has_its_page(name):
    paper = load_paper(package_folder(f"replications.{name}"))
    claims = own(("replicated", "Table 1", "laptop")).assign(paper=name)
    found = sheet(paper, claims, "laptop")
    assert [heading for heading, _ in found.parts] == [
        *("Scope of reproducibility", "Methodology", "Results", "What was easy", "What was difficult")
    ]
    assert sum(len(text) for _, text in found.parts) < 3500, "one page"
    assert sheet(paper.model_copy(update={"summary_sheet": None}), claims, "laptop") is None


def test_results_are_counted_by_verdict_and_place():
    found = own(
        ("replicated", "Table 1", "laptop"),
        ("replicated", "Table 1", "laptop"),
        ("replicated", "Figure 4", "laptop"),
        ("contradicted", "Figure 3", "laptop"),
        ("holds", "Theorem 1", "laptop"),
        ("fails", "Theorem 1", "laptop"),
        ("not run", "Table 2", "gpu"),
        ("not run", "Table 3", "paper"),
    )
    assert results(found, "laptop") == (
        "At level laptop, of 4 judged claims 3 were replicated (Table 1; Figure 4), 1 was contradicted (Figure 3). "
        "Of 2 checks 1 holds. Not run: 2 claims, 1 that level gpu judges, 1 that level paper judges."
    )


def test_nothing_run_nothing_found():
    assert results(own(("not run", "Table 1", "laptop")), "smoke") == "None of 1 claim was judged at level smoke."
