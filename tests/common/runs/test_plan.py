"""The plan of the workflow: which jobs, with which inputs and outputs."""

import re

import pytest
import yaml

from common.errors import SettingsError
from common.runs import settings as settings_of
from common.runs.entries import entries
from common.runs.plan import _models, _parts, plan, runs_by_paper, runs_of
from common.runs.settings import ROOT, base_seed
from common.runs.workflow import papers


def config(level):
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text()) | {"level": level}


@pytest.fixture
def jobs_file(tmp_path, monkeypatch):
    """Return a function that writes the jobs.yaml of a toy paper with the experiments `fit` and `look`."""
    folder = tmp_path / "toys" / "adder"
    (folder / "experiments").mkdir(parents=True)
    for name in ("fit", "look"):
        (folder / "experiments" / f"{name}.py").write_text("")
    monkeypatch.setattr(settings_of, "ROOT", tmp_path)
    return (folder / "jobs.yaml").write_text


@pytest.fixture
def another_paper(jobs_file):
    """A toy paper beside the first one, whose experiment `fit` trains two models on each data set."""
    folder = settings_of.ROOT / "toys" / "fitter"
    (folder / "experiments").mkdir(parents=True)
    (folder / "experiments" / "fit.py").write_text("")
    (folder / "settings.yaml").write_text("fit: {all: {}, smoke: {}, laptop: {}, gpu: {}, paper: {}}")
    (folder / "jobs.yaml").write_text("fit: {data: [a, b], sweep: {model: [x, y]}, folder: 'models/{data}-{model}'}")


def test_a_job_is_the_command_that_a_person_types():
    job = next(job for job in plan(papers(), config("smoke")) if job.name == "flow_matching_toy_2d")
    assert job.command == (
        f"python -m replications.flow_matching toy_2d --level smoke --seed 0 1 --base-seed {base_seed()} --results results "
        "--sweep data=checkerboard,eight_gaussians"
    )


@pytest.mark.parametrize("level", ["smoke", "laptop", "gpu", "paper"])
def test_jobs_make_what_others_take_and_nothing_is_made_twice(level):
    jobs = plan(papers(), config(level))
    made = [file for job in jobs for file in job.outputs]
    assert len(made) == len(set(made)) and len({job.name for job in jobs}) == len(jobs)
    taken = {file for job in jobs for kind, files in job.inputs.items() if kind != "code" for file in files}
    assert taken <= set(made)
    assert all(re.fullmatch(r"[a-z0-9_]+", job.name) for job in jobs)


def test_a_gpu_job_is_one_run_and_takes_its_own_data_and_seed():
    jobs = {job.name: job for job in plan(papers(), config("gpu"))}
    job = jobs["flow_matching_table1_cifar10_seed1"]
    assert len(job.runs) == 1 and job.resources["gpu"] == 1 and "--sweep data=cifar10" in job.command
    assert len(job.inputs["models"]) == 10 and all("cifar10-unet" in file and "/seed1/" in file for file in job.inputs["models"])
    assert job.inputs["features"] == ["results/gpu/models/cifar10-features-classifier/seed1/weights.safetensors"]
    assert jobs["flow_matching_gradients_seed0"].resources["gpu"] == 0
    assert all(len(job.runs) == 1 for job in jobs.values())


def test_an_experiment_may_take_other_objectives_of_one_data_set():
    """The paper trains one objective on ImageNet-128, and five on the others."""
    jobs = {job.name: job for job in plan(papers(), config("paper"))}
    alone, five = (jobs[f"flow_matching_table1_{data}_seed0"].inputs["models"] for data in ("imagenet128", "imagenet64"))
    assert len(alone) == 2 and all("imagenet128-unet-fm_ot" in file for file in alone) and len(five) == 10
    trained = [name for name in jobs if name.startswith("train_imagenet128")]
    assert trained == [f"train_imagenet128_fm_ot_seed{k}" for k in range(5)]


def test_a_cpu_job_does_all_runs_of_an_experiment():
    jobs = {job.name: job for job in plan(papers(), config("laptop"))}
    job = jobs["neural_ode_solver_control"]
    assert [run.seed for run in job.runs] == list(range(config("laptop")["seeds"]["laptop"])) and job.resources["gpu"] == 0
    assert {file.split("/")[3] for file in job.inputs["models"]} == {
        "digits-ode_net-classifier",
        "digits-ode_net_tight-classifier",
    }
    assert jobs["neural_ode_train_classifier"].priority > jobs["neural_ode_latent_spirals"].priority > job.priority


