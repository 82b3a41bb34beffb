"""The README's table: what was forecast of each part of the suite, beside what the committed laptop run took."""

import csv
from collections.abc import Sequence

from common.runs import workflow
from common.runs.settings import ROOT
from replications.forecast.lines import Line, lines
from replications.forecast.runs import configured
from replications.forecast.show import short

MEASURED = ROOT / "results" / "reference" / "laptop-epyc-2-cores" / "costs.csv"
DEVICE = "h100"
HEAD = """| Part | `laptop`: minutes of a core, forecast and measured | `gpu`: hours of an H100 | `paper`: days of an H100 |
|---|---|---|---|"""


def overview() -> str:
    """Return the table as Markdown, five replicates everywhere."""
    found = {level: lines(level, workflow.papers(), configured()["seeds"][level], DEVICE) for level in ("laptop", "gpu", "paper")}
    measured = minutes_measured()
    rows = [_row(paper, found, measured[paper]) for paper in dict.fromkeys(line.paper for line in found["laptop"])]
    return "\n".join([HEAD, *rows, _row("", found, sum(measured.values())), _trainings(found)])


def minutes_measured() -> dict[str, float]:
    """Return the CPU minutes of each paper's runs in the committed laptop run."""
    spent: dict[str, float] = {}
    for line in csv.DictReader(MEASURED.read_text().splitlines()):
        spent[line["paper"]] = spent.get(line["paper"], 0.0) + float(line["cpu_seconds"]) / 60
    return spent


def _row(paper: str, found: dict[str, Sequence[Line]], measured: float) -> str:
    hours = {level: sum(line.hours for line in own if paper in ("", line.paper)) for level, own in found.items()}
    name = {"": "**in all**", "common": "shared models"}.get(paper, f"`{paper}`")
    return f"| {name} | {60 * hours['laptop']:.1f}, {measured:.1f} | {hours['gpu']:.0f} | {hours['paper'] / 24:.1f} |"


def _trainings(found: dict[str, Sequence[Line]]) -> str:
    """Return the row of trainings: how many, the largest network, and the most memory that one takes."""
    cells = []
    for own in found.values():
        count = sum(line.replicates * line.trainings for line in own)
        parameters, memory = (max(values) for values in zip(*((line.parameters, line.memory) for line in own if line.trainings)))
        cells.append(f"{count}, up to {short(parameters)} parameters and {short(memory)}B")
    return f"| trainings | {' | '.join(cells)} |"
