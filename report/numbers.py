"""How numbers are set: as many digits as the interval supports, true minus signs, powers of ten in full."""

import math

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
DASH = "–"
ROUNDING = 1e-9  # of a number: below that an interval says how sums were rounded


def number(x: float | None, digits: int = 4) -> str:
    """Return x with `digits` significant digits: 0.6312, −3.5, 1.2×10⁻⁵; a dash where it is unknown."""
    if x is None or math.isnan(x):
        return DASH
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    mantissa, _, exponent = f"{x:.{digits}g}".partition("e")
    return mantissa.replace("-", "−") + _power(int(exponent or 0))


def estimate(mean: float, low: float, high: float) -> tuple[str, str]:
    """Return a mean and its interval, "0.632" and "[0.611, 0.653]", with two digits of the half-width.

    The interval is empty where it is unknown (one seed) or a single point but for rounding.
    """
    half = (high - low) / 2
    if not math.isfinite(half) or half <= ROUNDING * max(abs(low), abs(high)):
        return number(mean), ""
    decimals = 1 - math.floor(math.log10(half))
    exponent = math.floor(math.log10(max(abs(low), abs(high))))
    if decimals <= 6 and exponent < 6:
        exponent = 0
    # too small or too large for plain decimals: all three share one power of ten
    shown = (f"{x / 10.0**exponent:.{max(decimals + exponent, 0)}f}".replace("-", "−") for x in (mean, low, high))
    mean_text, low_text, high_text = shown
    return f"{mean_text}{_power(exponent)}", f"[{low_text}, {high_text}]{_power(exponent)}"


def _power(exponent: int) -> str:
    return f"×10{str(exponent).translate(SUPERSCRIPTS)}" if exponent else ""


def duration(seconds: float | None) -> str:
    """Return seconds as a reader says them: "4.2 s", "12 min 5 s", "3 h 20 min", "21 d 9 h"."""
    if seconds is None or math.isnan(seconds):
        return DASH
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h"


def plural(count: int, word: str) -> str:
    """Return "1 run", "2 runs"."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
