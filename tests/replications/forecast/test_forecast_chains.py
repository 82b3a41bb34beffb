"""The longest chain of jobs, by hand."""

from types import SimpleNamespace

import pytest

from replications.forecast.chains import longest
from replications.forecast.lines import Line


def line(experiment, hours, replicates=2):
    empty = dict.fromkeys(Line._fields, 0)
    named = {
        "paper": "p",
        "experiment": experiment,
        "variant": "",
        "replicates": replicates,
        "training_hours": hours * replicates,
    }
    return Line(**{**empty, **named})


def job(experiment, seed, needs=()):
    inputs = {"models": [f"{name}/{seed}" for name in needs], "code": ["a.py"]}
    return SimpleNamespace(name=f"p_{experiment}_seed{seed}", outputs=[f"{experiment}/{seed}"], inputs=inputs)


def test_the_longest_chain_is_the_longest_sum_of_jobs_that_wait_for_each_other():
    lines = [line("train", 5.0), line("other", 7.0), line("sample", 3.0), line("alone", 7.5)]
    jobs = [job(name, seed) for name in ("train", "other", "alone") for seed in (0, 1)]
    jobs += [job("sample", seed, ("train",)) for seed in (0, 1)]
    found = longest(jobs, lines)
    assert found.hours == pytest.approx(8.0)
    assert found.jobs in (("p_train_seed0", "p_sample_seed0"), ("p_train_seed1", "p_sample_seed1"))


def test_a_job_waits_for_the_slower_of_what_it_needs():
    lines = [line("train", 5.0), line("other", 7.0), line("sample", 3.0)]
    jobs = [job("train", 0), job("other", 0), job("sample", 0, ("train", "other"))]
    assert longest(jobs, lines) == (10.0, ("p_other_seed0", "p_sample_seed0"))


def test_experiments_whose_names_end_in_figures_are_told_from_their_replicates():
    lines = [line("table1", 1.0), line("table2", 2.0)]
    assert longest([job("table1", 0), job("table2", 11)], lines) == (2.0, ("p_table2_seed11",))
