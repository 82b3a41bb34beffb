"""The statistics that judge the paper's claims: metrics table in, one number per seed out."""

import numpy as np
import pandas as pd

from common.measure.rows import over, rows
from common.measure.statistics import paired, per_seed

RIVALS = ("real_nvp", "glow")
TEST_IMAGES = 10_000  # of MNIST and of CIFAR-10

# Table 1, Sections 3.1 and 4
FLOWS = rows("densities_2d")
SETS = ("eight_gaussians", "checkerboard")  # whose density is known, and which have all replicates on a laptop
TIGHTEST = FLOWS.also(at="smallest")
round_trip_error = over("largest", *(TIGHTEST.also(dataset=name, metric="round_trip_error").value("ffjord") for name in SETS))
log_density_gap = over("largest", *(TIGHTEST.also(dataset=name, metric="log_density_gap").value("ffjord") for name in SETS))
repeated_solve_gap = rows("estimators", metric="repeated_solve_gap").value(each=("method",), by="largest")


def density_bias(metrics: pd.DataFrame) -> pd.Series:
    """Mean estimated log-density less the exact one, in standard errors, without its sign: the worse noise."""
    table = rows("estimators", metric="density_bias").table(metrics)
    return paired({noise: per_seed(table, method=noise).abs() for noise in sorted(table.method.unique())}).max(axis=1)


def probe_variance(metrics: pd.DataFrame) -> pd.Series:
    """Variance of the mean bits/dim of the paper's ten thousand test images, each with one probe: the worst model."""
    of_one_image = rows("images", dataset="first", metric="probe_variance").value(each=("method",), by="largest")
    return of_one_image(metrics) / TEST_IMAGES


# Sections 3.1.1 and 3.2
operations_slope = rows("estimators", metric="operations_exact_over_estimate").log_slope()


def variance_over_width(metrics: pd.DataFrame) -> pd.Series:
    """Factor between the bottleneck's share of the variance and H/D, whichever is larger: the worst width and noise.

    The widest of the bottlenecks is as wide as the data and left out.
    """
    measured = rows("estimators", metric="variance_ratio", variant="measured")
    factors = {}
    for noise in ("gaussian", "rademacher"):
        ratios = measured.along(metrics, noise)
        dim = ratios.columns.max()
        for width in ratios.columns[ratios.columns < dim]:
            factors[noise, width] = np.exp(np.log(ratios[width] / (width / dim)).abs())
    return paired(factors).max(axis=1)


# Figure 2, Section 4.1
NLL = FLOWS.also(metric="nll")
eight_gaussians_lead = NLL.also(dataset="eight_gaussians").difference(RIVALS, "ffjord")
checkerboard_lead = NLL.also(dataset="checkerboard").difference(RIVALS, "ffjord")
gap_share_over_glow = over("largest", *(FLOWS.also(dataset=name, metric="gap_share").ratio("ffjord", "glow") for name in SETS))
LAST = FLOWS.also(at="largest")
toy_evaluations = over("largest", *(LAST.also(dataset=name, metric="nfe_forward").value("ffjord") for name in SETS))

# Table 2
TABLE = rows("tables", metric="nll")
table_lead = TABLE.difference(RIVALS, "ffjord", each=("dataset",), by="smallest")
power_nll, gas_nll, hepmass_nll, miniboone_nll, bsds300_nll = (
    TABLE.also(dataset=name).value("ffjord") for name in ("power", "gas", "hepmass", "miniboone", "bsds300")
)
lead_over_maf = over(
    "smallest", *(TABLE.also(dataset=name).difference("maf", "ffjord") for name in ("power", "hepmass", "miniboone", "bsds300"))
)
BITS = rows("images", metric="bits_per_dim", variant="test")
scales_lead = BITS.also(dataset="first").difference("single_scale", "multiscale")
mnist_bits, cifar10_bits = (BITS.also(dataset=name).value("multiscale") for name in ("mnist", "cifar10"))
mnist_bits_one_scale = BITS.also(dataset="mnist").value("single_scale")
share_of_glow = rows("images", dataset="first", metric="share_of_glow", method="text").value()

# Section 4.2, Figures 3 and 7
IMAGES = rows("images", dataset="first")
sample_distance_over_data = IMAGES.also(metric="nearest_training_image").ratio("multiscale", "data")


