"""Statistics of Section 4, continuous normalizing flows: metrics table in, one number per seed out."""

import numpy as np
import pandas as pd

from common.measure.statistics import MissingRows, difference, log_slope, per_seed, ratio
from replications.neural_ode.target_names import MULTIMODAL


def _theorem(metrics: pd.DataFrame, metric: str) -> pd.Series:
    return per_seed(metrics[metrics.experiment == "change_of_variables"], metric=metric)


def linear_field_error(metrics: pd.DataFrame) -> pd.Series:
    """Largest error of the log-density's change along a linear field, in nats."""
    return _theorem(metrics, "linear_field_error")


def total_probability(metrics: pd.DataFrame) -> pd.Series:
    """Sum of a planar CNF's density over a square that holds it."""
    return _theorem(metrics, "total_probability")


def jacobian_error(metrics: pd.DataFrame) -> pd.Series:
    """Largest gap between the integrated trace and log|det| of the flow map's Jacobian, in nats."""
    return _theorem(metrics, "jacobian_error")


def hamiltonian_volume_change(metrics: pd.DataFrame) -> pd.Series:
    """Largest |log|det|| of the flow map of a field split as in Hamilton's equations, in nats."""
    return _theorem(metrics, "hamiltonian_volume_change")


def _cost_slope(metrics: pd.DataFrame, method: str) -> pd.Series:
    rows = metrics[(metrics.experiment == "change_of_variables") & (metrics.metric == "evaluation_seconds")]
    rows = rows[rows.method == method]
    variants = sorted(rows.variant.unique(), key=_number)
    if not variants:
        raise MissingRows(f"no finished run timed {method}")
    table = pd.DataFrame({_number(name): per_seed(rows, variant=name) for name in variants})
    return log_slope(table.columns, table)


def _number(variant: str) -> int:
    return int(variant.partition("=")[2])


def cost_slope_cnf(metrics: pd.DataFrame) -> pd.Series:
    """Power of the width with which one evaluation of a planar CNF's field and trace grows."""
    return _cost_slope(metrics, "cnf")


def cost_slope_wide_layer(metrics: pd.DataFrame) -> pd.Series:
    """Power of the width with which a discrete layer and its log-determinant grow."""
    return _cost_slope(metrics, "wide_layer")


def _divergences(metrics: pd.DataFrame, method: str) -> dict[tuple[str, int], pd.Series]:
    """Return KL(q || p) per seed for every (target, size), by target and then by size."""
    rows = metrics[(metrics.experiment == "density_matching") & (metrics.metric == "reverse_kl") & (metrics.method == method)]
    cells = sorted({(name, _number(variant)) for name, variant in zip(rows.dataset, rows.variant)})
    if not cells:
        raise MissingRows(f"no finished run measured the divergences of {method}")
    return {(name, size): per_seed(rows, dataset=name, variant=f"size={size}") for name, size in cells}


def largest_excess_kl(metrics: pd.DataFrame) -> pd.Series:
    """KL(q || p) of the CNF less the planar flow's at M = K: the largest over targets and sizes, in nats."""
    cnf, nf = _divergences(metrics, "cnf"), _divergences(metrics, "nf")
    return pd.DataFrame({cell: difference(cnf[cell], nf[cell]) for cell in cnf if cell in nf}).max(axis=1)


def multimodal_gain(metrics: pd.DataFrame) -> pd.Series:
    """KL(q || p) of the planar flow less the CNF's, mean over sizes, on that multimodal target where it is larger, in nats."""
    cnf, nf = _divergences(metrics, "cnf"), _divergences(metrics, "nf")
    gains = pd.DataFrame({cell: difference(nf[cell], cnf[cell]) for cell in cnf if cell in nf and cell[0] in MULTIMODAL})
    if gains.empty:
        raise MissingRows(f"no finished run measured a target of {', '.join(MULTIMODAL)}")
    return gains.T.groupby(level=0).mean().max(axis=0)


def largest_kl_rise_with_width(metrics: pd.DataFrame) -> pd.Series:
    """Largest change of the CNF's KL(q || p) from one width to the next wider one, over all targets, in nats."""
    cells = _divergences(metrics, "cnf")
    pairs = [(a, b) for a, b in zip(cells, list(cells)[1:]) if a[0] == b[0]]
    if not pairs:
        raise MissingRows("no target was fitted with two widths")
    return pd.DataFrame({b: difference(cells[b], cells[a]) for a, b in pairs}).max(axis=1)


def _likelihood(metrics: pd.DataFrame, metric: str, **where: object) -> pd.Series:
    return per_seed(metrics[metrics.experiment == "maximum_likelihood"], metric=metric, **where)


def nll_gain_moons(metrics: pd.DataFrame) -> pd.Series:
    """Held-out NLL of 64 planar layers less that of 64 hidden units, two moons, in nats."""
    return difference(*(_likelihood(metrics, "nll", method=method, dataset="moons") for method in ("nf", "cnf")))


def nll_gain_circles(metrics: pd.DataFrame) -> pd.Series:
    """Held-out NLL of 64 planar layers less that of 64 hidden units, two circles, in nats."""
    return difference(*(_likelihood(metrics, "nll", method=method, dataset="circles") for method in ("nf", "cnf")))


def _densities(metrics: pd.DataFrame) -> list[str]:
    rows = metrics[(metrics.experiment == "maximum_likelihood") & (metrics.metric == "nfe")]
    found = sorted(rows.dataset.unique())
    if not found:
        raise MissingRows("no finished run counted the evaluations of maximum_likelihood")
    return found


def round_trip_error(metrics: pd.DataFrame) -> pd.Series:
    """Root-mean-square error of base points sent to data and back, the larger of the densities'."""
    return pd.DataFrame({name: _likelihood(metrics, "round_trip_error", dataset=name) for name in _densities(metrics)}).max(
        axis=1
    )


def nll_change_with_tolerance(metrics: pd.DataFrame) -> pd.Series:
    """Held-out NLL of a CNF at the paper's tolerance minus that at SciPy's default: the largest size over densities, in nats."""
    changes = {
        name: difference(
            *(_likelihood(metrics, metric, method="cnf", dataset=name) for metric in ("nll", "nll_at_tight_tolerance"))
        )
        for name in _densities(metrics)
    }
    return pd.DataFrame(changes).abs().max(axis=1)


def reverse_cost(metrics: pd.DataFrame) -> pd.Series:
    """Evaluations to sample over evaluations to get the density; of the densities, the one furthest from 1."""
    logs = {
        name: np.log(ratio(*(_likelihood(metrics, "nfe", dataset=name, variant=way) for way in ("sample", "density"))))
        for name in _densities(metrics)
    }
    table = pd.DataFrame(logs)
    return np.exp(pd.Series({seed: line.loc[line.abs().idxmax()] for seed, line in table.iterrows()}))
