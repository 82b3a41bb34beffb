"""The sentences of the advice, on rows of which they can be worked out by hand."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from survey_runs import KINDS, OBJECTIVES, metrics_of, run, value

from replications.survey.advice import advice, apart, by_family, explained, ratio
from replications.survey.own_rows import MARK


@pytest.fixture(scope="module")
def metrics(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return metrics_of([run(folder, experiment, seed) for experiment in KINDS for seed in (0, 1)])


def suite(metrics):
    return metrics[(metrics.experiment != "bring_your_own") & (metrics.status == "ok")]


def test_it_is_five_sentences_that_name_data_level_and_replicates(metrics):
    given = advice(suite(metrics))
    assert given.title == "Which should I use?" and len(given.sentences) == 5
    assert all(sentence.endswith(".") and "nan" not in sentence for sentence in given.sentences)
    assert "the rows of digits at level laptop, 2 replicates" in given.caption and "data read 0.5." in given.caption


def test_the_best_pair_and_the_next(metrics):
    few, many, *_ = advice(suite(metrics)).sentences
    least = math.sqrt(1.1) * value("fm_ot", "dpm_solver_pp_2m", 10, 0) / 0.5
    assert few.startswith("With at most 10 evaluations take DPM-Solver++ 2M on FM (straight), with 10: " + f"{least:.2f} [")
    # DDIM on the same and DPM-Solver++ on the next objective are both exactly twice as far
    assert "the least of 9 pairs in 2 of 2 replicates; the next, " in few and "is 2.00 [2.00, 2.00] times as far" in few
    assert few.endswith("and all others can be told from the first.") and many.startswith("With at most 50")
    assert "with 50: " in many and "the least of 12 pairs" in many  # with RK45 at a tolerance, and NCSN's DDIM at ten


def test_an_exact_score_is_not_advised(metrics):
    rows = suite(metrics)
    exact = rows[rows.variant == "fm_ot"].assign(variant="empirical_vp", value=0.01)
    assert advice(pd.concat([rows, exact])).sentences == advice(rows).sentences


def test_a_users_own_sampler_takes_part(metrics):
    many = advice(metrics).sentences[1]
    assert many.startswith("With at most 50 evaluations take mine (mine.py) on ") and MARK.search("mine (mine.py)")


def test_flow_against_noise(metrics):
    said = advice(suite(metrics)).sentences[2]
    # four times as far by Euler-Maruyama as by DPM-Solver++ on every objective
    assert said.count("0.25 [0.25, 0.25] with at most") == 2 and said.count("nearer on 3 of 3 objectives") == 2


def test_what_explains_the_distances():
    table = pd.DataFrame([[0.0, 1.0, 2.0], [10.0, 11.0, 12.0]], index=["m", "n"], columns=["a", "b", "c"])
    found = explained(table)
    assert found.objective == pytest.approx(25 / (25 + 2 / 3)) and found.sampler == pytest.approx(2 / 3 / (25 + 2 / 3))
    assert explained(table - table).isna().all()


def test_the_share_of_sampler_and_objective(metrics):
    said = advice(suite(metrics)).sentences[3]
    logs = {"sampler": np.log([4, 2, 1]), "objective": np.log(list(OBJECTIVES.values()))}
    assert (
        said.startswith("With at most 20 evaluations choose the sampler first: ")
        and logs["sampler"].var() > logs["objective"].var()
    )
    assert len(re.findall(r"\d+ \[\d+, \d+\] %", said)) == 2


def test_the_cheapest_training(metrics):
    said = advice(suite(metrics)).sentences[4]
    steps = 100 * math.sqrt(1.2)
    assert (
        f"within 4 times the distance of data after {steps:.0f} steps, DDPM (VP)'s after 2.00 [2.00, 2.00] times as many" in said
    )
    without = suite(metrics)[suite(metrics).experiment != "training_side"]
    assert len(advice(without).sentences) == 4


def test_one_replicate_gives_no_interval_and_tells_nothing_apart(metrics):
    given = advice(suite(metrics)[suite(metrics).seed == 0])
    assert "1 replicate;" in given.caption and "(one replicate)" in given.sentences[0]
    assert "and 8 of the others cannot be told from the first" in given.sentences[0]
    one = pd.Series([2.0])
    assert ratio(one, 2 * one) == "0.50 (one replicate)" and not apart(one, 9 * one)


def test_ratios_are_geometric_and_paired():
    a, b = pd.Series([2.0, 8.0]), pd.Series([1.0, 1.0])
    low, high = (float(each) for each in re.findall(r"[\d.]+", ratio(a, b))[1:])
    assert ratio(a, b).startswith("4.00 [") and low < 4
    # Student's 95 % quantile of one degree of freedom, times the standard error of the mean of log 2 and log 8
    assert math.log(high / 4) == pytest.approx(6.3138 * math.log(4) / 2, rel=1e-3)
    assert apart(pd.Series([2.0, 2.1]), b) and apart(b, pd.Series([2.0, 2.1])) and not apart(pd.Series([0.5, 2.0]), b)


def test_only_models_that_have_both_families_are_compared():
    columns = pd.MultiIndex.from_tuples(
        [("m", "ddim"), ("m", "ancestral"), ("m", "euler"), ("n", "ddim"), ("m", "mine (mine.py)")]
    )
    table = pd.DataFrame(
        [[3.0, 2.0, 1.0, 5.0, 0.1]], index=pd.Index([0], name="seed"), columns=columns.set_names(["variant", "method"])
    )
    assert by_family(table).to_numpy().tolist() == [[1.0, 2.0]]


def test_there_is_none_without_rows(metrics):
    assert advice(metrics[metrics.experiment == "exact"]) is None and advice(metrics[:0]) is None
