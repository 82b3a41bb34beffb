"""What a statistic is made of: its digest changes with its meaning and with nothing else."""

import pytest

from common.errors import SettingsError
from common.measure.statistic_source import source

CLAIMS = '''
"""Statistics."""

from common.measure.rows import rows
from papers.toy.helpers import *
from papers.toy.more import shift as moved

NLL, NFE = (rows("table1", metric=metric) for metric in ("nll", "nfe"))
gain = NLL.difference("a", "b")
unused = 3


def slope(metrics):
    """The slope."""
    # why
    return halved(NFE.log_slope("a")(metrics))


def picked(metrics):
    return moved(metrics[metrics.metric == "psnr"])


def listed(metrics):
    return {"metric": "fid"}
'''
HELPERS = '''
def halved(x):
    """Half of x."""
    return 0.5 * x
'''
MORE = """
from papers.toy.helpers import halved


def shift(x):
    return halved(x) + 1
"""


@pytest.fixture
def toy(tmp_path):
    """Return a function that writes the paper with one text replaced by another and reads a statistic."""
    folder = tmp_path / "papers" / "toy"
    folder.mkdir(parents=True)

    def read(statistic, old="", new=""):
        for name, text in (("claims", CLAIMS), ("helpers", HELPERS), ("more", MORE)):
            assert not old or old in CLAIMS + HELPERS + MORE
            (folder / f"{name}.py").write_text(text.replace(old, new) if old else text)
        return source(folder, statistic)

    return read


@pytest.mark.parametrize(
    ("statistic", "old", "new"),
    [
        ("gain", 'difference("a", "b")', 'difference("b", "a")'),
        ("gain", '"table1"', '"table2"'),
        ("slope", "0.5 * x", "0.25 * x"),
        ("slope", 'log_slope("a")', 'log_slope("b")'),
        ("picked", "0.5 * x", "0.25 * x"),
        ("picked", "+ 1", "- 1"),
    ],
)
def test_another_meaning_has_another_digest(toy, statistic, old, new):
    assert toy(statistic).digest != toy(statistic, old, new).digest


@pytest.mark.parametrize(
    ("statistic", "old", "new"),
    [
        ("slope", "# why", "# because"),
        ("slope", '"""The slope."""', '"""A slope."""'),
        ("slope", "unused = 3", "unused = 4"),
        ("slope", "return 0.5 * x", "return (\n        0.5 * x\n    )"),
        ("gain", "0.5 * x", "0.25 * x"),
    ],
)
def test_the_same_meaning_has_the_same_digest(toy, statistic, old, new):
    assert toy(statistic).digest == toy(statistic, old, new).digest


def test_metrics_and_names_are_found_however_they_are_written(toy):
    assert toy("gain").metrics == {"nll", "nfe"} and "table1" in toy("gain").words
    assert toy("picked").metrics == {"psnr"}
    assert toy("listed").metrics == {"fid"}


def test_what_is_not_there_is_an_error(toy):
    with pytest.raises(SettingsError, match=r"toy/claims\.py has no 'gains'"):
        toy("gains")
