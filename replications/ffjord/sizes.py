"""How large each experiment is beside its trainings, by its settings: for the forecast, which needs ratios between levels only.

Sizes are in units of the run's first training: of the evaluations that a step has one after the other, and of what a sample
costs. Both are counted from the settings, samples in multiply-adds of the networks, for what a solve costs is not the network's
business alone: an exact trace in D dimensions takes D products beside the value's own, one by a probe takes one; the tolerance
and the way back count, too.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, prod
from typing import Any

import torch
from torch import Tensor, nn

from common.evaluation.size import times
from common.measure.work import Size, counted, evaluations
from replications.ffjord.posteriors.vae import OUTPUTS
from replications.ffjord.solving.solve import at_tolerance
from replications.neural_ode.sizes import dopri5

VALUE, PROBED = 1, 2  # products of an evaluation without a trace, and with one by a probe
GRADIENT = {"direct": 3, "adjoint": 1 + 3}  # a solve and its gradient in solves; the adjoint solves once more, with gradients
# columns, validation and test rows
TABLES = {
    "patches8": (8, 13_206, 26_838),
    "patches24": (24, 5_640, 11_562),
    "patches63": (63, 2_940, 6_300),
    "digits64": (64, 200, 450),
    "breast_cancer": (21, 57, 114),
    "diabetes": (8, 45, 88),
    "power": (6, 184_435, 204_928),
    "gas": (8, 94_685, 105_206),
    "hepmass": (21, 35_013, 174_987),
    "miniboone": (43, 3_284, 3_648),
    "bsds300": (63, 50_000, 250_000),
}
# shape, validation and test images
IMAGES = {
    "digits_binary": ((1, 8, 8), 200, 450),
    "mnist_static": ((1, 28, 28), 10_000, 10_000),
    "omniglot": ((1, 28, 28), 1_345, 8_070),
    "frey_faces": ((1, 28, 20), 200, 200),
    "caltech_silhouettes": ((1, 28, 28), 2_264, 2_307),
}
TEST_IMAGES = {"digits": 450}  # of grey and colour images; the published sets have 10 000
TRAININGS = {
    "dimension": lambda settings: [settings.train] * len(settings.dimensions),
    "densities_2d": lambda settings: [settings.coupling_train] * len(settings.couplings) + [settings.train] * _ffjords(settings),
    "images": lambda settings: [settings.train] * len(settings.models),
    "posteriors": lambda settings: [settings.train] * len(settings.posteriors),
}


def estimators(settings: Any) -> Size:
    """Estimates with all probes of all matrices, of either order of the factors; solves of a density, each with its own probe."""
    noises, n = 2, settings.dimensions
    tried = settings.matrices * settings.probes * sum(n**2 + width**2 for width in settings.widths)
    solves = noises * settings.solves
    density = _solved(settings.flow, 2, settings.solver, PROBED, settings.points)
    return Size(noises * 2 * len(settings.widths), noises * tried) + times(solves, density)


def solver_error(settings: Any) -> Size:
    """The density of every grid point at every tolerance, in two precisions, by the exact trace as in training."""
    trained = GRADIENT["direct"] * dopri5(settings.tolerance)
    return _in_units(evaluations(2 * sum(map(dopri5, settings.tolerances)), settings.points), evaluations(trained, 1))


def dimension(settings: Any) -> Size:
    """In every dimension, before and after training: a solve with a gradient by a probe, and one with the exact trace."""
    found = Size(0, 0)
    for dim in settings.dimensions:
        for products in (GRADIENT[settings.counted.backward] * PROBED, VALUE + dim):
            found += times(2, _solved(settings.flow, dim, settings.counted, products, settings.points))
    return _in_units(found, _trained(settings.flow, settings.dimensions[0], settings.solver, PROBED))


def densities_2d(settings: Any) -> Size:
    """Each flow's density of test points, twice, and of the picture's cells, its samples; FFJORD's gradients and inversions."""
    ffjords, exact, cells = _ffjords(settings), VALUE + 2, settings.grid**2
    field, loose = _weights((2, *settings.flow.hidden, 2)), dopri5(settings.tolerance)
    stages = 1 + len(settings.train.snapshot_steps())
    each = evaluations(loose, exact * cells) + evaluations(2 * loose, exact * settings.test_points)
    each += evaluations(loose, VALUE * settings.samples) + evaluations(stages * loose, 3 * exact * settings.counted)
    # there and back without a trace, then a sample's two log-densities
    back = sum(map(dopri5, settings.tolerances))
    inverted = evaluations(back * 2, VALUE * settings.inverted) + evaluations(back * 2, exact * settings.inverted)
    found = _times(times(ffjords, each) + inverted, field)
    for coupling in settings.couplings.values():
        # test points twice, and there and back; once the cells and the samples
        found += _times(_coupling(coupling, 2), 4 * settings.test_points + cells + settings.samples)
    ffjord = _trained(settings.flow, 2, at_tolerance(settings.training_tolerance), exact)
    return _in_units(found, next((times(3, _coupling(each, 2)) for each in settings.couplings.values()), ffjord))


