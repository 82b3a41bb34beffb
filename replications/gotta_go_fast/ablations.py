"""The variants of the solver that the paper compares, as settings of `adaptive_sde` (Jolicoeur-Martineau 2021, Appendix)."""

from typing import Any

LAMBA = {"error": "drift", "power": 0.5}  # after Lamba: the error of the drift, and the exponent that it calls for

ABLATIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "no_previous": {"previous": "none"},
    "no_extrapolation": {"extrapolate": False},
    "max_norm": {"norm": "max"},
    "power_0.5": {"power": 0.5},
    "power_0.8": {"power": 0.8},
    "power_1": {"power": 1.0},
    "lamba_extrapolated": LAMBA,
    "lamba": {**LAMBA, "extrapolate": False},
    "lamba_max_norm": {**LAMBA, "extrapolate": False, "norm": "max"},
    "lamba_max_norm_safety_0.8": {**LAMBA, "extrapolate": False, "norm": "max", "safety": 0.8},
}
