"""A user's own Python files, `extra` of the configuration: what can be said of them without running them.

    snakemake --cores --config extra=mine.py            # or extra="[mine.py, other.py]"

An experiment takes them in one of its settings, which `extra` of its entry in jobs.yaml names: a run for each file, none without.
Nothing here imports torch: Snakemake reads it again for every call.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.errors import SettingsError

PLAIN = re.compile(r"[A-Za-z0-9_./+-]+")  # a path that a shell takes as it is, and that no comma divides
NAME = re.compile(r"[A-Za-z0-9_]+")
MODULE = "extra_file_"  # how the names of modules begin that are made of such files: inputs of single runs, and no code of all


def extra_files(config: Mapping[str, Any]) -> list[str]:
    """Return the files of a configuration, each checked. Raises `SettingsError` naming the file and the remedy."""
    given = config.get("extra") or []
    files = [given] if isinstance(given, str) else list(given)
    for file in files:
        check_source(file)
    for file in files:
        if same := [other for other in files if Path(other).stem == Path(file).stem and other != file]:
            raise SettingsError(f"extra: {file} and {same[0]}: files of one name would share a folder; rename one")
    return list(dict.fromkeys(files))


def check_source(file: str) -> str:
    """Return the text of a Python file. Raises `SettingsError` unless it is there, has a plain name and can be parsed."""
    path = Path(file)
    if not PLAIN.fullmatch(file) or path.suffix != ".py" or not NAME.fullmatch(path.stem):
        raise SettingsError(
            f"{file}: must be a Python file, e.g. my_sampler.py, of letters, digits and _, and no spaces on the way"
        )
    try:
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(f"{file}: there is no such file here ({Path.cwd()}); mend the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read ({error}); it must be a text file in UTF-8") from None
    try:
        compile(source, file, "exec")
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        said = error.msg if isinstance(error, SyntaxError) else error
        raise SettingsError(f"{file}{line}: is not Python: {said}") from None
    return source
