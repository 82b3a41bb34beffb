"""The models of Tables 2 and 3 and of Figure 10 by name, and the authors' configurations that train them.

A name is architecture and SDE: `ncsnpp_ve` learns all times, `ncsnpp_ve_discrete` a thousand levels. The networks are those for
32 and 64 pixels, or for those that the name says; `Size` makes them smaller.
"""

from typing import Literal, NamedTuple

from pydantic import Field, PositiveInt

from common.learning.models import ModelSettings
from common.runs.settings import Settings
from replications.score_sde.networks.ncsnpp import NCSNppSettings
from replications.score_sde.networks.published import ddpm, ddpm_256, ddpmpp, described, ncsnpp, ncsnpp_256, ncsnpp_1024

SDE = Literal["ve", "vp", "sub_vp"]
SHAPE, CELEBA, LARGE, LARGEST = (3, 32, 32), (3, 64, 64), (3, 256, 256), (3, 1024, 1024)
SIGMA_MAX = {SHAPE: 50.0, CELEBA: 90.0, LARGE: 348.0, LARGEST: 1348.0}


class Named(NamedTuple):
    """A network, the SDE that it was trained on, and whether on its discrete levels."""

    network: NCSNppSettings
    sde: SDE
    discrete: bool = False

    @property
    def deep(self) -> bool:
        """Whether it has eight blocks per resolution, of which the authors trained the continuous ones for fewer steps."""
        return self.network.blocks == 8


class Size(Settings):
    """What of a published network depends on how large it is to be; the rest is its architecture."""

    channels: PositiveInt = Field(multiple_of=4, description="features at full resolution")
    multipliers: tuple[PositiveInt, ...] = Field(min_length=1, description="features per resolution, in units of `channels`")
    attention: tuple[PositiveInt, ...] = Field(default=(), description="resolutions (heights) with self-attention")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="dropout inside residual blocks")


def _discrete_ncsnpp(**changed: object) -> Named:
    """Return NCSN++ with one of its parts changed, on the objective that the architectures were compared with (App. H)."""
    return Named(ncsnpp(embedding="sinusoidal").model_copy(update=changed), "ve", True)


def _centred(network: NCSNppSettings) -> NCSNppSettings:
    return network.model_copy(update={"centred": True})


_PLUS = _centred(ncsnpp(embedding="sinusoidal"))
_DEEP = _centred(ncsnpp(8, "sinusoidal"))
MODELS: dict[str, Named] = {
    "ddpm_vp_discrete": Named(ddpm(), "vp", True),
    "ddpm_vp": Named(ddpm(), "vp"),
    "ddpm_sub_vp": Named(ddpm(), "sub_vp"),
    "ddpm_ve_discrete": Named(ddpm().model_copy(update={"centred": False}), "ve", True),
    "ddpmpp_vp_discrete": Named(ddpmpp(), "vp", True),
    "ddpmpp_vp": Named(ddpmpp(), "vp"),
    "ddpmpp_sub_vp": Named(ddpmpp(), "sub_vp"),
    "ddpmpp_deep_vp": Named(ddpmpp(8), "vp"),
    "ddpmpp_deep_sub_vp": Named(ddpmpp(8), "sub_vp"),
    "ncsnpp_ve_discrete": _discrete_ncsnpp(),
    "ncsnpp_ve": Named(ncsnpp(), "ve"),
    "ncsnpp_deep_ve": Named(ncsnpp(8), "ve"),
    "ncsnpp_vp_discrete": Named(_PLUS, "vp", True),
    "ncsnpp_vp": Named(_PLUS, "vp"),
    "ncsnpp_sub_vp": Named(_PLUS, "sub_vp"),
    "ncsnpp_deep_vp": Named(_DEEP, "vp"),
    "ncsnpp_deep_sub_vp": Named(_DEEP, "sub_vp"),
    "ncsnpp_256_ve": Named(ncsnpp_256(), "ve"),
    "ncsnpp_1024_ve": Named(ncsnpp_1024(), "ve"),
    # what each part is worth (Figure 10)
    "without_fir": _discrete_ncsnpp(fir=False),
    "without_rescaling": _discrete_ncsnpp(rescale=False),
    "ddpm_blocks": _discrete_ncsnpp(block="ddpm"),
    "without_progressive": _discrete_ncsnpp(input="none"),
    "input_skip": _discrete_ncsnpp(input="input_skip"),
    "output_skip": _discrete_ncsnpp(output="output_skip"),
    "output_residual": _discrete_ncsnpp(output="residual"),
    "two_blocks": _discrete_ncsnpp(blocks=2),
}
ModelName = Literal[tuple(MODELS)]


