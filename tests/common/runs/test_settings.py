import pytest
import yaml

from common.errors import SettingsError
from common.runs import settings as settings_of
from common.runs.settings import Settings, validated


class Inner(Settings):
    steps: int = 1


class Outer(Settings):
    rate: float
    inner: Inner = Inner()


@pytest.fixture
def paper(tmp_path, monkeypatch):
    """A paper with one experiment, outside the repository."""
    monkeypatch.setattr(settings_of, "ROOT", tmp_path)
    folder = tmp_path / "replications" / "toy"
    (folder / "experiments").mkdir(parents=True)
    (folder / "experiments" / "fit.py").write_text('"""Fit."""\n')
    blocks = {"fit": {"all": {"rate": 1.0, "inner": {"steps": 5}}, "smoke": {"inner": {"steps": 2}}, "laptop": {}}}
    (folder / "settings.yaml").write_text(yaml.safe_dump(blocks))
    return folder


def test_level_is_merged_over_all_and_overrides_go_on_top(paper):
    assert settings_of.raw("replications.toy", "fit", "laptop") == {"rate": 1.0, "inner": {"steps": 5}}
    merged = settings_of.raw("replications.toy", "fit", "smoke", ["inner.steps=7", "rate=0.002"])
    assert merged == {"rate": 0.002, "inner": {"steps": 7}}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rate": 1.0, "inner": {"stpes": 3}}, ["here.yaml: fit.smoke.inner.stpes", "unknown key", "did you mean 'steps'"]),
        ({"rat": 1.0}, ["here.yaml: fit.smoke.rat", "did you mean 'rate'", "here.yaml: fit.smoke.rate: missing"]),
        ({"rate": "fast"}, ["here.yaml: fit.smoke.rate", "number", "'fast'"]),
    ],
)
def test_errors_name_file_key_value_and_remedy(values, words):
    with pytest.raises(SettingsError) as error:
        validated(Outer, values, where="here.yaml: fit.smoke")
    assert all(word in str(error.value) for word in words), str(error.value)


def test_an_override_at_fault_is_named_instead_of_the_file():
    with pytest.raises(SettingsError, match=r"^--set inner\.stpes=3: unknown key 'stpes'; did you mean 'steps'"):
        validated(Outer, {"rate": 1, "inner": {"stpes": 3}}, where="here.yaml: fit.smoke", overrides=["inner.stpes=3"])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: settings_of.raw("replications.toy", "fot", "smoke"), ["'fot'", "did you mean 'fit'"]),
        (lambda: settings_of.raw("replications.toy", "fit", "smoek"), ["no level 'smoek'", "did you mean 'smoke'"]),
        (lambda: settings_of.raw("replications.toy", "fit", "gpu"), ["toy/settings.yaml", "no settings for level 'gpu'"]),
        (lambda: settings_of.raw("replications.toy", "fit", "smoke", ["rate"]), ["--set rate", "key=value"]),
        (lambda: settings_of.raw("replications.toy", "fit", "smoke", ["rate=[1"]), ["--set rate=[1", "YAML"]),
    ],
)
def test_wrong_names_are_answered_with_the_right_ones(paper, call, words):
    with pytest.raises(SettingsError) as error:
        call()
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_misspelt_level_and_broken_yaml_in_the_file(paper):
    file = paper / "settings.yaml"
    file.write_text("fit: {lapto: {}}\n")
    with pytest.raises(SettingsError, match=r"settings\.yaml: fit\.lapto: not a level; did you mean 'laptop'"):
        settings_of.raw("replications.toy", "fit", "smoke")
    file.write_text("fit: {smoke: [\n")
    with pytest.raises(SettingsError, match=r"toy/settings\.yaml is not valid YAML"):
        settings_of.raw("replications.toy", "fit", "smoke")
    file.unlink()
    with pytest.raises(SettingsError, match=r"toy/settings\.yaml does not exist"):
        settings_of.raw("replications.toy", "fit", "smoke")


