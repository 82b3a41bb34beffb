"""The variants are those of the paper's appendix: each differs from the default in what its name says."""

from replications.gotta_go_fast.ablations import ABLATIONS

OF_DRIFT = {"error": "drift", "power": 0.5}
EXPECTED = [
    {},
    {"previous": "none"},
    {"extrapolate": False},
    {"norm": "max"},
    {"power": 0.5},
    {"power": 0.8},
    {"power": 1.0},
    OF_DRIFT,
    OF_DRIFT | {"extrapolate": False},
    OF_DRIFT | {"extrapolate": False, "norm": "max"},
    OF_DRIFT | {"extrapolate": False, "norm": "max", "safety": 0.8},
]


def test_the_variants_of_the_appendix():
    assert list(ABLATIONS.values()) == EXPECTED
    assert [float(name.split("_")[1]) for name in ABLATIONS if name.startswith("power_")] == [0.5, 0.8, 1.0]
