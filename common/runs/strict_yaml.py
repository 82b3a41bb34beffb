"""YAML as people mean it: one reader for every file and every `--set`.

YAML 1.2 has no octal 010, no base-60 1:30 and no yes/no; repeated keys, dates, values that are not finite and bytes that are no
UTF-8 are errors, with the file and the key.
"""

import datetime
import functools
import math
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from common.errors import SettingsError


@functools.lru_cache(maxsize=1024)  # the plan asks for the same few overrides for every run
def parse(text: str, where: str) -> Any:
    """Return the content of a YAML text. Raises `SettingsError` that starts with `where`."""
    try:
        content = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise SettingsError(f"{where} is not valid YAML: {line}{str(error.problem).strip()}") from None
    except (YAMLError, ValueError) as error:
        raise SettingsError(f"{where} is not valid YAML: {error}") from None
    _check(content, where, "")
    return content


def read(file: Path, shown: str) -> Any:
    """Return the content of a file, read once as long as it does not change. Raises `SettingsError` naming it as `shown`."""
    try:
        status = file.stat()
        return _read(file, shown, status.st_mtime_ns, status.st_size)
    except FileNotFoundError:
        raise SettingsError(f"{shown} does not exist; every paper needs one") from None
    except OSError as error:
        raise SettingsError(f"{shown}: cannot be read ({error.strerror})") from None


@functools.lru_cache(maxsize=64)
def _read(file: Path, shown: str, changed: int, size: int) -> Any:
    try:
        return parse(file.read_bytes().decode("utf-8"), shown)
    except UnicodeDecodeError as error:
        raise SettingsError(f"{shown} is not UTF-8 (byte {error.start}); save it as UTF-8") from None


def _check(value: Any, where: str, key: str) -> None:
    """Raise `SettingsError` for what YAML can say and no setting can mean."""
    if isinstance(value, dict):
        for name, part in value.items():
            _check(part, where, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            _check(part, where, f"{key}.{number}" if key else str(number))
    elif isinstance(value, float) and not math.isfinite(value):
        raise SettingsError(f"{where}: {key}: {value} is not a finite number; leave an end open with null")
    elif isinstance(value, datetime.date):
        raise SettingsError(f"{where}: {key}: {value} is read as a date; put it in quotes if it is a text")
