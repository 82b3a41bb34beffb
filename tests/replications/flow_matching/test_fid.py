"""Table 1 with FID, on weights that stand in for Inception's."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from inception_stand_in import put_weights

from common.errors import DataError
from common.learning.data import catalogue
from common.learning.data.scale import to_unit
from common.learning.data.split import ImageSplit
from common.runs.cli import main
from common.runs.settings import resolve
from replications.flow_matching import image_models, report_tables
from replications.flow_matching.experiments.table1 import check
from replications.flow_matching.image_models import fid_to

# clean-fid's file is TorchScript, which new versions of torch still read but call deprecated
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
PACKAGE = "replications.flow_matching"


@pytest.fixture
def weights(tmp_path, monkeypatch):
    return put_weights(tmp_path, monkeypatch)


def test_table_1_has_fid_where_it_is_asked_for(weights, tmp_path):
    common = ["--level", "smoke", "--results", str(tmp_path)]
    assert main("common", ["features", *common]) == 0
    assert main("common", ["train", *common, "--set", "objective=fm_ot", "--set", "data=digits"]) == 0
    fewer = [
        "objectives=[fm_ot]",
        "samples=20",
        "batch=20",
        "test_images=2",
        "bound_images=2",
        "dequantisations=[1]",
        "inception=true",
    ]
    assert main(PACKAGE, ["table1", *common, *(word for each in fewer for word in ("--set", each))]) == 0
    rows = pd.read_csv(next(tmp_path.glob("smoke/own/flow_matching/table1/digits-*/seed0/metrics.csv")))
    fid = rows[rows.metric == "fid"]
    assert fid.method.tolist() == ["fm_ot"] and fid.n.tolist() == [20] and fid.value.iloc[0] > fid.floor.iloc[0] > 0
    assert "FID" in report_tables.table_1(rows).columns


def test_fid_of_paler_images_in_closed_form(weights):
    """Features of mean m and covariance C against m/2 and C/4: |m|^2 / 4 + tr C (1 + 1/4 - 2/2). Grey: every colour thrice."""
    test = catalogue.load("digits", "test")
    test = replace(test, images=test.images[:60], labels=None)
    images = to_unit(test.images, test.grey_values)
    distance = fid_to(test, torch.device("cpu"))
    assert distance(images) == pytest.approx(0, abs=1e-6)
    means = torch.stack([images.mean(dim=(1, 2, 3)), images[:, :, :4].mean(dim=(1, 2, 3))])
    expected = 3 * (means.mean(dim=1).square() / 4 + means.var(dim=1) / 4).sum()
    # rounding to 256 levels, and a resize that weighs the border's pixels differently
    assert distance(images / 2) == pytest.approx(float(expected), rel=0.05)


def test_missing_weights_are_found_before_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("RETRACE_DATA", str(tmp_path))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    check(resolve(PACKAGE, "table1", "smoke"))
    with pytest.raises(DataError, match="FID needs inception"):
        check(resolve(PACKAGE, "table1", "smoke", ["inception=true"]))


def test_dequantised_images_become_the_pixels_they_came_from(monkeypatch):
    """On the way to Inception a pixel's whole cell is that pixel: rounding would move a quarter of them to the next."""
    seen = []
    monkeypatch.setattr(image_models, "inception_features", lambda pixels, device: seen.append(pixels) or np.eye(4)[:, :3])
    images = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).repeat(4, 3, 1, 1)
    distance = fid_to(ImageSplit(images, None, 256), torch.device("cpu"))
    distance(to_unit(images, 256, generator=torch.Generator().manual_seed(0)))
    assert all(np.array_equal(pixels, images.numpy()) for pixels in seen) and len(seen) == 2
