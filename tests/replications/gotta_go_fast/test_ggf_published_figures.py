"""Figures and tables of the published networks: those of trained models, but for what a run of them leaves out."""

import numpy as np
import pandas as pd
import pytest
from ggf_runs import OTHERS, PUBLISHED, TOLERANCES, drawings, named, nfe_at, run
from sealed import split

from replications.gotta_go_fast.figures import tables
from replications.gotta_go_fast.names import name, shade


def test_published_networks(tmp_path):
    """All of the experiment on trained models but what a run leaves out: distances in Inception's features, names by SDE."""
    ours = [run(tmp_path, kind, seed) for kind in OTHERS for seed in (0, 1)]
    found = drawings(ours)
    churches = [f"{which}-lsun_church256" for which in ("speed", "evaluations", "pictures")]
    cifar10 = [f"{which}-cifar10" for which in ("speed", "evaluations", "ablations", "pictures", "solvers")]
    assert sorted(found) == sorted([*churches, *cifar10])
    assert "in Inception's features (FID)" in found["speed-cifar10"].caption
    assert [axis.get_title() for axis in found["speed-cifar10"].figure.axes] == ["VP", "VE"]
    for axis, (model, factor) in zip(found["speed-cifar10"].figure.axes, zip(PUBLISHED.values(), (1, 2))):
        line = named(axis)["GGF"]
        np.testing.assert_allclose(line.get_xdata(), [nfe_at(each, factor, 0) + 1 for each in TOLERANCES])
        np.testing.assert_allclose(line.get_ydata(), [factor * (1 + each) + 0.05 for each in TOLERANCES])
        assert named(found["evaluations-cifar10"].figure.axes[0])[name(model)].get_color() == shade(model)
    (axis,) = found["speed-lsun_church256"].figure.axes
    assert axis.get_title() == "VE, 256 pixels" and named(axis)["GGF"].get_ydata()[0] == pytest.approx(2.09)
    made = {table.id: table.frame for table in tables(*split(pd.concat([each.metrics for each in ours])))}
    assert set(made) == {"table1", "learned-variants"} and made["learned-variants"].model.tolist() == ["VP"] * 3 + ["VE"] * 3
    table1 = made["table1"]
    ggf = table1[(table1.sampler == "GGF") & (table1.tolerance == "0.1") & (table1.dataset == "cifar10")].iloc[0]
    assert ggf["VP: NFE"] == "201 ± 1.4" and ggf["VE, 256 pixels: NFE"] == "–"
    alone = {table.id: table.frame for table in tables(*split(ours[-1].metrics))}
    assert "VE, 256 pixels: NFE" in alone["table1"] and alone["learned-variants"].empty
