"""Collect: the planned run folders -> one metrics table, in which a run that did not finish is a row too.

A folder with a `metrics.csv` is a finished run. A folder with only a `failure.json` is a failed one, and its row carries the
message. Anything else is "not run". So every planned run leaves at least one row, and nothing is dropped in silence.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from common.errors import RetraceError
from common.measure.claims import CLAIM_COLUMNS, discoveries, judge
from common.measure.figures import RunFolder
from common.measure.paper import Paper, load_paper
from common.runs.call import level_mark
from common.runs.folders import COLUMNS, NUMERIC, neutral, write
from common.runs.settings import hint, package_folder
from report.schema import write_schema

NOT_RUN = "an input of this run failed or the workflow was stopped"
# Written without a trailing ".0": they are counts.
COUNTS = ("nfe", "n")
# what the report takes from a run.json, and of what type
INFO = {
    "paper": str,
    "experiment": str,
    "seed": int,
    "level": str,
    "settings": dict,
    "seconds": int | float,
    "cpu_seconds": int | float,
}
NUMBERS = {**dict.fromkeys(NUMERIC, "float64"), "seed": "Int64"}


@dataclass(frozen=True)
class Unfinished:
    """A planned run without results: `status` is "failed" or "not run"."""

    folder: Path
    status: str
    message: str
    paper: str = ""
    experiment: str = ""
    dataset: str = ""
    variant: str = ""
    seed: int | None = None
    command: str = ""
    traceback: str = ""

    def row(self, level: str) -> dict[str, object]:
        """Return this run's row of the metrics table."""
        keys = ("paper", "experiment", "dataset", "variant", "seed", "status", "message")
        empty = {column: None if column in NUMBERS else "" for column in COLUMNS}
        return {**empty, **{key: getattr(self, key) for key in keys}, "level": level}


@dataclass(frozen=True)
class Collection:
    """All planned runs of a level: the finished, the unfinished, and the metrics table over both."""

    level: str
    runs: Sequence[RunFolder]
    unfinished: Sequence[Unfinished]
    metrics: pd.DataFrame


def read_plan(file: Path) -> list[Path]:
    """Return the run folders that the workflow planned, one per line of `file`."""
    try:
        lines = file.read_text().splitlines()
    except OSError as error:
        make = f"snakemake --cores --config level={file.parent.name}"
        raise RetraceError(f"{file}: cannot be read ({error.strerror}); the workflow writes it: {make}") from None
    return list(dict.fromkeys(Path(line.strip()) for line in lines if line.strip()))


def load_papers(root: Path, chosen: Sequence[str] | None = None) -> list[Paper]:
    """Return the papers under `root` (all of them unless some are chosen) in order of time."""
    known = sorted(file.parent.name for file in root.glob("*/paper.yaml"))
    for name in chosen or ():
        if name not in known:
            raise RetraceError(f"there is no paper {name!r}{hint(name, known)}")
    return sorted((load_paper(root / name) for name in chosen or known), key=lambda paper: paper.place)


def collect(level: str, folders: Iterable[Path], results: Path) -> Collection:
    """Read every planned run. A folder whose files cannot be read counts as failed, and says which file."""
    runs: list[RunFolder] = []
    unfinished: list[Unfinished] = []
    tables: list[pd.DataFrame] = []
    for folder in folders:
        if not (folder / "metrics.csv").is_file() or (folder / "failure.json").is_file():
            unfinished.append(_unfinished(folder, results / level))
            continue
        try:
            run = RunFolder.open(folder)
            check_settings(run, level)
            tables.append(run.metrics)
            runs.append(run)
        except RetraceError as error:
            unfinished.append(Unfinished(folder, "failed", str(error), **_identity(folder, results / level)))
    return Collection(level, runs, unfinished, _table(tables, [run.row(level) for run in unfinished]))


def of_paper(collection: Collection, paper: Paper) -> Collection:
    """Return what a paper's page shows of a collection: the paper's own runs, and the shared models."""
    mine = (paper.id, "common", "")  # a run that never started may not know whose it is
    return Collection(
        collection.level,
        [run for run in collection.runs if run.info.get("paper") in mine],
        [run for run in collection.unfinished if run.paper in mine],
        collection.metrics[collection.metrics["paper"].isin(mine)].reset_index(drop=True),
    )


