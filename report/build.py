"""Build: the collected runs and judged claims of one level -> one page, with its tables as CSV files beside it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from common.errors import RetraceError
from common.measure.paper import Paper
from common.runs import provenance
from common.runs.folders import write
from common.runs.levels import WHERE
from report import cost
from report.certainty import Certainty, certainty
from report.collect import Collection, Unfinished, write_table, write_tables
from report.render import render
from report.views import Grid, PaperView, paper_view


@dataclass(frozen=True)
class Page:
    """Everything that the page shows."""

    level: str
    budget: str
    papers: Sequence[PaperView]
    counts: Counter
    certainty: Certainty
    planned: int
    failed: Sequence[Unfinished]
    not_run: Sequence[tuple[str, Sequence[Unfinished]]]
    machines: Sequence[cost.Machine]
    experiments: Sequence[cost.ExperimentCost]
    total: cost.Cost
    commits: Sequence[str]
    versions: Sequence[Sequence[tuple[str, str]]]
    days: Sequence[str]
    built_at: str


def build(collection: Collection, papers: Sequence[Paper], claims: pd.DataFrame, out: Path) -> Path:
    """Write `out/index.html`, `out/metrics.csv`, `out/claims.csv` and `out/tables/*.csv`; return the page's path."""
    views = [paper_view(paper, claims, collection, out / paper.id) for paper in papers]
    page = _page(collection, views, claims)
    try:
        write_tables(out, collection.metrics, claims)
        for grid in (grid for view in views for grid in view.tables if isinstance(grid, Grid) and grid.frame is not None):
            (out / grid.file).parent.mkdir(exist_ok=True)
            write_table(out / grid.file, grid.frame)
    except OSError as error:
        raise RetraceError(f"{out}: cannot be written ({error.strerror}); free it or choose another --out") from None
    html = render(page).encode()
    write(out / "index.html", lambda stream: stream.write(html))
    return out / "index.html"


def _page(collection: Collection, views: Sequence[PaperView], claims: pd.DataFrame) -> Page:
    runs, unfinished = collection.runs, collection.unfinished
    started = sorted(str(run.info["started"])[:10] for run in runs if run.info.get("started"))
    return Page(
        level=collection.level,
        budget=WHERE[collection.level],
        papers=views,
        counts=Counter(claims["verdict"]),
        certainty=certainty(claims),
        planned=len(runs) + len(unfinished),
        failed=[run for run in unfinished if run.status == "failed"],
        not_run=_grouped([run for run in unfinished if run.status == "not run"]),
        machines=cost.machines(runs),
        experiments=cost.by_experiment(runs),
        total=cost.total(runs),
        commits=cost.distinct(runs, "commit"),
        versions=cost.distinct(runs, "versions"),
        days=sorted({*started[:1], *started[-1:]}),
        built_at=provenance.commit(),
    )


def _grouped(runs: Sequence[Unfinished]) -> list[tuple[str, list[Unfinished]]]:
    """Group runs that were never started: one line for an experiment tells as much as one for each of its seeds."""
    groups: dict[str, list[Unfinished]] = {}
    for run in runs:
        groups.setdefault("/".join(filter(None, [run.paper, run.experiment])) or "other", []).append(run)
    return sorted(groups.items())
