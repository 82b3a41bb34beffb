"""How large each experiment is beside its trainings, by its settings: for the forecast, which needs ratios between levels only.

Where a network is taken or trained, a sample counts once for each evaluation. Of the mixtures, whose scores are exact, it counts
as often as they have modes times dimensions.
"""

from typing import Any

from common.evaluation.size import log_densities, solve, times, total
from common.learning.objective_table import OBJECTIVES
from common.measure.work import Size, evaluations
from replications.score_sde.control.completions import CompletionSettings
from replications.score_sde.experiments.learned_samplers import STARTS
from replications.score_sde.experiments.train_ncsnpp import schedule
from replications.score_sde.facts.chain_facts import LEVELS, STEPS
from replications.score_sde.facts.forward_facts import ForwardSettings
from replications.score_sde.facts.likelihood_facts import PROBES, LikelihoodSettings
from replications.score_sde.networks.named_models import MODELS
from replications.score_sde.predictor_corrector import MIXED, budgets
from replications.score_sde.predictors import TABLE_1

WITH_GRADIENT = 2  # evaluations: whatever is differentiated is frozen, so that going back takes the gradient in the state alone
GUIDED = 1 + WITH_GRADIENT  # the model, and the gradient of a classifier that is about as large
SDES = 3  # VE, VP and sub-VP

TRAININGS = {
    "train_ncsnpp": lambda settings: [schedule(settings)],
    "latent_codes": lambda settings: [settings.train] * len(settings.identified),
}


def train_ncsnpp(settings: Any) -> Size:
    """The model is described and written, which is nothing beside its training."""
    return Size(1, 1)


def sde_facts(settings: Any) -> Size:
    """Simulations of numbers; on the mixture both reverse processes, chains and likelihoods; a Gaussian given measurements."""
    numbers, marginals, inverse = settings.modes * settings.dimensions, settings.marginals, settings.inverse
    parts = [
        _forward(settings.forward),
        evaluations(SDES * (marginals.steps + solve(marginals.tolerance)), marginals.samples * numbers),
        # two samplers with correctors and two without, that should be the same; then two predictors on two SDEs
        evaluations(2 * LEVELS * STEPS + 2 * LEVELS, settings.chains.starts * numbers),
        evaluations(2 * 2 * sum(settings.chains.scales), settings.chains.starts * numbers),
        _exact_likelihoods(settings.likelihood, settings.dimensions, numbers),
        evaluations(SDES * inverse.steps, inverse.samples * inverse.dimensions),
    ]
    return total(parts)


def _forward(settings: ForwardSettings) -> Size:
    """The SDEs step by step, and two variances of each schedule at all times."""
    return evaluations(SDES * settings.steps, settings.chains) + evaluations(2 * settings.schedules, settings.times)


def _exact_likelihoods(settings: LikelihoodSettings, dim: int, numbers: int) -> Size:
    """Estimated divergences by two kinds of probes, a solve with the exact one on each SDE, a solve for each probe averaged.

    The exact one is a field's value and, as one further call, its products with all `dim` directions.
    """
    points, steps = settings.points * numbers, solve(settings.tolerance)
    solved = Size(SDES * steps * 2, SDES * steps * (1 + dim) * points)
    estimated = evaluations(len(PROBES) * WITH_GRADIENT, settings.probes * points)
    return solved + estimated + evaluations(steps * WITH_GRADIENT, settings.averaged[-1] * points)


def exact_samplers(settings: Any) -> Size:
    """On each SDE Table 1 at every N, both columns at every signal-to-noise ratio, the flow at every tolerance; shares on one."""
    ratios, at_ratios = len(settings.snrs), budgets(settings.snr_scales)
    table = sum(_table(count, len(TABLE_1)) for count in settings.scales)
    # without a corrector C2 does nothing and is left out
    by_ratio = ratios * at_ratios["PC"].evaluations + sum(snr > 0 for snr in settings.snrs) * at_ratios["C2"].evaluations
    steps = len(settings.correctors) * (table + by_ratio + sum(map(solve, settings.tolerances)))
    if settings.shared_on in settings.correctors:
        steps += _shares(settings.evaluations, 2)
    return evaluations(steps, settings.samples * settings.modes * settings.dimensions)


def _table(scales: int, predictors: int, *, rounded: bool = False) -> int:
    """Return the evaluations of Table 1's columns, most of them for each predictor; `rounded`: P2 twice."""
    columns = budgets(scales)
    twice = predictors * columns["P2"].evaluations if rounded else 0
    return twice + sum(column.evaluations * (predictors if column.predicts else 1) for column in columns.values())