def test_shared_models_are_trained_once_whoever_asks():
    jobs = [job for job in plan(papers(), config("laptop")) if job.name.startswith("train_")]
    assert [job.name for job in jobs] == ["train_checkerboard", "train_digits", "train_patches_colour8"]
    assert "python -m common train --level laptop --seed 0" in jobs[1].command
    assert "--sweep data=digits --sweep objective=fm_ot,fm_vp" in jobs[1].command
    assert {run.folder for run in jobs[1].runs} >= {"results/laptop/models/digits-mlp-ddpm_vp/seed1"}
    assert jobs[1].settings["backbone"]["width"] == 128, "a change of a data set's budget trains its models again"


def test_a_papers_report_needs_its_runs_and_its_yardsticks():
    jobs = plan(papers(), config("laptop"))
    runs = runs_by_paper(papers(), jobs)
    assert "results/laptop/models/digits-features-classifier/seed0" in runs["flow_matching"]
    assert not [run for run in runs["neural_ode"] if "features" in run]
    assert {folder for folders in runs.values() for folder in folders} == {run.folder for job in jobs for run in job.runs}


def test_a_data_set_with_fewer_replicates_has_a_job_of_its_own(jobs_file):
    """A call does all its replicates on all its data sets."""
    jobs_file("look: {data: [a, b, c], replicates: {laptop: {b: 1}}}")
    entry = entries("toys.adder")["look"]
    runs = runs_of("toys.adder", "look", "laptop", [0, 1, 2], entry)
    assert [(run.values["data"], run.seed) for run in runs] == [
        ("a", 0),
        ("a", 1),
        ("a", 2),
        ("b", 0),
        ("c", 0),
        ("c", 1),
        ("c", 2),
    ]
    assert [[(run.values["data"], run.seed) for run in part] for part in _parts(runs, "laptop")] == [
        [("a", 0), ("a", 1), ("a", 2), ("c", 0), ("c", 1), ("c", 2)],
        [("b", 0)],
    ]
    assert [len(part) for part in _parts(runs, "gpu")] == [1] * 7
    assert len(runs_of("toys.adder", "look", "gpu", [0, 1, 2], entry)) == 9


def test_a_sweep_may_differ_by_level(jobs_file):
    """A level that is not named has none of its runs; a list stands for all levels."""
    jobs_file("look: {data: {laptop: [a], gpu: [b], paper: [c]}, sweep: {model: {laptop: [x, y], gpu: [z]}, noise: [low, high]}}")
    entry = entries("toys.adder")["look"]
    assert entry.swept("laptop") == {"model": ["x", "y"], "noise": ["low", "high"]}

    def swept(level):
        return [
            tuple(run.values[key] for key in ("data", "model", "noise"))
            for run in runs_of("toys.adder", "look", level, [0], entry)
        ]

    assert swept("laptop") == [("a", "x", "low"), ("a", "x", "high"), ("a", "y", "low"), ("a", "y", "high")]
    assert swept("gpu") == [("b", "z", "low"), ("b", "z", "high")] and swept("paper") == []


def test_a_paper_may_take_the_models_of_another(jobs_file, another_paper):
    """Those of its own data and seed, and of the sweep that it names."""
    jobs_file("look: {data: [a], takes: {fitter.fit: {model: [x]}}}")
    entry = entries("toys.adder")["look"]
    part = runs_of("toys.adder", "look", "laptop", [1], entry)
    files = [f"results/laptop/models/a-x/seed1/{file}" for file in ("run.json", "weights.safetensors")]
    assert _models("toys.adder", entry, "laptop", part) == files


