import subprocess
import sys

import pytest
import yaml

from common.errors import SettingsError
from common.runs import dependencies, workflow
from common.runs.settings import ROOT


def config(**changes):
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text()) | changes


def test_default_config_fits_its_schema_and_chooses_every_paper():
    assert workflow.check_config(config()) == workflow.papers() != []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"level": "lapto"}, ["config.yaml", "level", "'lapto'", "did you mean 'laptop'"]),
        ({"levle": "smoke"}, ["config.yaml", "unknown key 'levle'", "did you mean 'level'"]),
        ({"papers": ["flow_matchin"]}, ["papers", "no paper 'flow_matchin'", "did you mean 'flow_matching'"]),
        ({"base_seed": -1}, ["base_seed", "-1", "minimum"]),
        ({"seeds": {"smoke": 1, "laptop": 3, "gpu": 3, "paper": 0}}, ["seeds.paper", "0", "minimum"]),
    ],
)
def test_bad_config_is_answered_with_key_value_and_remedy(changes, words):
    with pytest.raises(SettingsError) as error:
        workflow.check_config(config(**changes))
    assert all(word in str(error.value) for word in words), str(error.value)


def test_sources_of_a_job_are_what_it_imports_and_nothing_else():
    sources = dependencies.job_sources("common", "train")
    assert (
        "common/dynamics/paths.py" in sources
        and "common/learning/training/loop.py" in sources
        and "common/runs/cli.py" in sources
    )
    assert "common/experiments/train.py" in sources
    foreign = ("table1", "figures", "claims", "common/dynamics/likelihood.py", "report/")
    assert not [source for source in sources if any(part in source for part in foreign)]


def test_the_workflow_reads_without_importing_torch():
    code = "import sys, common.runs.workflow; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_one_paper_may_be_named_without_brackets():
    assert workflow.check_config(config(papers="flow_matching")) == ["flow_matching"]
    with pytest.raises(SettingsError, match="there is no paper 'flow_matchin'"):
        workflow.check_config(config(papers="flow_matchin"))
