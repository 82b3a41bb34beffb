"""The READMEs of config/ and profiles/ describe every key that their files have, and no other."""

import re

import pytest
import yaml

from common.runs.plan import MEMORY_MB, MINUTES
from common.runs.resources import Resources
from common.runs.settings import ROOT


def keys(content):
    """Return the keys of nested mappings."""
    return [key for key, value in content.items() for key in [key, *(keys(value) if isinstance(value, dict) else [])]]


def described(text):
    """Return the keys in the first columns of the tables of a text."""
    return [key for cell in re.findall(r"^\| (`.*?`) \|", text, re.M) for key in re.findall(r"`(.+?)`", cell)]


@pytest.mark.parametrize("profile", ["default", "slurm"])
def test_every_key_of_a_profile_is_described_and_no_other(profile):
    content = yaml.safe_load((ROOT / "profiles" / profile / "config.yaml").read_text())
    sections = (ROOT / "profiles/README.md").read_text().split("\n## ")
    (section,) = [text for text in sections if text.startswith(f"`{profile}/config.yaml`")]
    assert sorted(described(section)) == sorted(keys(content))


def test_every_key_of_the_configuration_is_described_and_no_other():
    schema = yaml.safe_load((ROOT / "config/schema.yaml").read_text())["properties"]
    content = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    text, table = (ROOT / "config/README.md").read_text().split("\nA table of resources ")
    assert described(text) == list(schema) and set(content) <= set(schema)
    assert all(f"`{key}`" in text for key in keys(content))
    assert described(table) == list(Resources.model_fields)


def test_what_a_table_leaves_open_is_what_the_plan_gives():
    text = (ROOT / "config/README.md").read_text()
    for level_values in (MEMORY_MB, MINUTES):
        assert ", ".join(map(str, level_values.values())) in text
