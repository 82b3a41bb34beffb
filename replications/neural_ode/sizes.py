"""How large each experiment is beside its trainings, by its settings: for the forecast, which needs ratios between levels only.

Where the experiment trains, sizes are in units of its first training's: a step there has so many evaluations one after the other,
and a sample is worth as many. Elsewhere they are in evaluations of the network that it takes, or in multiply-adds.
"""

import math
from typing import Any

from common.measure.work import Size, evaluations
from replications.neural_ode.experiments.maximum_likelihood import FRACTIONS
from replications.neural_ode.spirals import FUTURE

TRAININGS: dict[str, Any] = {}  # every schedule in the settings is trained once, in their order
GRADIENT = 3  # an evaluation with its gradient, in evaluations
ADJOINT = 1 + GRADIENT  # a solve, and the adjoint's, whose evaluations come with their gradient
RK4 = 4  # evaluations of a step
PARTICLES = 1500  # whose way to the data is drawn
OUTPUT_STEPS = 32  # Euler steps of the solves whose state is asked for at many times


def dopri5(tolerance: float) -> int:
    """Return roughly the evaluations of a solve: two and six for each step, whose length goes with the error's fifth root."""
    return 2 + 6 * max(2, math.ceil(0.35 * tolerance**-0.2))  # the first step is a short one


def train_classifier(settings: Any) -> Size:
    """The test images, and once more the probe's, each of which is solved alone; a ResNet has no probe."""
    images = _test_images(settings.data)
    if settings.kind == "resnet":
        return evaluations(1, images, settings.test_batch)
    trained = dopri5(settings.tight_tolerance if settings.kind == "ode_net_tight" else settings.tolerance)
    found = evaluations(trained, images, settings.test_batch)
    found += evaluations(dopri5(settings.probe_tolerance), settings.probe_images)
    return _in_units(found, trained, trained)


def solver_control(settings: Any) -> Size:
    """Solves at all tolerances, some of them timed in turns; the adjoint's by every solver with two losses; timed gradients."""
    turns, forward = settings.repeats + 1, sum(map(dopri5, settings.tolerances))
    both_ways = 2 * len(settings.solvers) * ADJOINT * sum(map(dopri5, settings.backward_tolerances))
    gradients = (ADJOINT + GRADIENT) * dopri5(settings.gradient_tolerance)
    return evaluations(dopri5(settings.reference_tolerance) + forward + both_ways, settings.images) + evaluations(
        turns * (forward + gradients), settings.timed_images
    )


def solver_practice(settings: Any) -> Size:
    """Euler solves whose memory is counted, tests at all tolerances, solves alone and together, solves there and back."""
    euler = 2 * sum(settings.steps) + sum(OUTPUT_STEPS + count - 2 for count in settings.output_times)
    back = 2 * sum(map(dopri5, settings.reverse_tolerances))
    tests = sum(map(dopri5, settings.test_tolerances))
    found = evaluations(euler + back, settings.images) + evaluations(tests, _test_images(settings.data), settings.test_batch)
    for batch in (max(settings.batches), *settings.batches):
        found += evaluations(sum(map(dopri5, settings.batch_tolerances)), batch)
    # the untrained fields are of few numbers
    return found + Size(back * len(settings.gains), 0)


def change_of_variables(settings: Any) -> Size:
    """The timed evaluations of all widths, the density on a grid, and tight solves of few points; samples in multiply-adds.

    A planar CNF takes five multiply-adds for each unit, a wide discrete layer those of a product of two matrices.
    """
    turns = settings.repeats + 1
    timed = Size(turns * len(settings.widths), turns * settings.batch * 5 * sum(settings.widths))
    timed += Size(turns * len(settings.layer_widths), turns * sum(width**3 for width in settings.layer_widths))
    grid = evaluations(dopri5(max(settings.tolerance, 1e-6)), settings.grid**2 * 5 * 16)
    # a divergence by two products; two Jacobians of the flow's map by two gradients each; one solve of the trace
    tight = evaluations((1 + 2 + 2 * GRADIENT + 1) * dopri5(settings.tolerance), settings.points * 5 * 16)
    return timed + grid + tight


def density_matching(settings: Any) -> Size:
    """A solve for each CNF; a planar flow is one evaluation. A training's sample goes through all CNFs side by side."""
    models, stages = len(settings.targets) * len(settings.sizes), RK4 * settings.solver_steps
    each = evaluations(dopri5(settings.tolerance), settings.samples)
    return _in_units(each, stages / models, stages)


def maximum_likelihood(settings: Any) -> Size:
    """For the CNF of each density three solves at either tolerance; particles and a grid on their way (of the first seed)."""
    loose = dopri5(settings.tolerance)
    each = evaluations(3 * (loose + dopri5(settings.tight_tolerance)), settings.test_points)
    each += evaluations(loose, PARTICLES) + evaluations(sum(FRACTIONS) * loose, settings.grid**2)
    stages = RK4 * settings.solver_steps
    return _in_units(each, stages / len(settings.densities), stages)


def latent_spirals(settings: Any) -> Size:
    """The rivals' forecasts, of validation series by every kept state and of test series, in two ways; the encoder.

    Samples in steps of all recurrent networks, of which the encoders are a third and the forecasters the rest. The solves, nine
    and a half windows long in all, are of small fields.
    """
    longest, states = max(settings.observations), len(settings.rnn.snapshot_steps())
    series = states * settings.validation_series + settings.test_series
    rolled = Size(2 * (states + 1) * (longest + FUTURE), 2 * series * (longest + FUTURE) * 2 / 3)
    encoded = Size(2 * longest, (settings.train_series + settings.test_series) * longest / 3)
    found = rolled + encoded + Size(9.5 * dopri5(settings.tolerance), 0)
    # a training's sample is encoded, solved and decoded; the last two are a fifth of the whole
    return _in_units(found, longest + RK4 * settings.solver_steps, longest)


def poisson_events(settings: Any) -> Size:
    """A fine solve and one like the training's: the rates of all events, each read off all of a solve's nodes."""
    reading = 15  # what the network of the rate costs, in nodes
    nodes = settings.judged_steps + settings.solver_steps + 2 * reading
    found = Size(RK4 * (settings.judged_steps + settings.solver_steps), settings.test_sequences * nodes)
    return _in_units(found, RK4 * settings.solver_steps, settings.train_sequences * (settings.solver_steps + reading))


def _in_units(size: Size, calls: float, samples: float) -> Size:
    """Return a size in units of a training step's calls and of what one of its samples is worth."""
    return Size(size.calls / calls, size.samples / samples)


def _test_images(data: str) -> int:
    """Return the number of a data set's test images; the published sets have one in common."""
    return 450 if data == "digits" else 10_000
