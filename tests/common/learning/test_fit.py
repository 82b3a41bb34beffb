"""What is found before a training starts."""

import pytest

from common.errors import DataError, SettingsError
from common.learning.data import catalogue
from common.learning.fit import check
from common.runs.settings import resolve
from replications.__main__ import check_one

PACKAGE = "replications.flow_matching"


def settings(*overrides, experiment="train_images"):
    return resolve(PACKAGE, experiment, "smoke", overrides)


def test_a_network_that_does_not_fit_the_images_is_named():
    unet = ["backbone.kind=unet", "backbone.channels=16", "backbone.multipliers=[1, 2]"]
    base = resolve(PACKAGE, "train_images", "gpu", ["data=digits"])
    check(base)
    with pytest.raises(SettingsError, match=r"backbone.attention: no level has height \[7\]"):
        check(resolve(PACKAGE, "train_images", "gpu", ["data=digits", *unet, "backbone.attention=[7]"]))


def test_an_unknown_data_set_is_named():
    with pytest.raises(DataError, match="there is no image data set 'digit'; did you mean 'digits'"):
        check(settings("data=digit"))
    check(settings("data=two_spirals", experiment="train_2d"))


def test_the_check_before_a_run_looks_at_every_data_set_of_the_level(monkeypatch):
    asked = []
    digits = catalogue.LOADERS["digits"]

    def loader(name):
        return lambda split: asked.append(name) or digits(split)

    monkeypatch.setattr(catalogue, "LOADERS", {name: loader(name) for name in catalogue.LOADERS})
    check_one(PACKAGE, "table1", "gpu")
    assert asked == ["cifar10", "fashion_mnist"]
