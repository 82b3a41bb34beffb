import pytest

from common.errors import DataError
from common.learning.data import catalogue
from common.learning.data.digits import digits


@pytest.mark.parametrize("split", catalogue.SPLITS)
@pytest.mark.parametrize("name", ["digits", "patches_grey8", "patches_colour8", "patches_colour16"])
def test_sets_that_need_no_files(name, split):
    part = catalogue.load(name, split)
    assert part.images.ndim == 4 and int(part.images.max()) < part.grey_values
    assert part.labels is None or len(part.labels) == len(part.images)


def test_the_split_is_passed_on():
    assert catalogue.load("digits", "test").images.equal(digits("test").images)


def test_sets_in_files_are_known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RETRACE_DATA", raising=False)
    monkeypatch.setattr("common.learning.data.images.SYSTEM_ROOT", tmp_path)
    for name in ("fashion_mnist", "mnist", "cifar10"):
        with pytest.raises(DataError, match=f"{name}: .*not found"):
            catalogue.load(name, "test")


def test_unknown_names_are_errors_with_a_hint():
    with pytest.raises(
        DataError, match=r"'fashionmnist'; did you mean 'fashion_mnist'\? \(known: digits, .*cifar10, .*imagenet256\)"
    ):
        catalogue.load("fashionmnist", "train")
    with pytest.raises(DataError, match=r"no split 'valid'; did you mean 'validation'\?"):
        catalogue.load("digits", "valid")
