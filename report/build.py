"""Build: the collected runs and judged claims of one level -> an index and a page for every paper, with tables beside them."""

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from PIL import Image, ImageOps

from common.errors import RetraceError
from common.measure.paper import Paper
from common.runs import provenance
from common.runs.folders import write
from common.runs.levels import WHERE
from report import cost
from report.agreement import Line, agreement, read_claims, reference_file
from report.agreement import summary as summary_of
from report.certainty import Certainty, certainty
from report.cite import paper_entry, run_entry
from report.collect import Collection, Unfinished, write_table, write_tables
from report.equations import Equation, equations
from report.findings import belongs
from report.quality import Concern, concerns
from report.render import render
from report.sheet import Sheet, sheet
from report.views import PaperView, Summary, paper_view, summary

COVER_FILE = "figures/cover.webp"
WALKTHROUGH = "walkthrough.py"  # of a paper's folder, and beside its page, so that the link holds wherever the report goes
COVER = (480, 300)  # pixels: twice the size at which it is shown


@dataclass(frozen=True)
class Origin:
    """Where a page's numbers come from: level, runs, machines, versions, days."""

    level: str
    budget: str
    planned: int
    total: cost.Cost
    machines: Sequence[cost.Machine]
    commits: Sequence[str]
    versions: Sequence[Sequence[tuple[str, str]]]
    days: Sequence[str]
    built_at: str


@dataclass(frozen=True)
class Beside:
    """A page's claims beside the committed reference of the level, whose folder is `name`."""

    name: str
    lines: Sequence[Line]
    summary: str


@dataclass(frozen=True)
class Index:
    """Everything that the first page shows; `pictures` are data URIs by paper."""

    origin: Origin
    papers: Sequence[Summary]
    pictures: dict[str, str]
    counts: Counter
    certainty: Certainty
    failed: Sequence[Unfinished]
    not_run: Sequence[tuple[str, Sequence[Unfinished]]]
    experiments: Sequence[cost.ExperimentCost]
    ahead: Sequence[cost.Ahead]
    beside: Beside | None
    citation: str


@dataclass(frozen=True)
class PaperPage:
    """Everything that a paper's page shows; `whole` says whether a first page stands above it, `walkthrough` is a file or ""."""

    origin: Origin
    view: PaperView
    whole: bool
    equations: Sequence[Equation]
    walkthrough: str
    sheet: Sheet | None
    concerns: Sequence[Concern]
    beside: Beside | None
    citation: str
    run_citation: str


def build_index(
    collection: Collection, papers: Sequence[Paper], claims: pd.DataFrame, out: Path, results: Path = Path("results")
) -> Path:
    """Write `out/index.html`, `out/metrics.csv` and `out/claims.csv`; return the page's path. `results` has the level's forecast.

    The pages of the papers stand in folders of their own beside it, and their headline pictures are taken from there.
    """
    source = origin(collection)
    page = Index(
        source,
        [summary(paper, claims) for paper in papers],
        {paper.id: picture for paper in papers if (picture := _cover(paper, out))},
        Counter(claims["verdict"]),
        certainty(claims),
        [run for run in collection.unfinished if run.status == "failed"],
        _grouped([run for run in collection.unfinished if run.status == "not run"]),
        cost.by_experiment(collection.runs),
        cost.forecasts(collection.level, results),
        beside(collection.level, claims),
        _run_citation(collection, source),
    )
    return _written("index.html.jinja", page, collection, claims, out)


def build_paper(collection: Collection, paper: Paper, claims: pd.DataFrame, out: Path, *, whole: bool) -> Path:
    """Write a paper's `out/index.html` with its pictures and tables beside it; `claims` are the paper's own."""
    view = paper_view(paper, claims, collection, out)
    try:
        for grid in view.grids:
            (out / grid.file).parent.mkdir(parents=True, exist_ok=True)
            write_table(out / grid.file, grid.frame)
        _leave_cover(paper, view, out)
        walkthrough = _leave_walkthrough(paper, out)
    except OSError as error:
        raise _unwritable(out, error) from None
    source = origin(collection)
    page = PaperPage(
        source,
        view,
        whole,
        equations(paper),
        walkthrough,
        sheet(paper, claims, collection.level),
        concerns(paper, claims, collection, view.registration),
        beside(collection.level, claims),
        paper_entry(paper),
        _run_citation(collection, source),
    )
    return _written("paper.html.jinja", page, collection, claims, out)


def origin(collection: Collection) -> Origin:
    """Return where the collected numbers come from."""
    runs = collection.runs
    started = sorted(str(run.info["started"])[:10] for run in runs if run.info.get("started"))
    return Origin(
        level=collection.level,
        budget=WHERE[collection.level],
        planned=len(runs) + len(collection.unfinished),
        total=cost.total(runs),
        machines=cost.machines(runs),
        commits=cost.distinct(runs, "commit"),
        versions=cost.distinct(runs, "versions"),
        days=sorted({*started[:1], *started[-1:]}),
        built_at=provenance.commit(),
    )


def beside(level: str, claims: pd.DataFrame) -> Beside | None:
    """Return how claims compare with their level's committed reference; None if it has none, or none of these papers."""
    if (file := reference_file(level)) is None:
        return None
    reference = read_claims(file)
    reference = reference[reference["paper"].isin(claims["paper"])]
    lines = agreement(claims, reference)
    return Beside(file.parent.name, lines, summary_of(lines)) if len(reference) else None


def _run_citation(collection: Collection, source: Origin) -> str:
    return run_entry(source.level, collection.runs, (source.days or [""])[-1])


def _written(template: str, page: Index | PaperPage, collection: Collection, claims: pd.DataFrame, out: Path) -> Path:
    try:
        write_tables(out, collection.metrics, claims)
        html = render(template, page).encode()
        write(out / "index.html", lambda stream: stream.write(html))
    except OSError as error:
        raise _unwritable(out, error) from None
    return out / "index.html"


def _unwritable(out: Path, error: OSError) -> RetraceError:
    return RetraceError(f"{out}: cannot be written ({error.strerror}); free it or choose another --out")


def _leave_cover(paper: Paper, view: PaperView, out: Path) -> None:
    """Write the paper's headline figure, small, for the first page."""
    for picture in view.pictures:
        if paper.headline and belongs(picture.id, [paper.headline]) and "png" in picture.files:
            with Image.open(out / picture.files["png"]) as whole:
                small = ImageOps.pad(whole.convert("RGB"), COVER, Image.Resampling.LANCZOS, color="white")
            small.save(out / COVER_FILE, quality=80, method=6)
            return


def _leave_walkthrough(paper: Paper, out: Path) -> str:
    """Copy the paper's walkthrough beside its page; return its name, or "" if there is none."""
    source = paper.folder / WALKTHROUGH
    if not source.is_file():
        return ""
    write(out / WALKTHROUGH, lambda stream: stream.write(source.read_bytes()))
    return WALKTHROUGH


def _cover(paper: Paper, out: Path) -> str:
    """Return the small picture that a paper's page left for the first one, as a data URI, or "" if there is none."""
    file = out / paper.id / COVER_FILE
    return f"data:image/webp;base64,{base64.b64encode(file.read_bytes()).decode()}" if file.is_file() else ""


def _grouped(runs: Sequence[Unfinished]) -> list[tuple[str, list[Unfinished]]]:
    """Group runs that were never started: one line for an experiment tells as much as one for each of its seeds."""
    groups: dict[str, list[Unfinished]] = {}
    for run in runs:
        groups.setdefault("/".join(filter(None, [run.paper, run.experiment])) or "other", []).append(run)
    return sorted(groups.items())