def test_fingerprint_depends_on_every_value():
    base = settings_of.fingerprint({"a": 1, "b": 2}, 0)
    assert base == settings_of.fingerprint({"b": 2, "a": 1}, 0)
    assert len({base, settings_of.fingerprint({"a": 1, "b": 3}, 0), settings_of.fingerprint({"a": 1, "b": 2}, 1)}) == 3


def test_a_data_sets_own_settings_lie_over_the_levels(tmp_path, monkeypatch):
    folder = tmp_path / "toys" / "adder"
    (folder / "experiments").mkdir(parents=True)
    (folder / "experiments" / "fit.py").write_text("")
    monkeypatch.setattr(settings_of, "ROOT", tmp_path)
    blocks = {"all": {"train": {"steps": 1, "batch": 8}}, "smoke": {"sets": {"a, b": {"train": {"steps": 2}}, "c": {"width": 3}}}}
    (folder / "settings.yaml").write_text(yaml.safe_dump({"fit": blocks}))

    def found(*overrides):
        return settings_of.raw("toys.adder", "fit", "smoke", overrides)

    assert found() == found("data=a") == {"data": "a", "train": {"steps": 2, "batch": 8}}
    assert found("data=b", "train.steps=5") == {"data": "b", "train": {"steps": 5, "batch": 8}}
    assert found("data=c") == {"data": "c", "width": 3, "train": {"steps": 1, "batch": 8}}
    with pytest.raises(
        SettingsError, match=r"settings.yaml: fit\.smoke\.sets: no settings for data set 'd'; add a block.*known: a, b, c"
    ):
        found("data=d")
    (folder / "settings.yaml").write_text(yaml.safe_dump({"fit": {"smoke": {"sets": "a"}}}))
    with pytest.raises(SettingsError, match=r"fit\.smoke\.sets: must map data sets to their settings; got 'a'"):
        found()


class Kinds(Settings):
    whole: int = 1
    wholes: tuple[int, ...] = ()
    real: float = 1.0
    switch: bool = True
    either: float | None = None
    word: str = ""


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"whole": 2.0}, "whole: must be a whole number, written without a point; got 2.0"),
        ({"wholes": [1, 2.0]}, "wholes: must be a whole number"),
        ({"whole": True}, "whole: must be a number; got True"),
        ({"whole": "3"}, "whole: must be a number, not a text; got '3'"),
        ({"either": "3"}, "either: must be a number, not a text"),
        ({"switch": "yes"}, "switch: must be true or false, not a text; got 'yes'"),
    ],
)
def test_nothing_is_guessed_at(values, message):
    with pytest.raises(SettingsError) as error:
        validated(Kinds, values, where="f")
    assert f"f.{message}" in str(error.value)


def test_what_is_meant_is_taken():
    found = validated(Kinds, {"whole": 2, "real": 3, "either": None, "switch": False, "wholes": [1], "word": "yes"}, where="f")
    assert (found.whole, found.real, found.switch, found.word) == (2, 3.0, False, "yes")


def test_another_kind_of_block_takes_the_place_of_the_old_one():
    found = settings_of.resolve(
        "common", "train", "smoke", ["data=digits", "backbone={kind: unet, channels: 8, multipliers: [1], blocks: 1}"]
    )
    assert found.backbone.kind == "unet" and found.backbone.channels == 8
    kept = settings_of.resolve("common", "train", "smoke", ["data=digits", "backbone={width: 8}"])
    assert (kept.backbone.kind, kept.backbone.width, kept.backbone.blocks) == ("mlp", 8, 1)


@pytest.mark.parametrize("word", ["train.steps=1000000000000000000000000000000", "train.batch=100000000000"])
def test_an_absurd_budget_is_refused(word):
    with pytest.raises(SettingsError, match=rf"--set {word}"):
        settings_of.resolve("common", "train", "smoke", ["data=digits", word])
