"""What score SDE's networks are compared with: the official PyTorch code, at small sizes, on weights and inputs from one formula.

The numbers in tests/replications/score_sde/official_outputs.json are that code's (github.com/yang-song/score_sde_pytorch), run in
float64: of each case sixteen pixels and the mean square of the output, and a digest of the names and shapes of its weights;
scores as its own functions ask the networks for them; digests and numbers of weights of the networks in its configurations. Two
of its ways to double the resolution, which no published network takes, do not run as they are written for PyTorch; `repair` says
what is meant, as the authors' JAX code has it. With a checkout, tests/benchmarks/test_ncsnpp_step.py compares file and code.
"""

import sys
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import torch
from torch.nn import functional
from torch.utils import cpp_extension

from replications.score_sde.networks.ncsnpp import NCSNppSettings
from replications.score_sde.networks.official_names import places

FILE = Path(__file__).parent / "replications" / "score_sde" / "official_outputs.json"
SMALL = {"channels": 16, "multipliers": (1, 2), "blocks": 1, "attention": (4,)}
SINUSOIDAL = {**SMALL, "embedding": "sinusoidal", "fir": False}
FOURIER = {**SMALL, "embedding": "fourier", "centred": False}
DDPM = {**SINUSOIDAL, "block": "ddpm", "rescale": False}
THREE = {**FOURIER, "multipliers": (1, 2, 1), "attention": (2, 8)}

# every option of the settings, each in both ways
CASES = {
    "ddpm": {**DDPM, "channels": 128, "multipliers": (1, 1)},
    "small ddpm": {**DDPM, "blocks": 2},
    "without convolutions": {**DDPM, "resample_conv": False, "centred": False},
    "ddpm, filter": {**DDPM, "rescale": True, "fir": True},
    "ddpm, filter without convolutions": {**DDPM, "multipliers": (2, 2), "fir": True, "resample_conv": False},
    "ddpm++": {**SINUSOIDAL, "blocks": 2, "attention": (8, 4)},
    "ncsn++": {**FOURIER, "input": "residual", "blocks": 2},
    "ncsn++, discrete": {**FOURIER, "input": "residual", "embedding": "sinusoidal"},
    "ncsn++, large": {**THREE, "input": "input_skip", "output": "output_skip"},
    "image as channels": {**THREE, "input": "input_skip", "join": "cat", "output": "residual", "fir": False},
    "plain image as sum": {**THREE, "block": "ddpm", "input": "input_skip", "output": "output_skip", "fir": False},
    "residual both ways": {**THREE, "input": "residual", "output": "residual"},
    "residual, not rescaled": {**THREE, "input": "residual", "output": "residual", "fir": False, "rescale": False},
    "output alone": {**SINUSOIDAL, "output": "output_skip", "attention": ()},
}
SHAPE = (3, 8, 8)


def uniform(count, start=0):
    """Numbers in [0, 1), as good as random, that every language makes alike."""
    return (10_000 * torch.sin(torch.arange(start + 1, start + 1 + count, dtype=torch.float64))).remainder(1)


def fill(weights):
    """Give weights, in their order, values of such a size that every layer matters."""
    start = 0
    with torch.no_grad():
        for weight in weights:
            drawn = uniform(weight.numel(), start).reshape(weight.shape)
            start += weight.numel()
            # norms and biases are vectors
            weight.copy_(0.5 + drawn if weight.ndim == 1 else (2 * drawn - 1) * (3 * len(weight) / weight.numel()) ** 0.5)


def built(case):
    """Return our network of a case, with the formula's weights, in float64."""
    with torch.device("meta"):
        net = NCSNppSettings(**CASES[case]).build(SHAPE)
    net = net.to_empty(device="cpu").double().eval()
    fill(places(net).values())
    return net


def inputs(embedding, batch=2):
    """Images and what the network is told of their noise."""
    x = 3 * uniform(batch * 192, 10_000_000).reshape(batch, *SHAPE) - 1
    t = (-2.25, 1.5) if embedding == "fourier" else (3.0, 641.0)
    return x, torch.tensor(t, dtype=torch.float64)[:batch]


def summary(out):
    """Sixteen pixels of the output, of all channels and both images, and its mean square."""
    return [*out.flatten()[5::24].tolist(), out.square().mean().item()]


def digest(weights):
    """Of names and shapes, in order."""
    return sha256("\n".join(f"{name} {list(each.shape)}" for name, each in weights.items()).encode()).hexdigest()


def official_modules(checkout):
    """Return the official modules `models.*`; their CUDA extension is left out, because a CPU takes another way."""
    if checkout not in sys.path:
        sys.path.insert(0, checkout)
        compiled, cpp_extension.load = cpp_extension.load, lambda *_, **__: None
        try:
            for name in ("ncsnpp", "ddpm"):
                import_module(f"models.{name}")
        finally:
            cpp_extension.load = compiled
        repair(import_module("models.layerspp"), import_module("models.up_or_down_sampling"))
    return import_module("models.ncsnpp"), import_module("models.ddpm")


def repair(layers, sampling):
    """Let the official code run where its PyTorch version cannot."""

    def interpolate(x, size, mode):
        # it gives the mode in the place of another argument
        return functional.interpolate(x, size, mode=mode)

    def upsample_conv_2d(x, weight, k):
        # it flips the weights as NumPy does, and gives strides for four axes
        spread = functional.conv_transpose2d(x, weight.flip(2, 3).transpose(0, 1), stride=2)
        return sampling.upfirdn2d(spread, torch.tensor(4 * sampling._setup_kernel(k)), pad=(1, 1))

    layers.F = SimpleNamespace(**{**vars(functional), "interpolate": interpolate})
    sampling.upsample_conv_2d = upsample_conv_2d


def official_network(checkout, case, shape=SHAPE, *, scale_by_sigma=False, ddpm=False):
    """Return the official network of these settings of ours; `ddpm` takes its own class for DDPM."""
    options = {"block": "biggan", "rescale": True, "fir": True, "resample_conv": True, "input": "none", "output": "none"}
    options = {**options, "join": "sum", "attention": (), "dropout": 0.0, "centred": True, "fourier_scale": 16, **case}
    kind = {"fourier": "fourier", "sinusoidal": "positional"}[options["embedding"]]
    model = SimpleNamespace(
        nf=options["channels"],
        ch_mult=options["multipliers"],
        num_res_blocks=options["blocks"],
        attn_resolutions=options["attention"],
        resblock_type=options["block"],
        skip_rescale=options["rescale"],
        fir=options["fir"],
        fir_kernel=[1, 3, 3, 1],
        resamp_with_conv=options["resample_conv"],
        progressive_input=options["input"],
        progressive=options["output"],
        progressive_combine=options["join"],
        embedding_type=kind,
        fourier_scale=options["fourier_scale"],
        dropout=options["dropout"],
        **{"conditional": True, "nonlinearity": "swish", "init_scale": 0.0, "scale_by_sigma": scale_by_sigma},
        **{"sigma_min": 0.01, "sigma_max": 50.0, "num_scales": 1000},
    )
    data = SimpleNamespace(image_size=shape[1], num_channels=shape[0], centered=options["centred"])
    config = SimpleNamespace(model=model, data=data, training=SimpleNamespace(continuous=kind == "fourier"))
    ncsnpp, plain = official_modules(checkout)
    return plain.DDPM(config) if ddpm else ncsnpp.NCSNpp(config)
