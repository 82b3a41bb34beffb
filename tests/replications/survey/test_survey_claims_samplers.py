"""Each statistic of samplers by their evaluations, on tables whose answer is known."""

import pandas as pd
import pytest
from judged import judged

from replications.survey import claims
from replications.survey.samplers import FIXED, SAMPLERS

JUDGED = judged(claims)
inside = JUDGED.inside
EXACT, LEARNED = ("vp", "ve", "ot"), ("ddpm_vp", "noise_sub_vp", "score_ve", "fm_ot")
FLOWS = [name for name in FIXED if not SAMPLERS[name].noisy]
NFE = (5.0, 10.0, 20.0, 50.0, 100.0, 1000.0)
# where all curves are read, a few samplers at two budgets are enough
ENDS, SOME = (5.0, 1000.0), ("ancestral", "torchsde_srk", "euler", "heun", "edm_heun", "edm_heun_churn")
FLOOR = 0.1


def cells(experiment, budgets=NFE, samplers=tuple(FIXED), **special):
    """Return every cell of an experiment: 8 for samplers with noise, 4 for those of the flow, what `special` says otherwise.

    A key of `special` is sampler, model and evaluations joined by two underscores, any of them left off from the right.
    """
    exact = experiment == "exact"
    labels = {
        "experiment": experiment,
        "dataset": "mixture_2d" if exact else "digits",
        "metric": "mmd" if exact else "feature_frechet",
    }
    models = (*EXACT, "sub_vp") if exact else (*LEARNED, "empirical_vp", "scoreflow_vp")
    found = []
    for sampler in samplers:
        for model in models:
            for nfe in budgets:
                keys = (sampler, f"{sampler}__{model}", f"{sampler}__{model}__{nfe:g}")
                value = next((special[key] for key in reversed(keys) if key in special), 4.0 if sampler in FLOWS else 8.0)
                found.append(
                    {**labels, "method": sampler, "variant": model, "axis": "nfe", "at": nfe, "value": value, "floor": FLOOR}
                )
    adaptive = {**labels, "method": "rk45", "variant": models[0], "axis": "tolerance", "at": 10.0, "value": 1e-9, "floor": FLOOR}
    return [*found, adaptive]


def value(statistic, rows, *, excess=None):
    """Return what it makes of the rows and of others that it may not read; `excess` is what the larger operand must clear."""
    other = {"exact": "mixture_16d", "learned": "cifar10"}[rows[0]["experiment"]]
    found = getattr(claims, statistic)(JUDGED.table(*rows, *(row | {"dataset": other, "value": 1e-3} for row in rows)))
    assert isinstance(found, pd.DataFrame) == (excess is not None)
    if excess is not None:
        assert found["excess"].tolist() == pytest.approx([excess] * 2)
        found = found["value"]
    assert len(found) == 2 and found.iloc[0] == found.iloc[1]
    return pytest.approx(found.iloc[0])


def test_flow_over_sde_with_exact_scores():
    assert value("exact_flow_over_sde", cells("exact"), excess=7.9) == 0.5
    # of six pairs; the best of the flow's samplers and of those with noise count
    assert value("exact_flow_over_sde", cells("exact", ddim__ve__10=4 / 2**6), excess=7.9) == 0.25
    assert value("exact_flow_over_sde", cells("exact", edm_heun_churn__ot__20=8 / 2**6), excess=3.9) == 1
    # reverse diffusion does not run everywhere, and other budgets are not compared
    more = {"reverse_diffusion__vp__10": 1.0, "ddim__vp__50": 1.0, "ddim__vp__5": 1.0, "predictor_corrector__vp__10": 1.0}
    assert value("exact_flow_over_sde", cells("exact", **more), excess=7.9) == 0.5
    assert inside("exact_flow_over_sde", 0.5) and not inside("exact_flow_over_sde", 1.5)