def tables(settings: Any) -> Size:
    """Validation of every kept state; the test rows with the exact trace, by two states, and by so many probes; the rivals'."""
    columns, validation, test = TABLES[settings.data]
    validation, test = min(settings.validation_rows, validation), min(settings.test_rows, test)
    flow, chunk, train = settings.ffjord, settings.chunk, settings.train
    found = times(len(train.ffjord.snapshot_steps()), _solved(flow, columns, settings.solver, PROBED, validation, chunk))
    found += times(2, _solved(flow, columns, settings.test_solver, VALUE + columns, test, chunk))
    found += times(settings.probes, _solved(flow, columns, settings.test_solver, PROBED, test, chunk))
    # a step's evaluations are counted before and after
    step = GRADIENT[settings.solver.backward] * PROBED
    found += _solved(flow, columns, settings.solver, step, 2 * train.ffjord.batch, train.ffjord.batch)
    for name, rival in _rivals(settings, columns).items():
        states = len(getattr(train, name).snapshot_steps())
        asked = times(states, evaluations(1, validation, chunk)) + times(2, evaluations(1, test, chunk))
        found += Size(asked.calls * rival.calls, asked.samples * rival.samples)
    return _in_units(found, _trained(flow, columns, settings.solver, PROBED))


def images(settings: Any) -> Size:
    """Bits/dim of the test images by all probes and by the training's solver; gradients at the kept states; samples; memory."""
    tested, own = _evaluations(settings.evaluation), _evaluations(settings.solver)
    test = min(settings.test_images, TEST_IMAGES.get(settings.data, 10_000))
    dims = max(prod(model.flow.shape) for model in settings.models.values())
    states = len(settings.train.snapshot_steps())
    forward = _times(evaluations(tested, settings.probes * test, settings.batch) + evaluations(own, test, settings.batch), PROBED)
    # the exact trace's products are taken one after the other
    exact = evaluations(tested * (VALUE + dims), settings.exact_images, settings.batch)
    both_ways = tested * GRADIENT[settings.evaluation.backward] + own * GRADIENT[settings.solver.backward]
    watched = _times(evaluations(states * both_ways, settings.watched_images), PROBED)
    kept = _times(evaluations(4 * sum(settings.kept_steps) * sum(GRADIENT.values()), settings.kept_images), PROBED)
    each = forward + exact + watched + kept + evaluations(tested * VALUE, settings.samples)
    all_models = [_once(model.flow) for model in settings.models.values()]
    of_all = sum(all_models, Size(0, 0))
    trained = own * GRADIENT[settings.solver.backward]
    in_training = _in_units(each, Size(trained, trained * PROBED))
    first = _in_units(of_all, all_models[0])
    return Size(in_training.calls * first.calls, in_training.samples * first.samples)


