"""A user's file as a job: what is run on what, how its objective is trained, where the run is kept and when it stands."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from survey_stand_ins import context_of, small_data

from common.dynamics.paths import vp
from common.errors import SettingsError
from common.learning.nets.build import MLPSettings
from common.learning.objectives import Objective
from common.runs import kept
from common.runs import settings as settings_of
from common.runs.call import planned
from common.runs.cli import main, parser
from common.runs.experiment import Context
from common.runs.settings import resolve
from replications.survey import own_training
from replications.survey.experiments import bring_your_own, learned
from replications.survey.extra import Conditioning, OwnObjective, load
from replications.survey.own_rows import beside, is_own

PACKAGE = "replications.survey"
SAMPLER = """
from common.dynamics.samplers.exponential import ddim
SAMPLERS = {"mine": ddim()}
"""
OBJECTIVE = """
from common.dynamics.paths import vp
from common.learning.objectives import Objective
OBJECTIVES = {"slanted": Objective(vp(), "noise", vp().sigma)}
"""
SMALL = ["samples=8", "batch=6", "budgets.nfe=[4]", "budgets.tolerances={}", "budgets.samplers=[ddim]", "empirical_images=9"]
BUDGET = {
    "backbone": {"kind": "mlp", "width": 8, "blocks": 1},
    "train": {
        "steps": 6,
        "batch": 8,
        "learning_rate": 0.01,
        "warmup_steps": 2,
        "clip_norm": 1.0,
        "ema_decay": 0.9,
        "snapshots": 2,
    },
}


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text, name="mine.py"):
        Path(name).write_text(text)
        return name

    return write


@pytest.fixture
def small_budget(monkeypatch):
    """Let `common train` take seconds, whatever the level."""
    real = settings_of.resolve

    def smaller(package, experiment, level, overrides=()):
        found = real(package, experiment, level, overrides)
        if (package, experiment) != ("common", "train"):
            return found
        train = found.train.model_copy(update=BUDGET["train"])
        return found.model_copy(update={"backbone": MLPSettings(width=8, blocks=1), "train": train})

    monkeypatch.setattr(own_training.settings_of, "resolve", smaller)


def by(rows, *labels):
    found = [row for row in rows if row["metric"] == "feature_frechet"]
    return {tuple(row.get(label) for label in labels): row for row in found}


@pytest.mark.parametrize(
    ("level", "data"), [("smoke", "digits"), ("gpu", "fashion_mnist"), ("gpu", "cifar10"), ("paper", "cifar10")]
)
def test_a_run_of_every_level(level, data, written, tmp_path, monkeypatch, small_budget):
    small_data(monkeypatch)
    monkeypatch.setattr(learned, "find_weights", lambda what: None)
    more = ["space=classifier", "neighbours=2", "objectives=[fm_ot, score_ve]", f"data={data}"]
    settings = resolve(PACKAGE, "bring_your_own", level, [*SMALL, *more, f"file={written(SAMPLER + OBJECTIVE)}"])
    bring_your_own.check(settings)
    context = context_of("bring_your_own", level, tmp_path)
    outcome = bring_your_own.run(settings, context)
    cells = by(outcome.rows, "method", "variant")
    mine, slanted = "mine (mine.py)", "slanted (mine.py)"
    exact = {f"empirical_{path}" for path in settings.empirical}
    assert set(cells) == {("ddim", slanted), (mine, slanted)} | {(mine, name) for name in {"fm_ot", "score_ve"} | exact}
    assert all(math.isfinite(row["value"]) and row["floor"] > 0 and row["nfe"] == 4 for row in cells.values())
    assert {row["dataset"] for row in outcome.rows} == {data}
    assert [row["variant"] for row in outcome.rows if row["metric"] == "final_training_loss"] == [slanted]
    assert all(name.startswith("slanted.") for name in outcome.weights) and outcome.weights
    assert Path("mine.py") in context.taken and len(context.taken) > 3


def test_its_rows_are_those_of_the_suite_at_the_same_settings(written, tmp_path):
    """The suite's DDIM brought as a user's reads, at the same times, start and noise, what `learned` reads for it."""
    text = "from common.dynamics.samplers.exponential import ddim\nfrom common.dynamics.samplers.sde import euler_maruyama\n"
    file = written(f"{text}SAMPLERS = {{'mine': euler_maruyama}}\n")
    settings = resolve(PACKAGE, "bring_your_own", "smoke", [*SMALL, "budgets.samplers=[euler_maruyama]", f"file={file}"])
    mine = by(bring_your_own.run(settings, context_of("bring_your_own", "smoke", tmp_path)).rows, "variant")
    suite = by(learned.run(settings, context_of("learned", "smoke", tmp_path)).rows, "variant", "method")
    compared = [key for key in mine if (*key, "euler_maruyama") in suite and "status" not in mine[key]]
    assert len(compared) >= 2
    assert all(mine[key]["value"] == suite[*key, "euler_maruyama"]["value"] for key in compared)


def test_an_objective_is_trained_as_the_suite_trains_its_own(tmp_path, small_budget):
    """The suite's ddpm_vp brought as a user's ends at the same weights."""
    from common.experiments import train

    context = Context("survey", "bring_your_own", "smoke", 1, 2, tmp_path, tmp_path / "mine", torch.device("cpu"))
    made = OwnObjective(Objective(vp(), "noise", "one"), Conditioning())
    mine, rows = own_training.trained_own("mine", made, "digest", "digits", context)
    settings = own_training.settings_of.resolve("common", "train", "smoke", ["data=digits"])
    settings = settings.model_copy(update={"objective": "ddpm_vp"})
    theirs = train.run(settings, Context("common", "train", "smoke", 1, 2, tmp_path, tmp_path / "theirs", torch.device("cpu")))
    weights = mine.model.backbone.state_dict()
    assert set(weights) == set(theirs.weights)
    assert all(torch.equal(weights[name], theirs.weights[name]) for name in weights)
    assert rows[0]["value"] == theirs.rows[0]["value"] and not list((tmp_path / "mine").glob("snapshots/*"))
    assert not any(parameter.requires_grad for parameter in mine.model.parameters())


def test_an_edited_objective_is_trained_anew(tmp_path, small_budget):
    """The state of a broken training is named after the file's content."""
    context = Context("survey", "bring_your_own", "smoke", 0, 2, tmp_path, tmp_path, torch.device("cpu"))
    for digest in ("one", "one", "other"):
        own_training.trained_own("mine", OwnObjective(Objective(vp(), "noise", "one"), Conditioning()), digest, "digits", context)
    assert len(list(tmp_path.glob("training-state-*"))) == 2