@pytest.mark.parametrize("nfe", [10, 50])
def test_flow_over_sde_with_trained_models(nfe):
    statistic = {10: "learned_flow_over_sde_at_10", 50: "learned_flow_over_sde_at_50"}[nfe]
    assert value(statistic, cells("learned"), excess=7.9) == 0.5
    assert value(statistic, cells("learned", **{f"heun__fm_ot__{nfe}": 4 / 2**4}), excess=7.9) == 0.25
    assert value(statistic, cells("learned", **{f"heun__fm_ot__{60 - nfe}": 0.1, "heun__scoreflow_vp": 0.1}), excess=7.9) == 0.5
    assert inside(statistic, 0.5) and not inside(statistic, 1.5)


def test_the_lead_is_compared_between_fifty_and_ten():
    assert value("lead_shrinks", cells("learned")) == 1
    # at 50 noise is twice as good on one of four, so its distance over the flow's falls
    assert value("lead_shrinks", cells("learned", ancestral__fm_ot__50=8 / 2**4)) == 0.5
    assert value("lead_shrinks", cells("learned", ancestral__fm_ot__10=8 / 2**4)) == 2
    assert inside("lead_shrinks", 0.5) and not inside("lead_shrinks", 1.5)


def test_noise_with_many_evaluations():
    assert value("learned_sde_many_over_flow", cells("learned")) == 2
    assert value("learned_sde_many_over_flow", cells("learned", predictor_corrector__score_ve__1000=8 / 2**4)) == 1
    assert value("learned_sde_many_over_flow", cells("learned", euler__score_ve__100=4 / 2**4)) == 4
    assert value("learned_sde_many_over_flow", cells("learned", euler__score_ve__1000=1.0, ancestral__score_ve__100=1.0)) == 2
    assert inside("learned_sde_many_over_flow", 0.9) and not inside("learned_sde_many_over_flow", 1.5)


def test_quick_solvers():
    quick = {"dpm_solver_pp_2m__vp__20": 1.0, "ancestral__vp__100": 5.0}
    assert value("quick_over_chain_exact", cells("exact", **quick), excess=4.9) == 0.2
    learned = {"dpm_solver_pp_2m__ddpm_vp__20": 1.0, "ancestral__ddpm_vp__100": 5.0, "dpm_solver_pp_2m__ddpm_vp__50": 2.0}
    assert value("quick_over_chain_learned", cells("learned", **learned), excess=4.9) == 0.2
    assert value("quick_over_itself", cells("learned", **learned), excess=1.9) == 0.5
    for statistic in ("quick_over_chain_exact", "quick_over_chain_learned", "quick_over_itself"):
        assert inside(statistic, 0.9) and not inside(statistic, 1.2)


def test_a_corrector_at_as_many_predictor_steps():
    exact = {"predictor_corrector__ve__10": 2.0, "predictor_corrector__ve__20": 4.0, "predictor_corrector__ot__10": 16.0}
    # 2 over 8, 4 over 8, 16 over 8, 8 over 8
    assert value("corrector_per_step_exact", cells("exact", **exact), excess=7.9) == 0.25**0.25
    # the predictor at twice as many steps, and VP, are not compared
    assert (
        value("corrector_per_step_exact", cells("exact", predictor_corrector__vp=1.0, reverse_diffusion__ve__20=1.0), excess=7.9)
        == 1
    )
    learned = {"euler_maruyama__fm_ot__5": 8.0 * 2**6, "reverse_diffusion": 1.0}
    assert value("corrector_per_step_learned", cells("learned", **learned), excess=7.9) == 0.5
    assert value("corrector_per_step_learned", cells("learned", predictor_corrector__ddpm_vp=1.0), excess=7.9) == 1
    for statistic in ("corrector_per_step_exact", "corrector_per_step_learned"):
        assert inside(statistic, 0.9) and not inside(statistic, 1.2)


def test_a_corrector_at_as_many_evaluations():
    assert value("corrector_per_evaluation", cells("exact", predictor_corrector__ot__20=24.0), excess=7.9) == 3
    assert value("corrector_per_evaluation", cells("exact", reverse_diffusion__ve__10=2.0), excess=7.9) == 4
    assert (
        value(
            "corrector_per_evaluation", cells("exact", predictor_corrector__vp=80.0, predictor_corrector__ot__50=80.0), excess=7.9
        )
        == 1
    )
    assert inside("corrector_per_evaluation", 2.0) and not inside("corrector_per_evaluation", 0.9)


