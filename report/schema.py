"""What the columns of metrics.csv and claims.csv mean: a Frictionless data package beside them, for people and programs.

`datapackage.json` is that standard's name, and each of its resources has a Table Schema. Which columns there are, and in which
order, is decided where they are written (`common.runs.folders.COLUMNS`, `common.measure.claims.CLAIM_COLUMNS`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.measure.claims import CLAIM_COLUMNS, VERDICTS
from common.measure.paper import GRADES, SOURCES
from common.measure.verdicts import KINDS
from common.runs.folders import COLUMNS, write_json
from common.runs.levels import LEVELS

FILE = "datapackage.json"
Meaning = tuple[str, str, dict[str, Any]]  # type, meaning, what else the standard knows of the column


def _column(meaning: str, kind: str = "string", **more: Any) -> Meaning:
    return kind, meaning, more


OWN_UNIT = "that of the column `unit`"
METRICS: Mapping[str, Meaning] = {
    "paper": _column("folder of the paper under replications/, or `common` for shared models"),
    "experiment": _column("module of the paper's experiments that measured the number"),
    "dataset": _column("data set or density"),
    "method": _column("objective, network, solver or trivial rival that is measured"),
    "variant": _column("what else tells two rows apart: a solver, a setting, a subset"),
    "axis": _column("what a curve runs along: step, K, tolerance, width and so on; empty off curves"),
    "at": _column("where on that axis", "number"),
    "seed": _column("replicate, from 0; empty for a run that never started and does not say", "integer"),
    "metric": _column("what is measured; empty in the row of a run without results"),
    "value": _column("the measured number; empty where there is none", "number", unit=OWN_UNIT),
    "error": _column("standard error of the value from finite samples within the replicate", "number", unit=OWN_UNIT),
    "floor": _column("what the measure reads for data against data of the same sizes", "number", unit=OWN_UNIT),
    "unit": _column("unit of value, error and floor; empty for plain numbers"),
    "nfe": _column("evaluations of the network or field that the value took", "number", unit="evaluations"),
    "seconds": _column("wall time that the value took", "number", unit="s"),
    "n": _column("items that the value averages over: samples, images, series", "number"),
    "status": _column("whether there is a number", constraints={"enum": ["ok", "refused", "failed", "not run"]}),
    "message": _column("why there is no number"),
    "level": _column("budget of the run", constraints={"enum": list(LEVELS)}),
    "device": _column("accelerator, or cpu"),
    "commit": _column("state of the code; + where files differed from the commit"),
}
CLAIMS: Mapping[str, Meaning] = {
    "paper": _column("folder of the paper under replications/", constraints={"required": True}),
    "claim": _column("the claim's id, unique within the paper", constraints={"required": True}),
    "number": _column("number of the paper's claim that this entry belongs to"),
    "location": _column("where the paper says so"),
    "statement": _column("the claim in a sentence"),
    "grade": _column("what is to be expected at this scale", constraints={"enum": list(GRADES)}),
    "reported": _column("the paper's own number, `none` if it gives none"),
    "source": _column("where that number comes from", constraints={"enum": list(SOURCES)}),
    "protocol": _column("how the paper measured it"),
    "kind": _column("how the verdict is given", constraints={"enum": list(KINDS)}),
    "measured": _column("mean over the replicates, geometric for kind positive", "number", unit=OWN_UNIT),
    "low": _column("lower end of the 90 % interval; smallest value of checks and events", "number", unit=OWN_UNIT),
    "high": _column("upper end of the 90 % interval; largest value of checks and events", "number", unit=OWN_UNIT),
    "n_seeds": _column("replicates behind the number", "integer"),
    "criterion": _column("range that the number must lie in, as registered"),
    "unit": _column("unit of measured, low, high and the range"),
    "verdict": _column("the verdict", constraints={"enum": list(VERDICTS)}),
    "reason": _column("the numbers behind the verdict, or why there is none"),
    "p_value": _column("smallest error rate at which this verdict could have been given; empty without a test", "number"),
    "survives": _column("whether the verdict survives Benjamini and Hochberg's procedure", constraints={"enum": ["yes", "no"]}),
    "close": _column("yes if the interval ends within its own width of a bound", constraints={"enum": ["yes"]}),
    "registered": _column("`as registered`, or what has changed since the registration"),
    "amendments": _column("changes of the claim's rule, each with its reason", "integer"),
    "level": _column("lowest level that judges the claim", constraints={"enum": list(LEVELS)}),
    "command": _column("what runs the claim's measurements again"),
}


def write_schema(folder: Path) -> None:
    """Write the description of metrics.csv and claims.csv beside them."""
    write_json(folder / FILE, package())


def package() -> dict[str, Any]:
    """Return the data package's descriptor."""
    tables = {"metrics": (COLUMNS, METRICS), "claims": (CLAIM_COLUMNS, CLAIMS)}
    resources = [
        {
            "name": name,
            "path": f"{name}.csv",
            "profile": "tabular-data-resource",
            "schema": {"fields": _fields(columns, meanings), "missingValues": [""]},
        }
        for name, (columns, meanings) in tables.items()
    ]
    return {"name": "retrace", "profile": "tabular-data-package", "resources": resources}


def _fields(columns: Sequence[str], meanings: Mapping[str, Meaning]) -> list[dict[str, Any]]:
    """Return the fields of a Table Schema in the table's order; a column without a meaning is a KeyError."""
    fields = []
    for column in columns:
        kind, meaning, more = meanings[column]
        fields.append({"name": column, "type": kind, "description": meaning, **more})
    return fields
