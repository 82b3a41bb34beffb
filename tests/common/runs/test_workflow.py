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


def test_job_is_the_command_that_a_person_types():
    command = workflow.job("replications.x", "fit", config(level="smoke"), seeds=[0, 1], sweep={"data": ["a", "b"]})
    assert command == ("python -m replications.x fit --level smoke --seed 0 1 --base-seed 2 --results results --sweep data=a,b")


def test_jobs_on_a_gpu_do_one_run_each_and_share_a_process_on_a_cpu():
    assert workflow.parts("laptop", [0, 1], ["a", "b"]) == [("", [0, 1], ["a", "b"])]
    each = [("_a_seed0", [0], ["a"]), ("_b_seed0", [0], ["b"]), ("_a_seed1", [1], ["a"]), ("_b_seed1", [1], ["b"])]
    assert workflow.parts("gpu", [0, 1], ["a", "b"]) == each
    assert [part.tag for part in workflow.parts("gpu", [0, 1])] == ["_seed0", "_seed1"]


def test_sources_of_a_job_are_what_it_imports_and_nothing_else():
    sources = dependencies.job_sources("replications.flow_matching", "train_2d")
    assert (
        "common/dynamics/paths.py" in sources
        and "common/learning/training/loop.py" in sources
        and "common/runs/cli.py" in sources
    )
    assert "replications/flow_matching/experiments/train_2d.py" in sources
    foreign = ("table1", "figures", "claims", "common/dynamics/likelihood.py", "report/")
    assert not [source for source in sources if any(part in source for part in foreign)]


def test_the_workflow_reads_without_importing_torch():
    code = "import sys, common.runs.workflow; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
