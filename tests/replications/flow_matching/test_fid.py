"""Table 1 with FID, on weights that stand in for Inception's."""

import hashlib
from dataclasses import replace

import pandas as pd
import pytest
import torch

from common.cli import main
from common.data import catalogue
from common.data.scale import to_unit
from common.errors import DataError
from common.metrics import inception
from common.settings import resolve
from replications.flow_matching import figures
from replications.flow_matching.experiments.table1 import check
from replications.flow_matching.image_models import fid_to

# clean-fid's file is TorchScript, which new versions of torch still read but call deprecated
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
PACKAGE = "replications.flow_matching"


class Layers(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(x.mean(dim=[2, 3]), [0, 2045])


class StandIn(torch.nn.Module):
    """Has the layout of clean-fid's file and the image's mean colours as first features."""

    def __init__(self):
        super().__init__()
        self.layers = Layers()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    file = tmp_path / inception.WEIGHTS
    torch.jit.script(StandIn()).save(str(file))
    monkeypatch.setenv("RETRACE_DATA", str(tmp_path))
    monkeypatch.setattr(inception, "WEIGHTS_SHA256", hashlib.sha256(file.read_bytes()).hexdigest())


def test_table_1_has_fid_where_it_is_asked_for(weights, tmp_path):
    common = ["--level", "smoke", "--results", str(tmp_path)]
    assert main("common", ["features", *common]) == 0
    assert main(PACKAGE, ["train_images", *common, "--set", "objective=fm_ot"]) == 0
    fewer = ["objectives=[fm_ot]", "samples=20", "batch=20", "test_images=2", "dequantisations=[1]", "inception=true"]
    assert main(PACKAGE, ["table1", *common, *(word for each in fewer for word in ("--set", each))]) == 0
    rows = pd.read_csv(tmp_path / "smoke/flow_matching/table1/digits/seed0/metrics.csv")
    fid = rows[rows.metric == "fid"]
    assert fid.method.tolist() == ["fm_ot"] and fid.n.tolist() == [20] and fid.value.iloc[0] > 0
    assert "FID" in figures.table_1(rows).columns


def test_fid_of_paler_images_in_closed_form(weights):
    """Three equal features of mean m and variance v against m/2 and v/4: 3 (m/2)^2 + 3 (v^(1/2) - v^(1/2)/2)^2."""
    test = catalogue.load("digits", "test")
    test = replace(test, images=test.images[:60], labels=None)
    images = to_unit(test.images, test.levels)
    distance = fid_to(test, torch.device("cpu"))
    assert distance(images) == pytest.approx(0, abs=1e-6)
    means = images.mean(dim=(1, 2, 3))
    expected = 3 * (means.mean() / 2) ** 2 + 3 * means.var() / 4
    # rounding to 256 levels, and a resize that weighs the border's pixels differently
    assert distance(images / 2) == pytest.approx(float(expected), rel=0.05)


def test_missing_weights_are_found_before_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("RETRACE_DATA", str(tmp_path))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    check(resolve(PACKAGE, "table1", "smoke"))
    with pytest.raises(DataError, match="FID needs inception"):
        check(resolve(PACKAGE, "table1", "smoke", ["inception=true"]))
