"""The paper's networks (Table 3): guided-diffusion U-Nets as `common.learning.nets.unet`, and the images they are for.

The paper lists four heads and 64 channels a head, which do not fit all its widths together; as in guided diffusion, the channels
a head decide.
"""

from common.learning.nets.build import UNetSettings

SHAPES = {"cifar10": (3, 32, 32), "imagenet32": (3, 32, 32), "imagenet64": (3, 64, 64), "imagenet128": (3, 128, 128)}
NETWORKS = {
    "cifar10": UNetSettings(channels=256, multipliers=(1, 2, 2, 2), blocks=2, attention=(16,)),
    "imagenet32": UNetSettings(channels=256, multipliers=(1, 2, 2, 2), blocks=3, attention=(16, 8)),
    "imagenet64": UNetSettings(channels=192, multipliers=(1, 2, 3, 4), blocks=3, attention=(32, 16, 8)),
    "imagenet128": UNetSettings(channels=256, multipliers=(1, 1, 2, 3, 4), blocks=3, attention=(32, 16, 8)),
}