def description(
    named: Named, shape: tuple[int, ...], *, size: Size | None = None, sigma_max: float | None = None, levels: int = 1000
) -> ModelSettings:
    """Return what a training of a named model makes, for images of `shape`; sigma_max is the published one of that size."""
    network = named.network.model_copy(update=size.model_dump()) if size else named.network
    path = "ddpm" if named.discrete and named.sde == "vp" else named.sde
    return described(network, path, shape, sigma_max=sigma_max or SIGMA_MAX.get(shape, SIGMA_MAX[SHAPE]), levels=levels)


_VP = ("ddpmpp", "ncsnpp")
# by the path of the file below `configs` in github.com/yang-song/score_sde_pytorch, without .py
CONFIGS: dict[str, ModelSettings] = {
    "ve/cifar10_ddpm": description(MODELS["ddpm_ve_discrete"], SHAPE),
    "ve/cifar10_ncsnpp": description(MODELS["ncsnpp_ve_discrete"], SHAPE),
    "ve/cifar10_ncsnpp_continuous": description(MODELS["ncsnpp_ve"], SHAPE),
    "ve/cifar10_ncsnpp_deep_continuous": description(MODELS["ncsnpp_deep_ve"], SHAPE),
    "vp/ddpm/cifar10": description(MODELS["ddpm_vp_discrete"], SHAPE),
    "vp/ddpm/cifar10_continuous": description(MODELS["ddpm_vp"], SHAPE),
    "subvp/cifar10_ddpm_continuous": description(MODELS["ddpm_sub_vp"], SHAPE),
    **{f"vp/cifar10_{name}": description(MODELS[f"{name}_vp_discrete"], SHAPE) for name in _VP},
    **{f"vp/cifar10_{name}_continuous": description(MODELS[f"{name}_vp"], SHAPE) for name in _VP},
    **{f"vp/cifar10_{name}_deep_continuous": description(MODELS[f"{name}_deep_vp"], SHAPE) for name in _VP},
    **{f"subvp/cifar10_{name}_continuous": description(MODELS[f"{name}_sub_vp"], SHAPE) for name in _VP},
    **{f"subvp/cifar10_{name}_deep_continuous": description(MODELS[f"{name}_deep_sub_vp"], SHAPE) for name in _VP},
    "ve/celeba_ncsnpp": description(MODELS["ncsnpp_ve_discrete"], CELEBA),
    **{f"vp/ddpm/{name}": description(Named(ddpm_256(), "vp", True), LARGE) for name in ("bedroom", "church", "celebahq")},
    "ve/bedroom_ncsnpp_continuous": description(MODELS["ncsnpp_256_ve"], LARGE, sigma_max=378.0),
    "ve/church_ncsnpp_continuous": description(MODELS["ncsnpp_256_ve"], LARGE, sigma_max=380.0),
    **{f"ve/{name}_256_ncsnpp_continuous": description(MODELS["ncsnpp_256_ve"], LARGE) for name in ("celebahq", "ffhq")},
    **{f"ve/{name}_ncsnpp_continuous": description(MODELS["ncsnpp_1024_ve"], LARGEST) for name in ("celebahq", "ffhq")},
}
