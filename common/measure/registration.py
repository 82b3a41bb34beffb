"""Registered before the run: what a claim was judged by when nobody had seen its numbers.

`make register` writes `replications/<paper>/registered.lock`: the date, the base seed, and per claim its kind and range and the
digests of its statistic and of the settings that it depends on. The run that is reported comes after it, with a base seed that no
run of the paper ever used. What is changed later needs an entry of the claim's `amended` list, beside which the report shows the
verdict under the old rule; a test and `python -m replications check` hold the lock against paper.yaml, claims.py and settings.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from common.errors import SettingsError
from common.measure.paper import Block, Claim, Day, Paper
from common.measure.statistic_source import source
from common.measure.verdicts import CONFIDENCE, REPLICATES, Kind
from common.runs import settings as settings_of
from common.runs.entries import Entry, entries, owner
from common.runs.folders import write
from common.runs.levels import LEVELS
from common.runs.settings import ROOT, fingerprint, load_yaml, package_folder, shown

LOCK = "registered.lock"
PARTS = ("kind", "range", "statistic", "settings")
RULE = {"replicates": REPLICATES, "confidence": round(CONFIDENCE, 3)}


class Registered(Block):
    """One claim as it was registered."""

    kind: Kind
    range: tuple[float | None, float | None]
    statistic: str
    settings: str
    amendments: int = Field(ge=0, description="entries of its `amended` list at that time")


class Lock(Block):
    """A paper's registration."""

    date: Day
    base_seed: int
    looked_at: list[int] = Field(description="base seeds whose runs somebody had seen, or that settings were chosen with")
    rule: dict[str, float]
    claims: dict[str, Registered]


@dataclass(frozen=True)
class Changes:
    """How a paper's claims differ from their registration: what each one's changed parts are, and what is wrong with that."""

    parts: Mapping[str, Sequence[str]]
    problems: Sequence[str]


def read(paper: Paper) -> Lock | None:
    """Return a paper's registration, or None if it has none. Raises `SettingsError` if the file is damaged."""
    file = paper.folder / LOCK
    if not file.is_file():
        return None
    try:
        return Lock.model_validate(load_yaml(file))
    except ValidationError as error:
        [first, *_] = error.errors()
        where = ".".join(map(str, first["loc"]))
        raise SettingsError(f"{shown(file)}: {where}: {first['msg']}; take it back from git, or register anew") from None


def current(paper: Paper, claim: Claim) -> Registered:
    """Return what a claim would be registered as now."""
    statistic = source(paper.folder, claim.statistic)
    return Registered(
        kind=claim.kind,
        range=claim.range,
        statistic=statistic.digest[:16],
        settings=fingerprint(dict(depends_on(paper, claim, statistic.words)))[:16],
        amendments=len(claim.amended),
    )