def options(*arguments):
    return parser(PACKAGE).parse_args(["bring_your_own", "--level", "smoke", "--base-seed", "2", *arguments])


def test_where_a_run_is_kept(written, tmp_path):
    """Apart from the level's own, by the file's name; its settings are the level's, so the report takes it."""
    written(SAMPLER)
    (tmp_path / "deep").mkdir()
    other = written(SAMPLER, "deep/other.py")
    runs = planned(PACKAGE, options("--sweep", f"file=mine.py,{other}", "--seed", "0", "1"))
    places = [
        f"results/smoke/own/survey/bring_your_own/digits-{name}/seed{seed}" for seed in (0, 1) for name in ("mine", "other")
    ]
    assert sorted(str(run.out) for run in runs) == sorted(places) and all(run.mark for run in runs)
    [other] = planned(PACKAGE, options("--set", "file=mine.py", "--set", "samples=9"))
    assert not other.mark and re.fullmatch(r"results/smoke/own/survey/bring_your_own/digits-mine-\w{8}/seed0", str(other.out))


def test_bad_files_are_bad_input(written, capsys):
    for arguments, message in [
        ([], "bring_your_own: is run on a file of your own: --set file=my_file.py"),
        (["--set", "file=gone.py"], "gone.py: there is no such file"),
        (["--set", f"file={written('x = 1', 'none.py')}"], "none.py: nothing is recognised"),
    ]:
        assert main(PACKAGE, ["bring_your_own", "--level", "smoke", *arguments]) == 2
        assert message in capsys.readouterr().err
    assert not Path("results").exists()


def test_a_run_stands_as_long_as_its_file_does(written, tmp_path, monkeypatch):
    """Its run.json has the file's path and digest; files of other runs of the process are none of its code."""
    monkeypatch.setattr(kept, "ROOT", Path.cwd())
    context, file = context_of("bring_your_own", "smoke", tmp_path), written(SAMPLER)
    context.file(file)
    load(written(SAMPLER, "other.py"))  # a run on another file, in the same process
    made_from = kept.made_from(context.taken)
    assert made_from["inputs"] == {"mine.py": load(file).digest}
    assert made_from["code"]["files"] == []
    [run] = planned(PACKAGE, options("--set", "file=mine.py"))
    run.out.mkdir(parents=True)
    record = {"level_settings": run.mark, "base_seed": 2, "made_from": made_from, "files": {}}
    (run.out / "run.json").write_text(json.dumps(record))
    assert kept.stands(run, 2)
    written(SAMPLER + "# edited\n")
    assert not kept.stands(run, 2)
    Path(file).unlink()
    assert not kept.stands(run, 2)


def test_settings_are_those_of_learned():
    for level in ("smoke", "laptop", "gpu", "paper"):
        mine = resolve(PACKAGE, "bring_your_own", level).model_dump()
        assert mine == {**resolve(PACKAGE, "learned", level).model_dump(), "file": ""}


def test_an_unknown_file_is_named_by_the_settings():
    with pytest.raises(SettingsError, match=r"^gone\.py: there is no such file"):
        resolve(PACKAGE, "bring_your_own", "smoke", ["file=gone.py"])


def test_pictures_are_halved(written, tmp_path):
    settings = resolve(
        PACKAGE, "bring_your_own", "smoke", [*SMALL, "shown=[4]", "objectives=[fm_ot]", f"file={written(SAMPLER)}"]
    )
    arrays = bring_your_own.run(settings, context_of("bring_your_own", "smoke", tmp_path)).arrays
    assert arrays["fm_ot_mine_4"].dtype == np.float16 and arrays["fm_ot_mine_4"].shape[0] == 8


def test_rows_beside_those_of_the_suite():
    metrics = pd.DataFrame({"experiment": ["learned", "bring_your_own", "exact"], "method": ["ddim", "a (mine.py)", "ddim"]})
    found = beside(metrics)
    assert list(found["method"]) == ["ddim", "a (mine.py)"] and set(found["experiment"]) == {"learned"}
    assert [is_own(name) for name in found["method"]] == [False, True]
    assert list(metrics["experiment"]) == ["learned", "bring_your_own", "exact"]
