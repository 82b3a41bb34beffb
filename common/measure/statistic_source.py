"""What a claim's statistic is made of, read off the source of the paper's claims.py: its definition, experiments and metrics.

The definition of a statistic is every statement of the paper's own modules that it leads to: a function, what that calls, the
rows that it names. Its digest changes with any of them and with no comment, docstring or line break; so it can be registered. The
shared vocabulary (common.measure) is the rule's, not the claim's, and left out.
"""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from common.errors import SettingsError


@dataclass(frozen=True)
class Source:
    """The statements behind a statistic."""

    statements: tuple[ast.stmt, ...]

    @property
    def digest(self) -> str:
        """The SHA-256 of the statements as Python writes them, without docstrings."""
        return sha256("\n".join(sorted(ast.unparse(each) for each in self.statements)).encode()).hexdigest()

    @property
    def words(self) -> set[str]:
        """All texts in the statements; the names of experiments, data sets and methods are among them."""
        return {node.value for each in self.statements for node in ast.walk(each) if is_text(node)}

    @property
    def metrics(self) -> set[str]:
        """The metrics that are read: metric="nll", {"metric": "nll"}, `.metric == "nll"`, or what a loop gives to metric=name."""
        return {name for each in self.statements for name in _metrics(each)}


def source(folder: Path, statistic: str) -> Source:
    """Return what a statistic of `folder`/claims.py is made of. Raises `SettingsError` if nothing there has its name."""
    package = f"{folder.parent.name}.{folder.name}"
    found: dict[int, ast.stmt] = {}
    seen: set[tuple[str, str]] = set()
    todo = [("claims", statistic)]
    while todo:
        module, name = todo.pop()
        if (module, name) in seen:
            continue
        seen.add((module, name))
        defined, imported = _module(folder, module, package)
        if name in defined:
            statement = defined[name]
            found[id(statement)] = statement
            todo += [(module, node.id) for node in ast.walk(statement) if isinstance(node, ast.Name)]
        elif name in imported:
            todo.append(imported[name])
        else:
            todo += [(star, name) for star in imported.get("*", ())]
    if not found:
        raise SettingsError(f"{folder.name}/claims.py has no {statistic!r}")
    return Source(tuple(found.values()))


def _parsed(file: Path) -> ast.Module:
    tree = ast.parse(file.read_text(), str(file))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _module(folder: Path, name: str, package: str) -> tuple[dict[str, ast.stmt], dict]:
    """Return a module's statements by the names that they define, and what it imports from modules of its own paper."""
    file = folder / f"{name}.py"
    if not file.is_file():
        raise SettingsError(f"{file} does not exist; every paper needs one")
    return _read(file, package, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _read(file: Path, package: str, changed: int) -> tuple[dict[str, ast.stmt], dict]:
    """Do it once as long as the file does not change: every name of every statistic asks."""
    defined: dict[str, ast.stmt] = {}
    imported: dict = {"*": []}
    for statement in _parsed(file).body:
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith(f"{package}."):
            origin = str(statement.module).removeprefix(f"{package}.")
            for alias in statement.names:
                if alias.name == "*":
                    imported["*"].append(origin)
                else:
                    imported[alias.asname or alias.name] = (origin, alias.name)
        else:
            defined |= dict.fromkeys(_names(statement), statement)
    return defined, imported


def _names(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement of a module defines."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
            yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


def _metrics(statement: ast.stmt) -> Iterator[str]:
    loops = [node for node in ast.walk(statement) if isinstance(node, ast.comprehension)]
    for node in ast.walk(statement):
        values = [node.value] if isinstance(node, ast.keyword) and node.arg == "metric" else []
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute) and node.left.attr == "metric":
            values += node.comparators
        if isinstance(node, ast.Dict):
            values += [value for key, value in zip(node.keys, node.values) if getattr(key, "value", None) == "metric"]
        for value in values:
            if is_text(value):
                yield value.value
            elif isinstance(value, ast.Name):
                over = (loop.iter for loop in loops if isinstance(loop.target, ast.Name) and loop.target.id == value.id)
                yield from (part.value for each in over for part in ast.walk(each) if is_text(part))


def is_text(node: ast.AST) -> bool:
    """Return whether a part of a program is a text."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
