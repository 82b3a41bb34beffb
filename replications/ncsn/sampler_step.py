"""What a published setting of the sampler says."""

from pydantic import Field, PositiveFloat, PositiveInt

from common.runs.settings import Settings


class Step(Settings):
    """A sampler's settings: Langevin steps at each level and their size."""

    steps: PositiveInt = Field(description="Langevin steps at each level")
    rho: PositiveFloat = Field(description="drift coefficient over sigma^2; 0.2 = the code's step of 2e-5, 0.1 = as printed")

    def __str__(self) -> str:
        return f"T = {self.steps}, ρ = {self.rho:g}"