def _shares(evaluations: int, predictors: int) -> int:
    """Return the evaluations of Figure 9: every share of the corrector beside each predictor, and the corrector alone."""
    return evaluations * (len(MIXED) * predictors + 1)


def learned_samplers(settings: Any) -> Size:
    """Tables 1 and 4 on each model, its flow, shares where they are asked for, and ways of a few samples from noise to data."""
    flow, steps = solve(settings.tolerance), 0.0
    for name, corrector in settings.models.items():
        steps += _table(settings.scales, len(corrector.predictors), rounded=settings.rounded) + flow + 1
        if name in settings.shared:
            steps += _shares(settings.evaluations, len(settings.shared[name].predictors))
    ways = evaluations(len(settings.models) * (settings.steps + flow), STARTS)
    return evaluations(steps, settings.samples, settings.batch) + ways


def likelihood(settings: Any) -> Size:
    """Of each model likelihoods at the least time and of fewer images at the others, of some the bound's levels, and samples."""
    found = times(len(settings.objectives), _flow_bits(settings, settings.test_images))
    fewer = _flow_bits(settings, min(settings.eps_images, settings.test_images))
    found += times(len(settings.objectives) * (len(settings.eps) - 1), fewer)
    for name in settings.objectives:
        if name in settings.bounded:
            found += evaluations(settings.levels, settings.test_images, settings.batch)
        corrected = OBJECTIVES[name].objective.path == "ve"
        found += evaluations(_by_methods(settings, corrected=corrected), settings.samples, settings.batch)
    return found


def _flow_bits(settings: Any, images: int) -> Size:
    """Return the size of the flow's likelihoods of so many images."""
    return log_densities(settings.data, settings.divergence, images, settings.nodes, settings.tolerance, settings.batch)


def _by_methods(settings: Any, *, flow: bool = True, corrected: bool) -> float:
    """Return the evaluations of the flow, of the reverse SDE, and on the VE path of the same with a corrector."""
    return (solve(settings.tolerance) + 1 if flow else 0) + settings.scales * (3 if corrected else 1)


def latent_codes(settings: Any) -> Size:
    """Solves by RK45 are all that there is. Round trips and encodings are not parted into batches."""
    every, usual, batch = sum(map(solve, settings.tolerances)), solve(settings.tolerance), settings.batch
    of_model = [
        evaluations(2 * every, settings.images),
        evaluations(every + usual * len(settings.temperatures), settings.samples, batch),
        # pairs are encoded; samples, what is between them on the sphere and what is straight between them are decoded
        evaluations(usual, 2 * settings.pairs),
        evaluations(3 * usual, settings.pairs, batch),
    ]
    # by the second network, by the states of the first one, and by that itself
    of_both = evaluations(usual * (2 + len(settings.states)), settings.encoded)
    return times(len(settings.objectives), total(of_model)) + times(len(settings.identified), of_both)


def controllable(settings: Any) -> Size:
    """Samples of classes at every weight, guided but at 0, and completions of every mask."""
    weights, steps = settings.classes.weights, 2 * settings.scales
    guided = sum(GUIDED if weight else 1 for weight in weights)
    classes = evaluations(steps * guided, settings.classes.samples, settings.batch)
    return classes + _completions(settings.inpainting, settings.scales, settings.batch, masks=len(settings.masks))


def colourisation(settings: Any) -> Size:
    """Completions with what is grey known."""
    return _completions(settings.colours, settings.scales, settings.batch)


def _completions(settings: CompletionSettings, scales: int, batch: int, masks: int = 1) -> Size:
    """Several of each image by number of corrector steps, and as many unconditional samples as images, with one such step."""
    steps = masks * scales * sum(1 + correctors for correctors in settings.correctors)
    free = evaluations(2 * scales, settings.images, batch)
    return free + evaluations(steps, settings.images * settings.draws, batch)


def architectures(settings: Any) -> Size:
    """Samples of each model, and its likelihoods but for the VE path. SMLD's, of discrete levels on the VE path, have no flow.

    A model of discrete levels is sampled over its own, which are taken to be as many as the scales that are set.
    """
    found = Size(0, 0)
    for name in settings.models:
        on_ve, discrete = MODELS[name].sde == "ve", MODELS[name].discrete
        steps = _by_methods(settings, flow=not (on_ve and discrete), corrected=on_ve)
        found += evaluations(steps, settings.samples, settings.batch)
        if not on_ve:
            found += _flow_bits(settings, settings.test_images)
    return found
