"""What the report calls each method, mask and state."""

# in the order of the tables
NAMES = {
    "ncsn": "NCSN",
    "ncsn_single": "one noise level",
    "dsm": "denoising, small",
    "ssm": "sliced, small",
    "ssm_forward": "sliced, forward mode",
    "data": "data",
    "noise": "uniform noise",
    "langevin": "Langevin",
    "appendix": "annealed, appendix",
    "main_text_stable": "annealed, smaller steps",
    "main_text": "annealed, main text",
    "short": "annealed, short ladder",
    "annealed": "annealed",
    "plain": "not annealed",
    "half": "left half known",
    "centre": "centre hidden",
    "random": "random half known",
}
LADDERS = ("appendix", "main_text_stable", "main_text", "short")


def name(method: str) -> str:
    """Return what a method is called; a state of a training, such as "ncsn at 30%", is called by what was trained."""
    trained, at, share = method.partition(" at ")
    return NAMES.get(trained, trained) + at + share
