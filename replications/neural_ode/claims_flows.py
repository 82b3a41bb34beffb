"""Statistics of Section 4, continuous normalizing flows: metrics table in, one number per seed out."""

import numpy as np
import pandas as pd

from common.measure.rows import over, rows
from common.measure.statistics import MissingRows, difference, paired
from replications.neural_ode.target_names import MULTIMODAL

# Theorem 1 and Equation 10
THEOREM = rows("change_of_variables")
linear_field_error = THEOREM.also(metric="linear_field_error").value()
total_probability = THEOREM.also(metric="total_probability").value()
jacobian_error = THEOREM.also(metric="jacobian_error").value()
hamiltonian_volume_change = THEOREM.also(metric="hamiltonian_volume_change").value()
cost_slope_cnf = THEOREM.also(metric="top_octave_slope").value("cnf")
cost_slope_wide_layer = THEOREM.also(metric="top_octave_slope").value("wide_layer")

# Figure 4
KL = rows("density_matching", metric="reverse_kl")
largest_excess_kl = KL.difference("cnf", "nf", each=("dataset", "at"), by="largest")
multimodal_gain = over(
    "largest", *(KL.also(dataset=name).difference("nf", "cnf", each=("at",), by="mean") for name in MULTIMODAL)
)


def largest_kl_rise_with_width(metrics: pd.DataFrame) -> pd.Series:
    """Largest change of the CNF's KL(q || p) from one width to the next wider one, over all targets, in nats."""
    targets = sorted(KL.table(metrics).dataset.unique())
    curves = {name: KL.also(dataset=name).along(metrics, "cnf") for name in targets}
    if not curves or min(table.shape[1] for table in curves.values()) < 2:
        raise MissingRows("no target was fitted with two widths")
    return paired({name: table.diff(axis=1).max(axis=1) for name, table in curves.items()}).max(axis=1)


# Figure 5
LIKELIHOOD = rows("maximum_likelihood")
nll_gain_moons = LIKELIHOOD.also(metric="nll", dataset="moons").difference("nf", "cnf")
nll_gain_circles = LIKELIHOOD.also(metric="nll", dataset="circles").difference("nf", "cnf")
reconstruction_error_default = LIKELIHOOD.also(metric="reconstruction_error").value(each=("dataset",), by="largest")
round_trip_error = LIKELIHOOD.also(metric="round_trip_error").value(each=("dataset",), by="largest")


def nll_change_with_tolerance(metrics: pd.DataFrame) -> pd.Series:
    """Held-out NLL of a CNF at the paper's tolerance minus that at SciPy's default: the largest size over densities, in nats."""
    changes = {}
    for name in _densities(metrics):
        mine = LIKELIHOOD.also(dataset=name, method="cnf")
        changes[name] = difference(*(mine.also(metric=m).per_seed(metrics) for m in ("nll", "nll_at_tight_tolerance")))
    return paired(changes).abs().max(axis=1)


def reverse_cost(metrics: pd.DataFrame) -> pd.Series:
    """Evaluations to sample over evaluations to get the density; of the densities, the one furthest from 1."""
    counts = LIKELIHOOD.also(metric="nfe")
    ways = ({"variant": "sample"}, {"variant": "density"})
    logs = paired({name: np.log(counts.also(dataset=name).ratio(*ways)(metrics)) for name in _densities(metrics)})
    return np.exp(pd.Series({seed: line.loc[line.abs().idxmax()] for seed, line in logs.iterrows()}))


def _densities(metrics: pd.DataFrame) -> list[str]:
    found = sorted(LIKELIHOOD.also(metric="nfe").table(metrics).dataset.unique())
    if not found:
        raise MissingRows("no finished run counted the evaluations of maximum_likelihood")
    return found