def check_settings(run: RunFolder, level: str) -> None:
    """Raise `RetraceError` unless the run has the level's own settings, as they are now."""
    info, file = run.info, run.path / "run.json"
    if info.get("level") != level:
        raise RetraceError(f"{file}: is of level {info.get('level')!r}, not {level!r}; delete the folder and run again")
    for key, kind in INFO.items():
        if not isinstance(info.get(key), kind) or isinstance(info.get(key), bool):
            raise RetraceError(f"{file}: {key}: is {info.get(key)!r}; delete the folder and run again")
    package = "common" if info.get("paper") == "common" else f"replications.{info.get('paper')}"
    if not (package_folder(package) / "settings.yaml").is_file():
        return  # a paper from elsewhere, whose levels are not known here
    named_by = info.get("named_by")
    if not isinstance(named_by, dict) or info.get("level_settings") != level_mark(
        package, str(info.get("experiment")), level, named_by
    ):
        raise RetraceError(f"{file}: was run with other settings than the level's own; delete the folder and run again")


def _table(tables: Sequence[pd.DataFrame], rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    others = pd.DataFrame(rows, columns=list(COLUMNS))
    return pd.concat([table.astype(NUMBERS) for table in [*tables, others]], ignore_index=True)


def _unfinished(folder: Path, root: Path) -> Unfinished:
    file = folder / "failure.json"
    where = _identity(folder, root)
    if not file.is_file():
        return Unfinished(folder, "not run", NOT_RUN, **where)
    try:
        record = json.loads(file.read_text())
        texts = ("paper", "experiment", "dataset", "variant", "message", "command", "traceback")
        where |= {key: str(record[key]) for key in texts if record.get(key)}
        where |= {"seed": int(record["seed"])} if str(record.get("seed", "")) else {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        where["message"] = f"{file} cannot be read ({error})"
    message = where.pop("message", "") or "no message; see the logs"
    return Unfinished(folder, "failed", message, **where)


def _identity(folder: Path, root: Path) -> dict:
    """Return what a folder's path says of its run: <root>/<paper>/<experiment>/<variant>/seed<k>, or a model's folder."""
    parts = folder.relative_to(root).parts if folder.is_relative_to(root) else ()
    parts = parts[1:] if parts[:1] == ("own",) else parts
    seed = parts[-1].removeprefix("seed") if parts else ""
    found: dict[str, object] = {"seed": int(seed)} if seed.isdigit() else {}
    if len(parts) == 4:
        found |= dict(zip(("paper", "experiment", "variant"), parts))
    elif parts[:1] == ("models",):
        found |= {"experiment": "models", "variant": "/".join(parts[1:-1])}
    return found


def judge_all(papers: Iterable[Paper], collection: Collection) -> pd.DataFrame:
    """Return the claims of all papers with their verdicts, the columns being `common.measure.claims.CLAIM_COLUMNS`."""
    judged = [judge(paper, collection.metrics, collection.level) for paper in papers]
    return discoveries(pd.concat(judged, ignore_index=True)) if judged else pd.DataFrame(columns=list(CLAIM_COLUMNS))


def write_tables(folder: Path, metrics: pd.DataFrame, claims: pd.DataFrame) -> None:
    """Write metrics.csv, claims.csv and what their columns mean; numbers read back exactly, unknown ones are empty."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {column: [int(x) if float(x).is_integer() else x for x in metrics[column]] for column in COUNTS}
    counts = {column: pd.Series(values, dtype=object) for column, values in whole.items()}
    write_table(folder / "metrics.csv", metrics.assign(**counts))
    write_table(folder / "claims.csv", claims)
    write_schema(folder)


def write_table(file: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, whole or not at all, with no cell that a spreadsheet would take for a formula."""
    plain = pd.concat([pd.Series([_plain(cell) for cell in column], dtype=object) for _, column in table.items()], axis=1)
    content = plain.set_axis([_plain(name) for name in table.columns], axis=1).to_csv(index=False, lineterminator="\n")
    write(file, lambda stream: stream.write(content.encode()))


def _plain(cell: object) -> object:
    # a carriage return is not quoted by the csv module before Python 3.13, and begins a new row for whoever reads it
    return neutral(cell).replace("\r", " ") if isinstance(cell, str) else cell
