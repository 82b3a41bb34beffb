"""What methods are called in figures and tables, and their colours there."""

from common.measure.figures import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, WINE

NAMES = {
    "data": "data",
    "uniform": "uniform",
    "gaussian": "one Gaussian",
    "independent_pixels": "independent pixels",
    "none": "no flow",
    "real_nvp": "Real NVP",
    "glow": "Glow",
    "maf": "MAF",
    "planar": "planar",
    "iaf": "IAF",
    "sylvester": "Sylvester",
    "ffjord": "FFJORD",
    "ffjord_decay": "FFJORD, weight decay",
    "hypernetwork": "FFJORD, hypernetwork",
    "multiscale": "several scales",
    "single_scale": "one scale",
    "gaussian_probes": "Gaussian probes",
    "gaussian_bottleneck": "Gaussian, bottleneck",
    "rademacher_probes": "Rademacher probes",
    "rademacher_bottleneck": "Rademacher, bottleneck",
    "eight_gaussians": "eight Gaussians",
}
SHADES = {
    "data": BLACK,
    "uniform": GREY,
    "gaussian": GREY,
    "independent_pixels": GREY,
    "none": BLACK,
    "real_nvp": SKY,
    "glow": VERMILION,
    "maf": GREEN,
    "planar": ORANGE,
    "iaf": GREEN,
    "sylvester": PURPLE,
    "ffjord": BLUE,
    "ffjord_decay": WINE,
    "hypernetwork": WINE,
    "multiscale": BLUE,
    "single_scale": ORANGE,
    "gaussian_probes": VERMILION,
    "gaussian_bottleneck": WINE,
    "rademacher_probes": GREEN,
    "rademacher_bottleneck": PURPLE,
}
# methods that need no training, or learn next to nothing: what any flow must beat
BASELINES = ("uniform", "gaussian", "independent_pixels")


def name(method: str) -> str:
    """Return what a method is called, its own name in words if it has no other."""
    return NAMES.get(method, method.replace("_", " "))


def shade(method: str) -> str:
    """Return a method's colour."""
    return SHADES.get(method, GREY)