@pytest.mark.parametrize(
    ("statistic", "experiment", "model"), [("exact_gain", "exact", "ot"), ("learned_gain", "learned", "score_ve")]
)
def test_an_error_falls_to_its_floor(statistic, experiment, model):
    falling = {f"{name}__{where}__1000": 1.0 for name in FIXED for where in (*EXACT, *LEARNED)}
    assert value(statistic, cells(experiment, ENDS, SOME, **falling)) == 0.25  # of the flow's, 4 to 1
    assert value(statistic, cells(experiment, ENDS, SOME, **falling | {f"torchsde_srk__{model}__1000": 24.0})) == 3
    # one that has reached its floor, twice 0.1, need not fall
    at_floor = {f"euler__{model}__5": 0.05, f"euler__{model}__1000": 0.1}
    assert value(statistic, cells(experiment, ENDS, SOME, **falling | at_floor)) == 0.5
    assert inside(statistic, 0.9) and not inside(statistic, 1.2)


def test_a_cell_that_did_not_run_and_one_alone_say_nothing():
    rows = cells("learned", ENDS, SOME, **{f"{name}__{model}__1000": 1.0 for name in FIXED for model in LEARNED})
    # no more than one budget of this one, another refused it, and models of few levels or exact scores are not read
    alone = [row for row in rows if not (row["method"] == "ancestral" and row["variant"] == "fm_ot" and row["at"] < 1000)]
    refused = [row | {"status": "refused", "value": float("nan")} for row in alone if row["method"] == "heun" and row["at"] == 5]
    kept = [row for row in alone if not (row["method"] == "heun" and row["at"] == 5)]
    assert value("learned_gain", [*kept, *refused]) == 0.25
    assert value("learned_rise", [*kept, *refused]) == 1


def test_a_rise_is_over_a_samplers_least():
    assert value("learned_rise", cells("learned", ENDS, SOME)) == 1
    assert value("learned_rise", cells("learned", (5.0, 20.0, 1000.0), SOME, edm_heun_churn__fm_ot__20=2.0)) == 4
    assert value("learned_rise", cells("learned", ENDS, SOME, edm_heun__empirical_vp__5=1.0)) == 1
    assert inside("learned_rise", 1.05) and not inside("learned_rise", 1.5)


def test_the_floor_that_is_reached():
    assert value("exact_over_floor", cells("exact", heun__ve__100=0.5, edm_heun=0.1, dpm_solver_pp_2m=0.1, heun=0.1)) == 5
    assert value("exact_over_floor", cells("exact", euler=9.0, edm_heun=0.1, dpm_solver_pp_2m=0.1, heun=0.1)) == 1
    assert inside("exact_over_floor", 1.5) and not inside("exact_over_floor", 3.0)


def test_what_the_network_adds():
    found = {"dpm_solver_pp_2m__ddpm_vp__50": 6.0, "dpm_solver_pp_2m__empirical_vp__50": 1.5}
    assert value("network_over_exact", cells("learned", **found), excess=5.9) == 4
    assert inside("network_over_exact", 2.0) and not inside("network_over_exact", 0.9)


def test_a_velocity_alone():
    rows = cells("exact", ENDS, SOME)
    known = [row | {"variant": "velocity_only"} for row in rows if row["variant"] == "ot" and row["method"] in ("euler", "heun")]
    refused = [
        row | {"variant": "velocity_only", "status": "refused", "value": float("nan")} for row in rows if row["method"] == "ddim"
    ]
    assert value("path_difference", [*rows, *known, *refused[:1]]) == 0
    known[3]["value"] = 3.5
    assert value("path_difference", [*rows, *known, *refused[:1]]) == 0.5
    known[3]["value"] = 4.25
    assert value("path_difference", [*rows, *known]) == 0.25
    assert inside("path_difference", 0.0) and not inside("path_difference", 0.1)
