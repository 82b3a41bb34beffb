"""Every random number of a run follows from (base seed, paper, experiment, replicate, purpose).

Hashing the axes, instead of adding numbers to one seed, keeps the streams of different purposes independent, and lets
methods share their data noise while each has noise of its own. Generators are passed to whatever draws; the global RNG is
never the source.
"""

import hashlib

import torch


def derive_seed(*axes: str | int) -> int:
    """Return a seed in [0, 2^63) that depends on every axis and on their order."""
    text = "\x1f".join(f"{type(axis).__name__}:{axis}" for axis in axes)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*axes: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a fresh generator on `device`, seeded with `derive_seed(*axes)`."""
    return torch.Generator(device=device).manual_seed(derive_seed(*axes))
