"""The description beside the tables says what is in them: names, order, types, allowed values; and no cell is a formula."""

import csv
import json

import fabricate
import pandas as pd
import pytest

from common.measure.claims import CLAIM_COLUMNS
from common.runs.folders import COLUMNS
from common.runs.settings import ROOT
from report.collect import write_table
from report.schema import CLAIMS, FILE, METRICS, package

READ = {"string": str, "number": float, "integer": int}
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def fields(name):
    (resource,) = [each for each in package()["resources"] if each["name"] == name]
    return resource["schema"]["fields"]


def test_every_column_has_a_meaning_and_every_meaning_a_column():
    assert set(METRICS) == set(COLUMNS) and set(CLAIMS) == set(CLAIM_COLUMNS)
    assert tuple(field["name"] for field in fields("metrics")) == COLUMNS
    assert tuple(field["name"] for field in fields("claims")) == CLAIM_COLUMNS
    assert all(field["description"] and field["type"] in READ for name in ("metrics", "claims") for field in fields(name))


def misfits(file, name):
    """Yield the cells that are not what the description says."""
    with file.open(newline="") as stream:
        reader = csv.DictReader(stream)
        assert reader.fieldnames == [field["name"] for field in fields(name)]
        for row in reader:
            for field in fields(name):
                cell, allowed = row[field["name"]], field.get("constraints", {})
                if cell == "":
                    if allowed.get("required"):
                        yield field["name"], cell
                    continue
                try:
                    READ[field["type"]](cell)
                except ValueError:
                    yield field["name"], cell
                if cell not in allowed.get("enum", [cell]):
                    yield field["name"], cell


def test_what_is_written_fits_its_description(built):
    _, results, _, out = built
    for folder in (results / fabricate.LEVEL, out):
        assert json.loads((folder / FILE).read_text()) == package()
        for name in ("metrics", "claims"):
            assert list(misfits(folder / f"{name}.csv", name)) == []


@pytest.mark.parametrize("name", ["metrics", "claims"])
def test_the_committed_reference_fits_the_description(name):
    (file,) = (ROOT / "results" / "reference").glob(f"laptop-*/{name}.csv")
    assert list(misfits(file, name)) == []


def test_a_wrong_cell_would_be_found(built, tmp_path):
    _, _, _, out = built
    claims = pd.read_csv(out / "claims.csv", dtype=str, keep_default_na=False)
    write_table(tmp_path / "claims.csv", claims.assign(verdict="perhaps", measured="many"))
    assert {column for column, _ in misfits(tmp_path / "claims.csv", "claims")} == {"verdict", "measured"}


def test_no_cell_of_any_table_is_a_formula(built):
    _, results, _, out = built
    files = [*out.rglob("*.csv"), *(results / fabricate.LEVEL).glob("*.csv")]
    assert len(files) >= 5
    for file in files:
        with file.open(newline="") as stream:
            cells = [cell for row in csv.reader(stream) for cell in row]
        assert not [cell for cell in cells if cell.startswith(FORMULA) and not is_number(cell)], file


@pytest.mark.parametrize("hostile", ["=HYPERLINK(1)", "+1-1", "-2+3", "@SUM(1)", "\t=1", "\r=1"])
def test_formulas_are_neutralised_in_cells_and_headings(tmp_path, hostile):
    write_table(tmp_path / "t.csv", pd.DataFrame({hostile: [hostile, "plain"], "value": [-1.5, 2.0]}))
    with (tmp_path / "t.csv").open(newline="") as stream:
        heading, first, second = csv.reader(stream)
    shown = f"'{hostile}".replace("\r", " ")  # a bare carriage return would begin a new row
    assert heading == [shown, "value"] and first == [shown, "-1.5"] and second == ["plain", "2.0"]
