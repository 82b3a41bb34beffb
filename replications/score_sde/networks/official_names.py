"""Where the official implementation (github.com/yang-song/score_sde_pytorch) keeps each weight of these networks.

It has one list of modules in the order of their use, `all_modules`, which is the order in which ours are registered, and numbers
the layers inside a module by their kind. Its layers of the kind NIN, which act on each pixel by itself, keep weights
[inputs, outputs], and queries, keys and values have one each; ours are linear layers or 1x1 convolutions, of all three in one.
"""

from collections.abc import Iterator

from torch import Tensor, nn

from replications.score_sde.networks.attention import Attention
from replications.score_sde.networks.blocks import Resample, ResidualBlock
from replications.score_sde.networks.embeddings import FourierEmbedding
from replications.score_sde.networks.ncsnpp import NCSNpp
from replications.score_sde.networks.progressive import InputSkip

PARTS = (Attention, FourierEmbedding, InputSkip, Resample, ResidualBlock, nn.Conv2d, nn.GroupNorm, nn.Linear)


def places(net: NCSNpp) -> dict[str, Tensor]:
    """Return a view of each of the network's weights, of the official shape, by its official name and in the official order.

    The Fourier frequencies are among them; official averages leave them out, because no training moves them.
    """
    return {
        f"all_modules.{index}.{name}": view.detach() for index, part in enumerate(_parts(net)) for name, view in _places_of(part)
    }


def moved(names: dict[str, Tensor]) -> list[Tensor]:
    """Return the views of what training moves, in the order in which the official averages are kept."""
    return [view for name, view in names.items() if name != "all_modules.0.W"]


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    """Yield what the official list counts, in order."""
    if isinstance(module, PARTS):
        yield module
        return
    for child in module.children():
        yield from _parts(child)


def _places_of(part: nn.Module) -> Iterator[tuple[str, Tensor]]:
    if isinstance(part, FourierEmbedding):
        yield "W", part.frequencies
    elif isinstance(part, ResidualBlock):
        yield from _layer("GroupNorm_0", part.norm1)
        yield from _layer("Conv_0", part.conv1)
        yield from _layer("Dense_0", part.time)
        yield from _layer("GroupNorm_1", part.norm2)
        yield from _layer("Conv_1", part.conv2)
        if isinstance(part.skip, nn.Conv2d):
            yield from _layer("Conv_2", part.skip) if part.kind == "biggan" else _nin("NIN_0", part.skip.weight, part.skip.bias)
    elif isinstance(part, Attention):
        yield from _layer("GroupNorm_0", part.norm)
        for k, (weight, bias) in enumerate(zip(part.qkv.weight.chunk(3), part.qkv.bias.chunk(3))):
            yield from _nin(f"NIN_{k}", weight, bias)
        yield from _nin("NIN_3", part.out.weight, part.out.bias)
    elif isinstance(part, InputSkip):
        yield from _layer("Conv_0", part.conv)
    elif isinstance(part, Resample):
        if part.conv is not None:
            yield from _layer("Conv2d_0" if part.fir else "Conv_0", part.conv)
    else:
        yield "weight", part.weight
        yield "bias", part.bias


def _layer(name: str, layer: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield f"{name}.weight", layer.weight
    yield f"{name}.bias", layer.bias


def _nin(name: str, weight: Tensor, bias: Tensor) -> Iterator[tuple[str, Tensor]]:
    yield f"{name}.W", weight.flatten(1).T
    yield f"{name}.b", bias
