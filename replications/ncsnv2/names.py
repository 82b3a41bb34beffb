"""What arms, networks and data are called in figures and tables, and their colours there."""

from common.measure.figures import BLACK, BLUE, COLOURS, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, WINE

# in the order of the tables
NAMES = {
    # arms of the ablation, with the numbers of their techniques
    "ncsn": "NCSN",
    "ncsn_5": "NCSN + averaging (5)",
    "ncsn_124": "NCSN + ladder (1, 2, 4)",
    "ncsn_1245": "NCSN + both (1, 2, 4, 5)",
    "ncsn_1234": "all but averaging (1 to 4)",
    "ncsnv2": "NCSNv2",
    # the same ladder and averaged weights as NCSNv2
    "ncsnv2_index": "told the level",
    # no method
    "data": "data",
    # where chains with exact scores start
    "uniform": "uniform noise",
    "grey": "one grey",
    "one image": "one of the images",
    # interpolations
    "noise": "noise of every step",
    "blend": "blend of both ends",
    # published models, as paper_data
    "ncsn_cifar10": "NCSN, CIFAR-10",
    "ncsnv2_cifar10": "NCSNv2, CIFAR-10",
    "ncsnv2_celeba64": "CelebA 64²",
    "ncsnv2_lsun_church96": "church 96²",
    "ncsnv2_lsun_bedroom128": "bedroom, tower 128²",
    "ncsnv2_ffhq256": "FFHQ 256²",
}
SHADES = {
    # a training has one hue, and its averaged weights are darker
    "ncsn": PURPLE,
    "ncsn_5": COLOURS["ncsn"],
    "ncsn_124": SKY,
    "ncsn_1245": BLUE,
    "ncsn_1234": ORANGE,
    "ncsnv2": VERMILION,
    "ncsnv2_index": BLUE,
    "data": BLACK,
    "uniform": BLUE,
    "grey": GREEN,
    "one image": ORANGE,
    "noise": VERMILION,
    "blend": BLUE,
    "ncsn_cifar10": PURPLE,
    "ncsnv2_cifar10": VERMILION,
    "ncsnv2_celeba64": ORANGE,
    "ncsnv2_lsun_church96": GREEN,
    "ncsnv2_lsun_bedroom128": BLUE,
    "ncsnv2_ffhq256": WINE,
    # of the norm of noise
    "exact": BLACK,
    "drawn": SKY,
    "formula": VERMILION,
}
# raw and averaged weights of each training of the ablation
TRAININGS = {
    "NCSN": ("ncsn", "ncsn_5"),
    "with the ladder (1, 2, 4)": ("ncsn_124", "ncsn_1245"),
    "and no level told (1 to 4)": ("ncsn_1234", "ncsnv2"),
}
ARMS = tuple(arm for training in TRAININGS.values() for arm in training)
# networks of the losses
NETWORKS = {"ncsnv2": "told no level (NCSNv2)", "ncsnv2_index": "told the level"}
# where chains with exact scores start, ladders of the resolutions, and interpolations
STARTS = ("uniform", "grey", "one image")
LADDERS = {"ncsnv2": "chosen by techniques 1, 2, 4", "ncsn": "NCSN's, always from 1"}
INTERPOLATIONS = ("noise", "blend")


def name(method: str) -> str:
    """Return what a method is called, its own name in words if it has no other."""
    return NAMES.get(method, method.replace("_", " "))


def shade(method: str) -> str:
    """Return a method's colour."""
    return SHADES.get(method, GREY)