def posteriors(settings: Any) -> Size:
    """Bounds on the validation images by every kept state and on the test images at all draws, traces exact."""
    shape, validation, test = IMAGES[settings.data]
    coders, batch = _coders(settings, shape), settings.test_batch
    states, draws = len(settings.train.snapshot_steps()), settings.test_draws
    drawn, batches = states * validation + draws * test, states * ceil(validation / batch) + draws * ceil(test / batch)
    found, flows = Size(0, 0), list(settings.posteriors.values())
    for flow in flows:
        bound = _bound(flow, settings, coders, dopri5(settings.test_tolerance), VALUE + settings.latent)
        found += Size(batches * bound.calls, drawn * bound.samples)
    in_training = _evaluations(flows[0].solver) if flows[0].kind == "ffjord" else 0
    return _in_units(found, times(3, _bound(flows[0], settings, coders, in_training, PROBED)))


def _solved(flow: Any, dim: int, solver: Any, products: int, samples: int, batch: int | None = None) -> Size:
    """Return the size of solves through all fields of a flow on flat data, `products` of the field's size per evaluation."""
    steps = flow.flows * _evaluations(solver)
    return _times(evaluations(steps, samples, batch), products * _weights((dim, *flow.hidden, dim)))


def _trained(flow: Any, dim: int, solver: Any, products: int) -> Size:
    """Return the size of a training's step with one sample."""
    return times(GRADIENT[solver.backward], _solved(flow, dim, solver, products, 1))


def _in_units(size: Size, unit: Size) -> Size:
    """Return a size in units of another one."""
    return Size(size.calls / unit.calls, size.samples / unit.samples)


def _times(size: Size, cost: float) -> Size:
    """Return a size with samples of another cost."""
    return Size(size.calls, size.samples * cost)


def _evaluations(solver: Any) -> int:
    """Return the evaluations of a solve."""
    return dopri5(solver.rtol) if solver.method == "dopri5" else 4 * solver.steps


def _weights(widths: Sequence[int]) -> int:
    """Return the multiply-adds of a chain of dense layers."""
    return sum(inputs * outputs for inputs, outputs in pairwise(widths))


def _ffjords(settings: Any) -> int:
    """Return the FFJORDs of a density: one more with weight decay."""
    return 2 if settings.weight_decay else 1


def _coupling(flow: Any, dim: int) -> Size:
    """Return the size of one point's way through a coupling flow."""
    return Size(flow.layers, flow.layers * (_weights((dim // 2, *flow.hidden, dim)) + flow.linear * dim**2))


def _rivals(settings: Any, columns: int) -> dict[str, Size]:
    """Return the size of one row's way through each of FFJORD's rivals on a table."""
    maf = settings.maf
    transforms = Size(maf.transforms, maf.transforms * _weights((columns, *maf.hidden, 2 * columns)))
    return {"real_nvp": _coupling(settings.real_nvp, columns), "glow": _coupling(settings.glow, columns), "maf": transforms}


def _once(flow: Any) -> Size:
    """Return the size of one evaluation of each field of a flow on images."""
    flows, fields, zero = flow.build(0).flows, [], torch.zeros(())

    def carry(field: nn.Module, y: Tensor) -> Tensor:
        fields.append(field)
        return field(zero, y)

    with torch.no_grad():
        work = counted(lambda: flows.encode(torch.zeros(1, *flow.shape), carry))
    return Size(len(fields), work.flops / 2)


def _coders(settings: Any, shape: tuple[int, int, int]) -> float:
    """Return the multiply-adds of encoder and decoder."""
    encoder = settings.coders.encoder(shape)
    decoder = settings.coders.decoder(settings.latent, shape, OUTPUTS[settings.pixels])
    with torch.no_grad():
        return counted(lambda: (encoder(torch.zeros(1, *shape)), decoder(torch.zeros(1, settings.latent)))).flops / 2


def _bound(flow: Any, settings: Any, coders: float, solve: int, products: int) -> Size:
    """Return the size of an image's bound: its coders, and where the flow is FFJORD the weights made for it and the solves."""
    if flow.kind != "ffjord":
        return Size(1, coders)
    widths = (settings.latent, *flow.hidden, settings.latent)
    weights, low_rank = _weights(widths), flow.rank * sum(map(sum, pairwise(widths)))
    made = settings.coders.features * (weights if flow.amortisation == "full" else low_rank)
    return Size(1 + flow.flows * solve, coders + flow.flows * (made + solve * products * weights))
