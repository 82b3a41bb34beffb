"""What samplers, variants of the solver, SDEs and models are called in figures and tables, and their colours there."""

from common.measure.figures import BLACK, BLUE, COLOURS, GREEN, GREY, OLIVE, ORANGE, PURPLE, SKY, VERMILION, WINE

# in the order of the tables
NAMES = {
    # no sampler
    "data": "data",
    # what has all its evaluations
    "reverse_diffusion_langevin": "reverse diffusion + Langevin",
    "euler_maruyama_full": "Euler-Maruyama, in full",
    "rk45": "flow, RK45",
    # the paper's solver, and what has as many evaluations
    "ggf": "GGF",
    "euler_maruyama": "Euler-Maruyama",
    "ddim": "DDIM",
    # torchsde's adaptive solvers
    "torchsde_euler": "torchsde, Euler",
    "torchsde_srk": "torchsde, SRK",
    "torchsde_euler_heun": "torchsde, Euler-Heun",
    "torchsde_heun": "torchsde, Heun",
    "torchsde_midpoint": "torchsde, midpoint",
    # variants of the solver
    "default": "as published",
    "no_previous": "tolerance by the new state only",
    "no_extrapolation": "no extrapolation",
    "max_norm": "largest component's error",
    "power_0.5": "exponent r = 0.5",
    "power_0.8": "r = 0.8",
    "power_1": "r = 1",
    "lamba_extrapolated": "Lamba, extrapolated",
    "lamba": "Lamba",
    "lamba_max_norm": "Lamba, largest error",
    "lamba_max_norm_safety_0.8": "Lamba, largest error, θ = 0.8",
    # SDEs, and the models trained on them
    "vp": "VP",
    "ve": "VE",
    "score_vp": "VP",
    "ddpm_vp": "VP",
    "score_ve": "VE",
    "ddpmpp_vp": "VP",
    "ddpmpp_deep_vp": "VP, deep",
    "ncsnpp_ve": "VE",
    "ncsnpp_deep_ve": "VE, deep",
    "ncsnpp_256_ve": "VE, 256 pixels",
}
SHADES = {
    "data": BLACK,
    "ggf": VERMILION,
    "default": VERMILION,
    # one sampler with all and with fewer evaluations, told apart by their marks
    "euler_maruyama": WINE,
    "euler_maruyama_full": WINE,
    "reverse_diffusion_langevin": OLIVE,
    "rk45": GREEN,
    "ddim": BLUE,
    "torchsde_srk": ORANGE,
    "torchsde_euler": SKY,
    "torchsde_heun": GREEN,
    "torchsde_euler_heun": PURPLE,
    "torchsde_midpoint": BLUE,
    # models have the colours of the suite's other pages, an SDE that of the model of it
    "vp": COLOURS["ddpm_vp"],
    "ve": COLOURS["score_ve"],
    "score_vp": COLOURS["score_vp"],
    "ddpm_vp": COLOURS["ddpm_vp"],
    "score_ve": COLOURS["score_ve"],
    "ddpmpp_vp": COLOURS["ddpm_vp"],
    "ddpmpp_deep_vp": WINE,
    "ncsnpp_ve": COLOURS["score_ve"],
    "ncsnpp_deep_ve": BLUE,
    "ncsnpp_256_ve": COLOURS["score_ve"],
}
SDES = ("vp", "ve")
# experiments on trained models: the suite's, and the published networks
ON_MODELS = ("learned", "published")
# whose features the distances are taken in, by setting `space`
SPACES = {"classifier": "in the features of the data set's own classifier", "inception": "in Inception's features (FID)"}
# along the tolerances, and with all their evaluations
AT_A_TOLERANCE = ("ggf", "euler_maruyama", "ddim")
IN_FULL = ("reverse_diffusion_langevin", "euler_maruyama_full", "rk45")


def name(method: str) -> str:
    """Return what a method is called, its own name in words if it has no other."""
    return NAMES.get(method, method.replace("_", " "))


def shade(method: str) -> str:
    """Return a method's colour."""
    return SHADES.get(method, GREY)
