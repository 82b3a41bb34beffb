"""What NCSNv2's networks are compared with: the official code, at a small size, on weights and inputs from one formula.

The numbers in tests/replications/ncsnv2/official_outputs.json are that code's (github.com/ermongroup/ncsnv2), run in float64: of
each depth sixteen values and the mean square of what its last convolution gives, and of its score at two noise levels. With a
checkout, tests/benchmarks/test_ncsnv2_step.py compares file and code.
"""

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import torch
from score_sde_official import fill, uniform

from replications.ncsnv2.refinenets import RefineNetV2Settings

FILE = Path(__file__).parent / "replications" / "ncsnv2" / "official_outputs.json"
SHAPE, FILTERS, LEVELS = (3, 16, 24), 8, 232
CLASSES = {"standard": "NCSNv2", "deeper": "NCSNv2Deeper", "deepest": "NCSNv2Deepest"}
# the authors' numbers of stages and refinement blocks, in the order of the forward pass
STAGES = {"standard": "1234", "deeper": "12345", "deepest": ["1", "2", "3", "31", "4", "5"]}
REFINE = {"standard": "1234", "deeper": "12345", "deepest": ["1", "2", "31", "3", "4", "5"]}
ASKED = torch.tensor([0, 100])  # the level of each image whose score is kept


def built(depth):
    """Return our network of a depth, with the formula's weights, in float64."""
    net = RefineNetV2Settings(depth=depth, filters=FILTERS).build(SHAPE).double().eval()
    fill(official_names(net, depth).values())
    return net


def images(batch=2):
    """Images as noise makes them."""
    count = SHAPE[0] * SHAPE[1] * SHAPE[2]
    return 3 * uniform(batch * count, 10_000_000).reshape(batch, *SHAPE) - 1


def summary(out):
    """Sixteen values, of all channels and both images, and the mean square."""
    return [*out.flatten()[5::144].tolist(), out.square().mean().item()]


def official_names(net, depth):
    """Return our weights, or views of them, under the authors' names."""
    names = {**_conv("begin_conv", net.enter), **_norm("normalizer", net.leave.norm), **_conv("end_conv", net.leave.conv)}
    for number, stage in zip(STAGES[depth], net.stages, strict=True):
        for k, block in enumerate(stage):
            place, (first, second) = f"res{number}.{k}", block.layers
            names |= _norm(f"{place}.normalize1", first.norm) | _norm(f"{place}.normalize2", second.norm)
            # where they halve, the convolution is inside
            inside = ".conv" if block.halves else ""
            names |= _conv(f"{place}.conv1", first.conv) | _conv(f"{place}.conv2{inside}", second.conv)
            if hasattr(block.shortcut, "weight"):
                names |= _conv(f"{place}.shortcut{inside}", block.shortcut)
    for number, block in zip(REFINE[depth], net.refine, strict=True):
        chains = {**{f"adapt_convs.{k}": chain for k, chain in enumerate(block.adapt)}, "output_convs": block.finish}
        for name, chain in chains.items():
            for i, unit in enumerate(chain):
                for j, layer in enumerate(unit.layers):
                    names |= _conv(f"refine{number}.{name}.{i + 1}_{j + 1}_conv", layer.conv)
        for name, convs in {"crp": block.pool.convs, "msf": block.fuse.convs if block.fuse else []}.items():
            for k, conv in enumerate(convs):
                names |= _conv(f"refine{number}.{name}.convs.{k}", conv)
    return names


def _conv(name, conv):
    return {f"{name}.{key}": weight.detach() for key, weight in conv.named_parameters()}


def _norm(name, norm):
    return {f"{name}.{key}": row for key, row in zip(("gamma", "alpha", "beta"), norm.table.weight.detach()[0].chunk(3))}


def official_network(depth, shape=SHAPE, filters=FILTERS):
    """Return the official network of a depth, from a checkout that is on the path."""
    data = SimpleNamespace(logit_transform=False, rescaled=False, channels=shape[0], image_size=shape[1])
    ladder = {"sigma_dist": "geometric", "sigma_begin": 50, "sigma_end": 0.01, "num_classes": LEVELS}
    model = SimpleNamespace(ngf=filters, normalization="InstanceNorm++", nonlinearity="elu", **ladder)
    config = SimpleNamespace(data=data, model=model, device="cpu")
    return getattr(import_module("models.ncsnv2"), CLASSES[depth])(config)


def official_answers(depth):
    """Return what the official network's last convolution and its score are, with the formula's weights."""
    torch.set_default_dtype(torch.float64)
    try:
        net = official_network(depth).eval()
        weights = official_names(built(depth), depth)
        net.load_state_dict({**weights, "sigmas": net.sigmas})
        with torch.no_grad():
            score = net(images(), ASKED)
    finally:
        torch.set_default_dtype(torch.float32)
    return {"output": summary(score * net.sigmas[ASKED].reshape(-1, 1, 1, 1)), "score": summary(score)}
