"""The five techniques applied to a data set: all settings of a score-based model that the paper says how to choose."""

from dataclasses import dataclass

from torch import Generator

from common.dynamics.paths import ladder
from common.errors import DataError
from replications.ncsnv2.noise_levels import MASS, number_of_levels, shell_mass
from replications.ncsnv2.own_images import read_images
from replications.ncsnv2.pairwise_distances import distances
from replications.ncsnv2.step_size import best_step_size, steps_per_level

EMA_DECAY = 0.999  # technique 5
SIGMA_MIN = 0.01


@dataclass(frozen=True)
class Recommendation:
    """Settings for a data set, for pixels in [0, 1], and what they were chosen by."""

    data: str
    reading: str  # how its numbers were taken
    images: int
    compared: int  # of the images, for their distances
    shape: tuple[int, ...]
    dimensions: int
    median_distance: float
    sigma_max: float  # the largest distance
    sigma_min: float
    levels: int
    ratio: float  # of neighbouring levels
    mass: float  # that a level puts on the shell of the level before
    noise_levels: tuple[float, ...]
    steps_per_level: int
    eps: float
    rho: float  # eps / sigma_min^2
    variance_ratio: float  # s_T^2 / sigma_i^2
    evaluations: int  # of the network, for one sample with the last denoising step
    ema_decay: float = EMA_DECAY
    conditioning: str = "s(x, sigma) = h(x) / sigma"
    denoise_last: bool = True


def recommendation(
    data: str, *, generator: Generator, sigma_min: float = SIGMA_MIN, mass: float = MASS, steps: int | None = None
) -> Recommendation:
    """Return the settings for a data set's name, a folder of pictures or a .npy file.

    `mass` is technique 2's; `steps` at each level follow from the number of levels unless given. Raises `DataError` for what
    cannot be read or has no two different images, `SettingsError` for a mass, sigma_min or steps that are impossible.
    """
    images = read_images(data, generator=generator)
    try:
        found = distances(images.stored, generator=generator, unit=images.unit)
    except DataError as error:
        raise DataError(f"{data}: {error}") from None
    count = number_of_levels(found.largest, sigma_min, images.dim, mass)
    levels = ladder(found.largest, sigma_min, count).tolist()
    ratio = levels[0] / levels[1]
    steps = steps_per_level(count) if steps is None else steps
    step = best_step_size(ratio, steps, sigma_min)
    return Recommendation(
        data=data,
        reading=images.reading,
        images=images.total,
        compared=found.compared,
        shape=tuple(images.stored.shape[1:]),
        dimensions=images.dim,
        median_distance=found.median,
        sigma_max=found.largest,
        sigma_min=sigma_min,
        levels=count,
        ratio=ratio,
        mass=shell_mass(images.dim, ratio),
        noise_levels=tuple(levels),
        steps_per_level=steps,
        eps=step.eps,
        rho=step.rho,
        variance_ratio=step.variance_ratio,
        evaluations=count * steps + 1,
    )
