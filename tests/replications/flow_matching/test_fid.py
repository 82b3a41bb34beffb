"""Table 1 with FID, on weights that stand in for Inception's."""

import pandas as pd
import pytest
from inception_stand_in import put_weights

from common.errors import DataError
from common.runs.cli import main
from common.runs.settings import resolve
from replications.flow_matching import report_tables
from replications.flow_matching.experiments.table1 import check

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


def test_missing_weights_are_found_before_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("RETRACE_DATA", str(tmp_path))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    check(resolve(PACKAGE, "table1", "smoke"))
    with pytest.raises(DataError, match="FID needs inception"):
        check(resolve(PACKAGE, "table1", "smoke", ["inception=true"]))
