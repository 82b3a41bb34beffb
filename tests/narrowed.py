"""Settings of the larger levels for networks that a test can take: the same in depth and kind, with few channels."""

from typing import Any

from common.runs.settings import Settings

# not of attention's heads: of a narrow network they are fewer, which is what makes it fast
WIDTHS = {"channels", "filters", "hidden", "width", "widths"}
MOST = 8  # channels of the widest layer that settings name


def narrow(settings: Any) -> Any:
    """Return settings whose networks are narrow.

    The widths of a network are divided by one number, so that what divides each other still does, and stay even.
    """
    if isinstance(settings, dict):
        return {key: narrow(value) for key, value in settings.items()}
    if not isinstance(settings, Settings):
        return settings
    values = {key: narrow(getattr(settings, key)) for key in type(settings).model_fields}
    widths = {key: value for key, value in values.items() if key in WIDTHS}
    widest = max((max(value) if isinstance(value, tuple | list) else value for value in widths.values()), default=0)
    divisor = 1
    while widest > MOST * divisor:
        divisor *= 2
    if divisor > 1:
        values |= {key: divided(value, divisor) for key, value in widths.items()}
    return settings.model_copy(update=values)


def divided(value: Any, divisor: int) -> Any:
    """Return a width, or several, over the divisor: even, and two at the least."""
    if isinstance(value, tuple | list):
        return type(value)(divided(each, divisor) for each in value)
    return 2 * max(1, value // (2 * divisor))
