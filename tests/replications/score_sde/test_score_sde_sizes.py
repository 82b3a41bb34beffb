"""The sizes of score SDE's experiments against counts by hand."""

import pytest
from sized import is_size

from common.evaluation.size import solve
from common.runs.settings import resolve
from replications.score_sde import sizes

PACKAGE = "replications.score_sde"


def resolved(experiment, *overrides, level="laptop"):
    return resolve(PACKAGE, experiment, level, overrides)


def test_learned_samplers():
    settings = resolved("learned_samplers", "scales=30", "evaluations=84", "samples=100", "batch=100", "steps=40")
    two = settings.models["score_ve"].model_copy(
        update={"snr": {"reverse_diffusion": 0.1, "probability_flow": 0.1, "corrector_only": 0.4}}
    )
    settings = settings.model_copy(update={"models": {"score_ve": two}, "shared": {}})
    flow = solve(settings.tolerance)
    # P, P2, P2 rounded and PC by both predictors, C2 by none; two samples' ways
    steps = 30 * (2 * (1 + 2 + 2 + 2) + 2) + flow + 1
    found = sizes.learned_samplers(settings)
    assert is_size(found, steps + 40 + flow, 100 * steps + 2 * (40 + flow))
    # four shares by both predictors, and the corrector alone
    shared = sizes.learned_samplers(settings.model_copy(update={"shared": {"score_ve": two}}))
    assert shared.calls - found.calls == pytest.approx(9 * 84)
    # P2 is rounded for both predictors
    plain = sizes.learned_samplers(settings.model_copy(update={"rounded": False}))
    assert found.calls - plain.calls == pytest.approx(2 * 60)


def test_exact_samplers():
    changed = ("scales=[30, 60]", "snrs=[0, 0.1]", "snr_scales=40", "evaluations=48", "tolerances=[1.0e-5]", "samples=7")
    settings = resolved("exact_samplers", *changed, "modes=3", "dimensions=2")
    # P, P2 and PC by three predictors, C2 by none; PC at both ratios, C2 at one; the flow; on one of two SDEs shares
    steps = 2 * ((3 + 6 + 6 + 2) * 90 + 3 * 2 * 40 + solve(1e-5)) + 9 * 48
    assert is_size(sizes.exact_samplers(settings), steps, steps * 7 * 3 * 2)


def test_likelihood_exact_and_estimated():
    changed = ("objectives=[score_ve, ddpm_vp]", "bounded=[ddpm_vp]", "eps=[0.01, 1.0e-5]", "levels=20", "scales=10", "nodes=8")
    settings = resolved("likelihood", *changed, "test_images=6", "eps_images=3", "samples=70", "batch=100")
    flow = solve(settings.tolerance)
    samples, bound = 70 * (2 * (flow + 1) + 10 + 30), 6 * 20
    exact = sizes.likelihood(settings)
    # 64 pixels, so the divergence is taken exactly at the nodes
    assert exact.samples == pytest.approx(samples + bound + 2 * (6 + 3) * (flow + 8 * 64))
    assert exact.calls == pytest.approx(2 * (flow + 1) + 40 + 20 + 2 * 2 * (flow + 8))
    estimated = sizes.likelihood(settings.model_copy(update={"data": "fashion_mnist"}))
    assert estimated.samples == pytest.approx(samples + bound + 2 * (6 + 3) * 2 * flow)


def test_completions_and_classes():
    settings = resolved("colourisation", "scales=10", "colours={images: 8, draws: 3, correctors: [0, 1, 3]}", "batch=500")
    assert is_size(sizes.colourisation(settings), 20 + 70, 20 * 8 + 70 * 24)
    changed = ("inpainting={images: 8, draws: 3, correctors: [0, 1]}", "masks=[half, centre]", "classes.samples=40")
    some, none = (resolved("controllable", "scales=10", *changed, f"classes.weights={w}") for w in ("[0, 1, 3]", "[]"))
    holes = sizes.controllable(none)
    assert is_size(holes, 20 + 2 * 30, 20 * 8 + 2 * 30 * 24)
    # weights 0, 1 and 3: an evaluation, and twice the same with a classifier's gradient
    assert sizes.controllable(some).samples - holes.samples == 20 * (1 + 3 + 3) * 40


@pytest.mark.parametrize("experiment", ["learned_samplers", "likelihood", "architectures"])
def test_twice_the_samples_of_a_batch_take_as_many_calls(experiment):
    few, more = (resolved(experiment, f"samples={n}", "batch=200") for n in (100, 200))
    one, two = (getattr(sizes, experiment)(settings) for settings in (few, more))
    assert one.calls == two.calls
    assert one.samples < two.samples <= 2 * one.samples
    assert getattr(sizes, experiment)(resolved(experiment, "samples=400", "batch=200")).calls > two.calls


def test_architectures_by_path_and_levels():
    fixed = ("scales=50", "samples=100", "batch=100", "test_images=10", "divergence=hutchinson")
    flow = solve(1e-3)
    one = {
        "ncsnpp_ve": 100 * (flow + 1 + 150),
        "ncsnpp_ve_discrete": 100 * 150,
        "ddpm_vp_discrete": 100 * (flow + 1 + 50) + 10 * 2 * flow,
    }
    for name, samples in one.items():
        assert sizes.architectures(resolved("architectures", f"models=[{name}]", *fixed)).samples == pytest.approx(samples)


def test_trainings():
    of_codes = sizes.TRAININGS["latent_codes"]
    assert [train.steps for train in of_codes(resolved("latent_codes"))] == [600]
    assert len(of_codes(resolved("latent_codes", "identified=[score_ve, ddpm_vp]"))) == 2
    of_ncsnpp = sizes.TRAININGS["train_ncsnpp"]
    for model, steps, decay in (("ncsnpp_ve", 1300000, 0.999), ("ddpmpp_deep_vp", 950000, 0.9999)):
        (train,) = of_ncsnpp(resolved("train_ncsnpp", f"model={model}", level="paper"))
        assert (train.steps, train.ema_decay) == (steps, decay)


def test_latent_codes():
    settings = resolved(
        "latent_codes", "objectives=[score_ve]", "samples=100", "images=7", "pairs=11", "temperatures=[0.6, 1.0]", "encoded=13"
    )
    every, usual = sum(map(solve, settings.tolerances)), solve(settings.tolerance)
    of_model = 2 * every * 7 + (every + 2 * usual) * 100 + usual * (22 + 33)
    # the second network, two states, the whole training
    assert sizes.latent_codes(settings).samples == pytest.approx(of_model + 4 * usual * 13)


def test_facts_grow_with_what_is_drawn():
    def samples(*changed):
        return sizes.sde_facts(resolved("sde_facts", *changed)).samples

    begun = samples()
    assert samples("forward.chains=40000") - begun == 3 * 1000 * 20000
    assert samples("marginals.samples=2000") - begun == pytest.approx(3 * (400 + solve(1e-5)) * 1000 * 64)
    assert samples("chains.scales=[50, 100, 200, 400, 800]") - begun == 4 * 800 * 200 * 64
    assert samples("inverse.steps=600") - begun == 3 * 300 * 1000 * 4
