"""What the paper ran: noise levels and steps of its models (Song & Ermon 2020, Table 4), for pixels in [0, 1]."""

from typing import NamedTuple


class Published(NamedTuple):
    """One model's settings; `paper` is whose they are."""

    data: str
    paper: str
    dim: int
    sigma_max: float
    levels: int
    steps: int
    eps: float
    sigma_min: float = 0.01

    @property
    def ratio(self) -> float:
        """The ratio of neighbouring levels."""
        return (self.sigma_max / self.sigma_min) ** (1 / (self.levels - 1))

    @property
    def rho(self) -> float:
        """The relative step size eps / sigma_L^2."""
        return self.eps / self.sigma_min**2

    @property
    def evaluations(self) -> int:
        """Network evaluations of a sample, without that of a last denoising step."""
        return self.levels * self.steps


NCSN = Published("cifar10", "ncsn", 3 * 32**2, 1.0, 10, 100, 2e-5)  # the paper's own runs of NCSN, the same on all its data sets
PUBLISHED = (
    Published("cifar10", "ncsnv2", 3 * 32**2, 50.0, 232, 5, 6.2e-6),
    Published("celeba64", "ncsnv2", 3 * 64**2, 90.0, 500, 5, 3.3e-6),
    Published("lsun_church96", "ncsnv2", 3 * 96**2, 140.0, 788, 4, 4.9e-6),
    Published("lsun_bedroom128", "ncsnv2", 3 * 128**2, 190.0, 1086, 3, 1.8e-6),  # and lsun_tower128
    Published("ffhq256", "ncsnv2", 3 * 256**2, 348.0, 2311, 3, 9e-7),  # of the authors' code; printed is 0.9e-7
)
# published step sizes that are not what technique 4 gives
OTHERWISE = {("lsun_church96", "ncsnv2"), ("cifar10", "ncsn")}
