"""The networks of NCSNv2 (appendix B): NCSN's RefineNet with other norms and poolings, deeper for larger images; what they learn.

Three things differ from NCSN's: InstanceNorm++ knows no noise level (technique 3), refinement blocks have no norm, and their
chained pooling takes the maximum. The published network divides by sigma what its last convolution gives, h(x), and calls that
the score, so h learns to be minus the noise. Here the network predicts the noise itself: its output is -h, the score is
-net(x) / sigma, and published weights become ours when those of the last convolution change their sign.

The paper's ablation (Figure 5) is made on this one backbone: without technique 3 its InstanceNorm++ has a row for each level, and
its output is the score, as NCSN's. The published rivals have the older network besides, with norms in the refinement blocks and
pooling by means.
"""

from typing import Literal

from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from common.learning.data.training import sample_shape
from common.learning.models import ConditioningSettings, ModelSettings, ObjectiveSettings, Recipe
from common.learning.nets.build import Backbone
from replications.ncsn.networks import PAPER as NCSN
from replications.ncsn.networks import PIXELS
from replications.ncsn.refinenet import STAGES, RefineNet, Stage, check_images

Maps = Float[Tensor, "batch channels height width"]
Depth = Literal["standard", "deeper", "deepest"]
Objective = Literal["ncsnv2", "ncsnv2_index", "ncsn"]
SIGMA_MIN = 0.01  # of pixels in [0, 1]

# Tables 2 and 3: for images of 32 and 64, of 96 and 128, and of 256 pixels
_DOWN = Stage(2, down=True)
_DILATED = (Stage(4, down=True, dilation=2), Stage(4, down=True, dilation=4))
DEPTHS: dict[Depth, tuple[Stage, ...]] = {
    "standard": STAGES,
    "deeper": (Stage(1), _DOWN, _DOWN, *_DILATED),
    "deepest": (Stage(1), _DOWN, _DOWN, _DOWN, *_DILATED),
}


class NoNorm(nn.Module):
    """The place of a norm where there is none."""

    def forward(self, x: Maps, level: Tensor) -> Maps:
        """Return x."""
        return x


def max_5x5(maps: Maps) -> Maps:
    """Return the largest value of the 5x5 pixels around each; there is nothing beyond the border."""
    return F.max_pool2d(maps, 5, stride=1, padding=2)


class RefineNetV2Settings(Backbone):
    """The RefineNet of NCSNv2; the paper's has 128 filters."""

    kind: Literal["refinenet_v2"] = "refinenet_v2"
    depth: Depth = Field(default="standard", description="published for 32 and 64, for 96 and 128, and for 256 pixels")
    filters: PositiveInt = Field(description="features at full resolution")
    levels: PositiveInt | None = Field(
        default=None, description="number of noise levels; null = a network that is not told the level (technique 3)"
    )

    def build(self, shape: tuple[int, ...]) -> nn.Module:
        """Return an untrained network for images."""
        stages = DEPTHS[self.depth]
        check_images(shape, stages, "take larger images, or less depth")
        return RefineNet(shape[0], self.filters, self.levels, stages, lambda channels: NoNorm(), max_5x5)


def recipe(objective: Objective, sigma_max: float, levels: int) -> Recipe:
    """Return what is learned: all techniques; without the third; or NCSN, whose ladder is its own.

    sigma_max: the largest noise of pixels in [0, 1] (technique 1); levels: how many there are down to 0.01 (technique 2).
    """
    if objective == "ncsn":
        return NCSN["ncsn"]
    ladder = {"path": "ve", "path_options": {"sigma_min": SIGMA_MIN, "sigma_max": sigma_max}, "noise_levels": levels}
    if objective == "ncsnv2_index":
        score = ObjectiveSettings(**ladder, prediction="score", weight="sigma_squared")
        return Recipe(objective=score, conditioning=ConditioningSettings(t="index"))
    # sigma^2 |s(x) / sigma - score|^2 is |noise - its prediction|^2: the level has gone from the loss
    return Recipe(objective=ObjectiveSettings(**ladder, prediction="noise"), conditioning=ConditioningSettings(t="none"))


def description(
    data: str, objective: Objective, backbone: RefineNetV2Settings, *, sigma_max: float, levels: int
) -> ModelSettings:
    """Return what a training makes; the backbone knows as many levels as the objective tells it."""
    chosen = recipe(objective, sigma_max, levels)
    told = chosen.objective.noise_levels if chosen.conditioning.t == "index" else None
    fitting = backbone.model_copy(update={"levels": told})
    return ModelSettings(**dict(chosen), backbone=fitting, shape=sample_shape(data), pixel_range=PIXELS["refinenet"])