def test_short_experiments_share_a_process_on_a_cpu_and_no_job_on_a_gpu():
    jobs = {job.name: job for job in plan(["ffjord"], config("laptop"))}
    job = jobs["ffjord_estimators"]
    assert " estimators solver_error dimension tables --level laptop --seed 0 1 2 3 4 " in job.command
    assert job.command.endswith(" --sweep tables:data=patches63,digits64,breast_cancer,diabetes"), "not of the others"
    assert not {"ffjord_solver_error", "ffjord_dimension", "ffjord_tables"} & set(jobs)
    made = {file.split("/")[3] for file in job.outputs}
    assert made == {run.folder.split("/")[3] for run in job.runs} == {"estimators", "solver_error", "dimension", "tables"}
    assert set(job.settings) >= {"solver_error", "dimension", "matrices"}, "an edit of any of the settings runs the job again"
    assert {f"replications/ffjord/experiments/{name}.py" for name in made} <= set(job.inputs["code"])
    assert "ffjord_dimension_seed0" in {job.name for job in plan(["ffjord"], config("gpu"))}


def test_names_and_calls_of_such_jobs():
    jobs = {job.name: job for job in plan(["ffjord"], config("laptop"))}
    many, one = jobs["ffjord_densities_2d"], jobs["ffjord_densities_2d_two_spirals"]
    assert "--seed 0 1 2 3 4" in many.command and many.command.endswith("--sweep data=eight_gaussians,checkerboard")
    assert "--seed 0 --" in one.command and one.command.endswith("--sweep data=two_spirals") and one.log != many.log


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("loook: {}", ["toys/adder/jobs.yaml: loook: there is no such experiment", "did you mean 'look'"]),
        ("look: {dta: [a]}", ["jobs.yaml: look.dta: unknown key 'dta'", "did you mean 'data'"]),
        ("look: {data: {lapto: [a]}}", ["jobs.yaml: look.data: unknown 'lapto'", "did you mean 'laptop'"]),
        ("look: {sweep: {model: {lapto: [a]}}}", ["jobs.yaml: look.sweep.model: unknown 'lapto'", "did you mean 'laptop'"]),
        ("look: {takes: {fitt: {}}}\nfit: {}", ["jobs.yaml: look.takes: unknown 'fitt'", "did you mean 'fit'"]),
        ("look: {takes: {fiter.fit: {}}}", ["look.takes: unknown 'fiter.fit'", "known: adder, fitter"]),
        ("look: {takes: {fitter.fitt: {}}}", ["look.takes: unknown 'fitter.fitt'", "did you mean 'fitter.fit'"]),
        ("look: {replicates: {lapto: 1}}", ["jobs.yaml: look.replicates: unknown 'lapto'", "did you mean 'laptop'"]),
        ("look: {data: [a], replicates: {laptop: {b: 1}}}", ["jobs.yaml: look.replicates.laptop: unknown 'b'"]),
        ("look: {joins: fitt}\nfit: {}", ["jobs.yaml: look.joins: unknown 'fitt'", "did you mean 'fit'"]),
        (
            "look: {joins: fit}\nfit: {data: [a]}",
            ["look.joins: fit: it has data sets or a sweep of its own", "leave it"],
        ),
        ("look: {joins: fit, replicates: {gpu: 1}}\nfit: {}", ["look.joins: fit: they have other replicates"]),
        ("look: {joins: look}", ["look.joins: look: it joins another one itself"]),
        ("look: {memory_mb: 0}", ["jobs.yaml: look.memory_mb", "greater than 0", "got 0"]),
        ("- look", ["jobs.yaml: must map each experiment to its entry"]),
    ],
)
def test_a_mistake_in_jobs_yaml_is_named(jobs_file, another_paper, text, words):
    jobs_file(text)
    with pytest.raises(SettingsError) as error:
        entries("toys.adder")
    assert all(word in str(error.value) for word in words), str(error.value)


def test_no_rule_reads_a_loop_variable_when_its_job_starts():
    """A `shell` f-string, a lambda or a run block of a rule made in a loop takes the last job's values, without a word."""
    files = [ROOT / "Snakefile", *ROOT.glob("*/*.smk"), *ROOT.glob("replications/*/*.smk")]
    assert len(files) >= 3
    for file in files:
        text = re.sub(r"#.*", "", file.read_text())
        assert not re.search(r"\blambda\b|^ *run:", text, flags=re.MULTILINE), file
        shells = re.findall(r"^( *)shell:(.*(?:\n\1 +.*)*)", text, flags=re.MULTILINE)
        assert not [body for _, body in shells if re.search(r"\bf[\"']", body)], file
