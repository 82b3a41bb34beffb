"""What a setting's value must be: 2.0 is no whole number, true is not 1, and "3" is not 3, though pydantic would take them."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel


def misread_values(models: list[type[BaseModel]], values: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield the place, the problem and the value of everything in `values` that would have to be guessed at.

    `models` are what the values may be: several, where a key `kind` tells.
    """
    if not isinstance(values, Mapping):
        return
    chosen = [each for each in models if len(models) == 1 or each.model_fields["kind"].default == values.get("kind")]
    for name, value in values.items():
        field = chosen[0].model_fields.get(str(name)) if chosen else None
        if field is None:
            continue
        kinds = _kinds(field.annotation)
        blocks = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if problem := misread(value, kinds):
            yield f"{path}{name}", problem, value
        if blocks:
            yield from misread_values(blocks, value, f"{path}{name}.")


def misread(value: Any, kinds: set[Any]) -> str:
    """Return why a value is not of the kind that a field is for, or nothing."""
    if isinstance(value, list | tuple):
        return next(filter(None, (misread(part, kinds) for part in value)), "")
    numbers = kinds & {int, float}
    if isinstance(value, bool):
        return "must be a number" if numbers and bool not in kinds else ""
    if isinstance(value, float):
        return "must be a whole number, written without a point" if numbers == {int} else ""
    if isinstance(value, str):
        wanted = "a number" if numbers else "true or false"
        return f"must be {wanted}, not a text" if kinds and kinds <= {int, float, bool, type(None)} else ""
    return ""


def _kinds(annotation: Any) -> set[Any]:
    """Return the types that an annotation is made of, inside lists, unions and the like."""
    parts = get_args(annotation)
    return {kind for part in parts for kind in _kinds(part)} if parts else {annotation}
