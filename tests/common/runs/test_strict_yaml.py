import os

import pytest

from common.errors import SettingsError
from common.runs.strict_yaml import parse, read


@pytest.mark.parametrize(
    ("text", "value"),
    [("010", 10), ("017", 17), ("1:30", "1:30"), ("yes", "yes"), ("on", "on"), ("1e-5", 1e-5), ("1.0e-5", 1e-5), ("null", None)],
)
def test_values_are_what_people_mean(text, value):
    assert parse(f"a: {text}", "f") == {"a": value}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", 'f.yaml is not valid YAML: line 3: found duplicate key "a"'),
        ("a: {b: .inf}", "f.yaml: a.b: inf is not a finite number; leave an end open with null"),
        ("a: [1, -.inf]", "f.yaml: a.1: -inf is not a finite number"),
        ("a: .nan", "f.yaml: a: nan is not a finite number"),
        ("a: 2026-11-25", "f.yaml: a: 2026-11-25 is read as a date; put it in quotes"),
        ("a: [1", "f.yaml is not valid YAML: line"),
        ("a: !!python/object/apply:os.system [ls]", "f.yaml is not valid YAML"),
    ],
)
def test_what_cannot_be_meant_is_named(text, message):
    with pytest.raises(SettingsError) as error:
        parse(text, "f.yaml")
    assert message in str(error.value)


def test_bytes_that_are_no_text_and_files_that_are_not_there(tmp_path):
    (tmp_path / "f.yaml").write_bytes(b"a: \xff")
    with pytest.raises(SettingsError, match=r"f\.yaml is not UTF-8 \(byte 3\)"):
        read(tmp_path / "f.yaml", "f.yaml")
    with pytest.raises(SettingsError, match=r"g\.yaml does not exist; every paper needs one"):
        read(tmp_path / "g.yaml", "g.yaml")


def test_a_file_is_read_again_when_it_has_changed(tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text("a: 1")
    assert read(file, "f") == {"a": 1} and read(file, "f") is read(file, "f")
    file.write_text("a: 22")
    os.utime(file, (1, 1))
    assert read(file, "f") == {"a": 22}