def adjoint_memory_growth(metrics: pd.DataFrame) -> pd.Series:
    """Bytes kept by the adjoint at the largest number of solver steps over those at the smallest: the worst model."""
    kept = IMAGES.also(metric="kept_bytes", variant="adjoint")
    models = sorted(kept.table(metrics).method.unique())
    ends = (kept.also(at=at).per_seed for at in ("largest", "smallest"))
    most, least = (paired({name: bytes_at(metrics, name) for name in models}) for bytes_at in ends)
    return (most / least).max(axis=1)


# Table 3, Section 4.3
ABOVE = rows("posteriors", dataset="first", metric="above_ffjord")
no_flow_above_ffjord = ABOVE.value("none")
best_posterior_above_ffjord = ABOVE.value(("none", "planar", "iaf", "sylvester"))
hypernetwork_evaluations = rows("posteriors", dataset="first", metric="nfe").ratio("hypernetwork", "ffjord")
mnist_bound, omniglot_bound, frey_faces_bound, caltech_bound = (
    rows("posteriors", dataset=name, metric="negative_elbo").value("ffjord")
    for name in ("mnist_static", "omniglot", "frey_faces", "caltech_silhouettes")
)


# Section 5, appendix C
mass_error_slope = rows("solver_error", metric="mass_error").log_slope("float64")


def bottleneck_gain(metrics: pd.DataFrame) -> pd.Series:
    """Bits/dim that the bottleneck saves with Gaussian probes less those that it saves with Rademacher's.

    Of validation images, the mean of the kept states of the training.
    """
    watched = IMAGES.also(metric="validation_bits_per_dim", variant="test")
    gained = {}
    for noise in ("gaussian", "rademacher"):
        plain, narrow = (watched.along(metrics, f"{noise}_{kind}").mean(axis=1) for kind in ("probes", "bottleneck"))
        gained[noise] = plain - narrow
    pair = paired(gained)
    return pair["gaussian"] - pair["rademacher"]


def evaluations_over_dimensions(metrics: pd.DataFrame) -> pd.Series:
    """Most over fewest forward evaluations of a trained flow over the dimensions."""
    counted = rows("dimension", metric="nfe_forward", variant="trained").along(metrics)
    return counted.max(axis=1) / counted.min(axis=1)


def one_scale_over_several(metrics: pd.DataFrame) -> pd.Series:
    """Evaluations of the last kept state, forwards and backwards, with one scale over those with several."""
    last = IMAGES.also(variant="test", at="largest")
    work = {
        name: last.also(metric="nfe_forward").per_seed(metrics, name) + last.also(metric="nfe_backward").per_seed(metrics, name)
        for name in ("single_scale", "multiscale")
    }
    pair = paired(work)
    return pair["single_scale"] / pair["multiscale"]


# Section 6
def _work(metrics: pd.DataFrame, dataset: str, method: str, at: str) -> pd.Series:
    """Evaluations of one training step of a two-dimensional flow, forwards and backwards, at one end of its training."""
    state = FLOWS.also(dataset=dataset, at=at)
    return sum(state.also(metric=metric).per_seed(metrics, method) for metric in ("nfe_forward", "nfe_backward"))


def evaluations_after_over_before(metrics: pd.DataFrame) -> pd.Series:
    """Evaluations of a training step at the end of the training over those before it: the data set where they grow least."""
    grown = {name: _work(metrics, name, "ffjord", "largest") / _work(metrics, name, "ffjord", "smallest") for name in SETS}
    return paired(grown).min(axis=1)


def decay_evaluations(metrics: pd.DataFrame) -> pd.Series:
    """Evaluations of a training step after training, with weight decay over without."""
    with_decay, without = (_work(metrics, "eight_gaussians", name, "largest") for name in ("ffjord_decay", "ffjord"))
    pair = paired({"with": with_decay, "without": without})
    return pair["with"] / pair["without"]


def decay_cost(metrics: pd.DataFrame) -> pd.Series:
    """Nats that weight decay costs, as a share of what the flow gains over one Gaussian."""
    nll = NLL.also(dataset="eight_gaussians")
    found = paired({name: nll.per_seed(metrics, name) for name in ("ffjord", "ffjord_decay", "gaussian")})
    return (found["ffjord_decay"] - found["ffjord"]) / (found["gaussian"] - found["ffjord"])
