"""The ways to compute one training: precision, memory format, compiler, and whether torch may round to TF32."""

import contextlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch

BASE = "fp32"  # the arm that the others are compared with


class Arm(NamedTuple):
    """A way to compute a training: three of its settings, and whether torch's default for TF32 stands or TF32 is off.

    The default is to round to TF32 in convolutions, and not in matrix products.
    """

    precision: Literal["fp32", "bf16"] = "fp32"
    channels_last: bool = False
    compiled: bool = False
    tf32: bool = True

    def overrides(self) -> list[str]:
        """Return it as settings of a training."""
        flags = {"channels_last": self.channels_last, "compile": self.compiled}
        return [f"train.precision={self.precision}", *(f"train.{key}={str(on).lower()}" for key, on in flags.items())]


ARMS: dict[str, Arm] = {
    BASE: Arm(),
    "fp32_no_tf32": Arm(tf32=False),
    "fp32_channels_last": Arm(channels_last=True),
    "bf16": Arm("bf16"),
    "bf16_channels_last": Arm("bf16", channels_last=True),
    "fp32_compiled": Arm(compiled=True),
    "bf16_compiled": Arm("bf16", compiled=True),
    "bf16_channels_last_compiled": Arm("bf16", channels_last=True, compiled=True),
}


@contextlib.contextmanager
def tf32(*, allowed: bool) -> Iterator[None]:
    """Let torch's setting stand, or switch TF32 off meanwhile."""
    flags = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [flag.allow_tf32 for flag in flags]
    try:
        for flag, was in zip(flags, before):
            flag.allow_tf32 = was and allowed
        yield
    finally:
        for flag, was in zip(flags, before):
            flag.allow_tf32 = was


def tf32_in(device: torch.device) -> str:
    """Return where TF32 is on: none, convolutions, products, or both."""
    on = {"convolutions": torch.backends.cudnn.allow_tf32, "products": torch.backends.cuda.matmul.allow_tf32}
    return (" and ".join(name for name, allowed in on.items() if allowed) or "none") if device.type == "cuda" else "none"