def depends_on(paper: Paper, claim: Claim, words: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield the settings that a claim rests on: of every experiment that its statistic names, from the claim's level up."""
    package = f"replications.{paper.id}"
    if paper.folder != package_folder(package):
        return  # a paper from elsewhere, whose experiments are not known here
    table = entries(package)
    levels = LEVELS[LEVELS.index(claim.level) :]
    for level in levels:
        yield f"replicates {level}", load_yaml(ROOT / "config" / "config.yaml")["seeds"][level]
    for experiment in sorted(words & set(table)):
        yield from _of_experiment(package, experiment, table, levels)


def _of_experiment(package: str, experiment: str, table: Mapping[str, Entry], levels: Sequence[str]) -> Iterator[tuple[str, Any]]:
    entry = table[experiment]
    judged = {"data": {level: entry.sets(level) for level in levels}, "replicates": {k: entry.replicates.get(k) for k in levels}}
    yield f"{experiment} jobs", entry.model_dump(include={"sweep", "models", "takes", "features"}) | judged
    for level in levels:
        for data in entry.sets(level) or [""]:
            chosen = [f"data={data}"] if data else []
            yield f"{experiment} {level} {data}", settings_of.raw(package, experiment, level, chosen)
            if data and entry.objectives(data):
                yield f"train {level} {data}", settings_of.raw("common", "train", level, [f"data={data}"])
            if entry.measures(data):
                yield f"features {level} {data}", settings_of.raw("common", "features", level, [f"data={data}"])
    for name in sorted(entry.takes):
        source, other = owner(package, name)
        yield from _of_experiment(source, other, entries(source), levels)


def changes(paper: Paper) -> Changes:
    """Return how a paper differs from its registration."""
    lock = read(paper)
    file = shown(paper.folder / LOCK)
    if lock is None:
        return Changes({}, [f"{file} does not exist; register the paper's claims before their first run: make register"])
    parts, problems = {}, []
    if lock.rule != RULE:
        problems.append(f"{file}: rule: {lock.rule}, but verdicts are now given by {RULE}; register again before the next run")
    for claim in paper.claims:
        then = lock.claims.get(claim.id)
        try:
            now = current(paper, claim)
        except SettingsError as error:
            parts[claim.id] = ["statistic"]
            problems.append(str(error))
            continue
        parts[claim.id] = [part for part in PARTS if getattr(now, part) != getattr(then, part)] if then else ["registered later"]
        if parts[claim.id] and len(claim.amended) <= (then.amendments if then else 0):
            problems.append(f"{paper.id}/paper.yaml: claims {claim.id!r}: {_changed(parts[claim.id], lock.date)}")
    gone = set(lock.claims) - {claim.id for claim in (*paper.claims, *paper.withdrawn)}
    problems += [
        f"{paper.id}/paper.yaml: claim {name!r} was registered on {lock.date} and is gone; list it under `withdrawn` and say why"
        for name in sorted(gone)
    ]
    return Changes(parts, problems)


def _changed(parts: Sequence[str], date: str) -> str:
    what = "is not among those" if parts == ["registered later"] else f"has another {' and '.join(parts)} than"
    return f"{what} registered on {date}; say when and why in an entry of `amended`, or register again before the next run"


def register(paper: Paper, *, date: str, base_seed: int, looked_at: Sequence[int] = (), results: Path = Path("results")) -> Lock:
    """Write a paper's registration and return it. Raises `SettingsError` if the base seed has been looked at."""
    old = read(paper)
    seen = sorted({*looked_at, *(old.looked_at if old else ()), *([old.base_seed] if old else ())})
    if base_seed in seen:
        raise SettingsError(
            f"config/config.yaml: base_seed: {base_seed}: runs of {paper.id} with it have been looked at (so were "
            f"{', '.join(map(str, seen))}); choose one that no run ever used"
        )
    if run := _run_with(paper, base_seed, results):
        raise SettingsError(
            f"config/config.yaml: base_seed: {base_seed}: {run} was run with it already; claims are registered before their "
            "run, so choose another base seed"
        )
    claims = {claim.id: current(paper, claim) for claim in paper.claims}
    lock = Lock(date=date, base_seed=base_seed, looked_at=seen, rule=RULE, claims=claims)
    write(paper.folder / LOCK, lambda stream: stream.write(_text(lock).encode()))
    return lock


def _run_with(paper: Paper, base_seed: int, results: Path) -> Path | None:
    """Return a judged run of this paper that used a base seed; smoke runs answer nothing, so they do not count."""
    pattern = re.compile(rf'"base_seed": {base_seed}\b')
    records = (record for level in LEVELS[1:] for record in sorted((results / level / paper.id).glob("*/*/seed*/run.json")))
    return next((record.parent for record in records if pattern.search(record.read_text(errors="replace"))), None)


def _text(lock: Lock) -> str:
    rule = ", ".join(f"{key}: {value:g}" for key, value in lock.rule.items())
    lines = [
        "# Written by `make register`. What is changed after it needs an entry of the claim's `amended` list in paper.yaml.",
        f'date: "{lock.date}"',
        f"base_seed: {lock.base_seed}",
        f"looked_at: {lock.looked_at}",
        f"rule: {{{rule}}}",
        "claims:",
    ]
    for name, claim in lock.claims.items():
        low, high = ("null" if bound is None else repr(bound) for bound in claim.range)
        digests = f'statistic: "{claim.statistic}", settings: "{claim.settings}"'
        lines.append(f"  {name}: {{kind: {claim.kind}, range: [{low}, {high}], {digests}, amendments: {claim.amendments}}}")
    return "\n".join(lines) + "\n"
