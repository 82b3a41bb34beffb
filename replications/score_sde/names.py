"""What SDEs, samplers, columns of Table 1 and models are called in figures and tables, and their colours there."""

from common.measure.figures import BLACK, BLUE, COLOURS, GREEN, GREY, OLIVE, ORANGE, PURPLE, SKY, VERMILION, WINE

# in the order of the tables
NAMES = {
    # SDEs
    "ve": "VE",
    "vp": "VP",
    "sub_vp": "sub-VP",
    # predictors, and what runs without one
    "ancestral": "ancestral",
    "reverse_diffusion": "reverse diffusion",
    "euler_maruyama": "Euler-Maruyama",
    "probability_flow": "probability flow",
    "corrector_only": "corrector only",
    # kinds of samplers: Table 1's columns, and those of a model
    "P": "Pₙ",
    "P2": "P₂ₙ",
    "PC": "PCₙ",
    "C2": "C₂ₙ",
    "ODE": "flow, RK45",
    "SDE": "reverse SDE",
    "rk45": "flow, RK45",
    # models: what each is trained on, and by which loss
    "score_ve": "VE",
    "ladder_ve": "VE, discrete",
    "score_vp": "VP",
    "ddpm_vp": "VP, simple loss",
    "score_sub_vp": "sub-VP",
    "noise_sub_vp": "sub-VP, simple loss",
    # conditional generation
    "class_conditional": "class-conditional",
    "inpainting": "inpainting",
    "colourisation": "colourisation",
    "unconditional": "unconditional",
    # no method
    "data": "data",
    "noise": "noise",
    "uniform": "uniform",
}
SHADES = {
    # an SDE and the model of it have one colour; common's are those of the other papers' pages
    "ve": COLOURS["score_ve"],
    "vp": COLOURS["score_vp"],
    "sub_vp": ORANGE,
    "score_ve": COLOURS["score_ve"],
    "ladder_ve": BLUE,
    "score_vp": COLOURS["score_vp"],
    "ddpm_vp": COLOURS["ddpm_vp"],
    "score_sub_vp": ORANGE,
    "noise_sub_vp": VERMILION,
    # predictors and kinds of samplers, told apart from one another
    "ancestral": BLUE,
    "reverse_diffusion": VERMILION,
    "euler_maruyama": WINE,
    "probability_flow": GREEN,
    "corrector_only": PURPLE,
    "P": ORANGE,
    "P2": SKY,
    "PC": OLIVE,
    "C2": PURPLE,
    "ODE": GREEN,
    "SDE": VERMILION,
    "rk45": GREEN,
    "class_conditional": BLUE,
    "inpainting": VERMILION,
    "colourisation": ORANGE,
    "unconditional": GREY,
    "data": BLACK,
    "noise": GREY,
    "uniform": GREY,
}
SDES = ("ve", "vp", "sub_vp")
PREDICTORS = ("ancestral", "reverse_diffusion", "euler_maruyama", "probability_flow")
# Table 1's columns; the last three cost the same
KINDS = ("P", "P2", "C2", "PC")


def name(method: str) -> str:
    """Return what a method is called, its own name in words if it has no other."""
    return NAMES.get(method, method.replace("_", " "))


def shade(method: str) -> str:
    """Return a method's colour."""
    return SHADES.get(method, GREY)
