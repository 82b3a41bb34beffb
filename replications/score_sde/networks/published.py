"""The networks that score SDE was published with, as its authors' configurations have them, and what they were trained to do."""

from typing import Any, Literal

from common.learning.models import ConditioningSettings, ModelSettings, ObjectiveSettings
from replications.score_sde.networks.ncsnpp import NCSNppSettings

CIFAR = {"channels": 128, "multipliers": (1, 2, 2, 2), "attention": (16,), "dropout": 0.1}
LARGE = {"attention": (16,), "embedding": "fourier", "centred": False, "input": "input_skip", "output": "output_skip"}


def ddpm() -> NCSNppSettings:
    """DDPM for CIFAR-10 on the VP and sub-VP paths; on the VE path its pixels are in [0, 1] (`centred: false`)."""
    return _network(CIFAR, blocks=2, block="ddpm", rescale=False, fir=False, embedding="sinusoidal")


def ddpmpp(blocks: int = 4) -> NCSNppSettings:
    """DDPM++ for CIFAR-10; the deep one has 8 blocks."""
    return _network(CIFAR, blocks=blocks, fir=False, embedding="sinusoidal")


def ncsnpp(blocks: int = 4, embedding: Literal["sinusoidal", "fourier"] = "fourier") -> NCSNppSettings:
    """NCSN++ for CIFAR-10; the deep one has 8 blocks, the one of discrete levels a sinusoidal embedding of the level's index."""
    return _network(CIFAR, blocks=blocks, input="residual", embedding=embedding, centred=False)


def ddpm_256() -> NCSNppSettings:
    """DDPM for images of 256 x 256 pixels (LSUN, CelebA-HQ)."""
    return ddpm().model_copy(update={"multipliers": (1, 1, 2, 2, 4, 4), "dropout": 0.0})


def ncsnpp_256() -> NCSNppSettings:
    """NCSN++ for images of 256 x 256 pixels (LSUN, CelebA-HQ, FFHQ)."""
    return _network(LARGE, channels=128, multipliers=(1, 1, 2, 2, 2, 2, 2), blocks=2)


def ncsnpp_1024() -> NCSNppSettings:
    """NCSN++ for images of 1024 x 1024 pixels (CelebA-HQ, FFHQ)."""
    return _network(LARGE, channels=16, multipliers=(1, 2, 4, 8, 16, 32, 32, 32), blocks=1)


def described(
    backbone: NCSNppSettings,
    path: Literal["vp", "sub_vp", "ve", "ddpm"],
    shape: tuple[int, ...] = (3, 32, 32),
    *,
    sigma_max: float = 50.0,
    levels: int = 1000,
) -> ModelSettings:
    """Return the model that one of these networks was trained to be: it predicts the noise.

    It knows all times, but for two kinds that know `levels` only: on the VE path a network with a sinusoidal embedding (SMLD's
    levels), and on the path "ddpm" every network (DDPM's levels, of which VP is the limit); it is given 999 t there too, as the
    authors' samplers do. sigma_max is 90 for CelebA, 348 for CelebA-HQ and FFHQ of 256 pixels, 378 for LSUN (380 for its
    churches) and 1348 for 1024 pixels.
    """
    time, known = "steps", levels if path == "ddpm" else None
    if path == "ve":
        time, known = ("log_sigma", None) if backbone.embedding == "fourier" else ("index", levels)
    return ModelSettings(
        objective=ObjectiveSettings(
            path=path,
            path_options={"sigma_min": 0.01, "sigma_max": sigma_max} if path == "ve" else {},
            prediction="noise",
            noise_levels=known,
        ),
        conditioning=ConditioningSettings(t=time),
        pixel_range=(-1.0, 1.0) if backbone.centred else (0.0, 1.0),
        backbone=backbone,
        shape=shape,
    )


def _network(shared: dict[str, Any], **own: Any) -> NCSNppSettings:
    return NCSNppSettings(**shared, **own)
