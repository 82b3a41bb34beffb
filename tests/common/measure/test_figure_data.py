import numpy as np
import pandas as pd

from common.measure.figure_data import measured, stacked


def test_measured_rows_keep_the_columns_that_say_something():
    rows = pd.DataFrame(
        {
            "paper": "p",
            "dataset": "",
            "method": ["a", "b", "a"],
            "variant": ["", "tight", ""],
            "seed": [0, 0, 1],
            "metric": ["nll", "nll", "nfe"],
            "axis": ["", "", "step"],
            "at": [np.nan, np.nan, 3.0],
            "nfe": np.nan,
            "value": [0.1, 0.2, 7.0],
            "error": np.nan,
            "unit": "",
        },
        index=[4, 4, 9],
    )
    table = measured(rows, "nll")
    assert list(table.columns) == ["method", "variant", "seed", "metric", "value"]
    assert table.to_csv(index=False) == "method,variant,seed,metric,value\na,,0,nll,0.1\nb,tight,0,nll,0.2\n"
    assert list(measured(rows, "nll", "nfe").columns) == ["method", "variant", "seed", "metric", "axis", "at", "value"]


def test_stacked_parts_carry_their_names_and_four_digits():
    points = np.array([[1.23456, -0.00123456]], np.float32)
    parts = {("fm_ot", 4): points.T, ("fm_vp", 8): (np.array([3, 5]), np.array([1e5, 0.5]))}
    table = stacked(parts, ("objective", "NFE"), ("x", "y"))
    expected = "objective,NFE,x,y\nfm_ot,4,1.235,-0.001235\nfm_vp,8,3.0,100000.0\nfm_vp,8,5.0,0.5\n"
    assert table.to_csv(index=False) == expected
    assert stacked({"one": (np.array([1, 2]),)}, ("name",), ("step",)).to_csv(index=False) == "name,step\none,1\none,2\n"
