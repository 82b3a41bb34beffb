"""The networks that score SDE was published with, as its authors' configurations have them."""

from typing import Any

from replications.score_sde.ncsnpp import NCSNppSettings

CIFAR = {"channels": 128, "multipliers": (1, 2, 2, 2), "attention": (16,), "dropout": 0.1}
LARGE = {"attention": (16,), "embedding": "fourier", "centred": False, "input": "input_skip", "output": "output_skip"}


def _network(*shared: dict[str, Any], **own: Any) -> NCSNppSettings:
    merged: dict[str, Any] = {}
    for each in (*shared, own):
        merged |= each
    return NCSNppSettings(**merged)


def ddpm() -> NCSNppSettings:
    """DDPM for CIFAR-10 on the VP and sub-VP paths; for the VE path its pixels are in [0, 1] (`centred: false`)."""
    return _network(CIFAR, blocks=2, block="ddpm", rescale=False, fir=False, embedding="sinusoidal")


def ddpmpp(blocks: int = 4) -> NCSNppSettings:
    """DDPM++ for CIFAR-10; the deep one has 8 blocks."""
    return _network(CIFAR, blocks=blocks, fir=False, embedding="sinusoidal")


def ncsnpp(blocks: int = 4, embedding: str = "fourier") -> NCSNppSettings:
    """NCSN++ for CIFAR-10; the deep one has 8 blocks, the one of discrete levels a sinusoidal embedding of the level's index."""
    return _network(CIFAR, blocks=blocks, input="residual", embedding=embedding, centred=False)


def ncsnpp_256() -> NCSNppSettings:
    """NCSN++ for images of 256 x 256 pixels (LSUN, CelebA-HQ, FFHQ)."""
    return _network(LARGE, channels=128, multipliers=(1, 1, 2, 2, 2, 2, 2), blocks=2)


def ncsnpp_1024() -> NCSNppSettings:
    """NCSN++ for images of 1024 x 1024 pixels (CelebA-HQ, FFHQ)."""
    return _network(LARGE, channels=16, multipliers=(1, 2, 4, 8, 16, 32, 32, 32), blocks=1)
