"""Tables of the report: mean over replicates with the standard deviation."""

from collections.abc import Callable, Iterator

import pandas as pd

from common.measure.figures import Table, marked
from common.measure.table_cells import in_order, pivot
from replications.ffjord.names import BASELINES, NAMES, name

# rows that are no method, by what the tables call them
KINDS = {NAMES["data"]: "floor", **{NAMES[method]: "baseline" for method in BASELINES}}
# what is the same in all replicates
EXACT = {"parameters": "{:,.0f}", "paper_parameters": "{:,.0f}", "share_of_glow": "{:.1%}"}
TOYS = {"nll": "NLL, nats", "gap_share": "samples in the gaps", "nfe": "NFE", "training_seconds": "training, s"}
TABULAR = {
    "nll": "NLL, nats",
    "parameters": "parameters",
    "training_seconds": "training, s",
    "best_state": "best state at",
}
IMAGES = {
    "bits": "bits/dim",
    "evaluations": "NFE",
    "parameters": "parameters",
    "own": "bits/dim, training's solver",
    "probe_variance": "variance by probe",
}
SIZES = {"paper_parameters": "parameters", "share_of_glow": "share of Glow's"}
POSTERIORS = {
    "negative_elbo": "negative ELBO",
    "reconstruction": "reconstruction",
    "divergence": "divergence",
    "nfe": "NFE",
    "parameters": "parameters",
    "gained_in_last_third": "gained in last third",
    "training_seconds": "training, s",
}
PROTOCOL = {"nll_estimated_minus_exact": "estimated − exact, nats", "nll_probe_variance": "variance over probes, nats²"}


def tables(metrics: pd.DataFrame) -> Iterator[Table]:
    """Yield the tables that the rows present allow."""
    makers: dict[str, tuple[Callable[[pd.DataFrame], Table], ...]] = {
        "densities_2d": (toys,),
        "tables": (tabular, protocol),
        "images": (images, sizes),
        "posteriors": (posteriors,),
    }
    for experiment, made in makers.items():
        rows = metrics[metrics.experiment == experiment]
        if len(rows):
            yield from (make(in_order(rows, NAMES)) for make in made)


def toys(rows: pd.DataFrame) -> Table:
    """Return two-dimensional densities and methods x NLL, share of samples in the gaps, evaluations and training."""
    along = rows[(rows.metric == "nfe_forward") & (rows.axis == "step")]
    last = along[along["at"] == along.groupby(["dataset", "method"])["at"].transform("max")].assign(metric="nfe")
    # what data themselves would read: their entropy, and their own share in the gaps
    known = rows[rows.metric.isin(["nll", "gap_share"]) & rows.floor.notna()]
    of_data = known.drop_duplicates(["dataset", "seed", "metric"]).assign(method="data", value=lambda each: each.floor)
    every = in_order(pd.concat([of_data, rows, last]), NAMES)
    caption = (
        "Cf. Figure 2. Negative log-likelihood of held-out points; share of samples where the data's density is less than "
        "exp(-9/2) of its largest, for the sets whose density is known; evaluations of one solve from data to base after "
        "training; seconds of training. Data: their entropy, and their own share. Mean ± s.d. over replicates."
    )
    return _by_method("toys", "Densities in two dimensions", caption, every, TOYS)


def tabular(rows: pd.DataFrame) -> Table:
    """Return tables and methods x test NLL, parameters and training."""
    caption = (
        "Cf. Table 2. Negative log-likelihood of the test rows under each flow's best state, which was chosen on validation rows "
        "and lay at this share of the training; FFJORD's trace is exact. Mean ± s.d. over replicates, each of which has another "
        "split of the table."
    )
    return _by_method("tabular", "Likelihoods of tables", caption, rows, TABULAR)


def protocol(rows: pd.DataFrame) -> Table:
    """Return tables x what estimating the trace would change in FFJORD's test NLL."""
    caption = (
        "Cf. Section 4. FFJORD's test NLL with estimated traces, one probe for each row, less that with exact ones: the mean "
        "over several draws of all probes, and the variance over these draws. Mean ± s.d. over replicates."
    )
    return Table("protocol", "Testing with estimated traces", caption, pivot(rows, [], PROTOCOL))


def images(rows: pd.DataFrame) -> Table:
    """Return image data sets and models x bits/dim by two solvers, evaluations, parameters and the noise of probes."""
    measured = rows[rows.metric == "bits_per_dim"]
    tight, own = measured[measured.variant == "test"], measured[measured.variant == "training's solver"]
    nfe = tight[tight.nfe.notna()].assign(metric="evaluations", value=lambda each: each.nfe)
    every = in_order(pd.concat([rows, tight.assign(metric="bits"), own.assign(metric="own"), nfe]), NAMES)
    caption = (
        "Cf. Table 2 and Section 4. Bits/dim of test images by a tight solver and by the one that each flow was trained with; "
        "evaluations of one solve by the tight solver, summed over the flows; the variance over probes of one image's bits/dim, "
        "in bits²/dim², mean over images: of the mean of n images it is an n-th. Gaussian: fitted to the logits of the training "
        "images. Mean ± s.d. over replicates."
    )
    return _by_method("images", "Flows on images", caption, every, IMAGES)


def sizes(rows: pd.DataFrame) -> Table:
    """Return the paper's image flows x how large they are."""
    caption = (
        "Cf. Section 4.2. Parameters of the paper's image flows as its text has them and as the authors' published recipe has "
        "them, which is one convolution longer; and their share of those of Glow's model of CIFAR-10."
    )
    sources = {"text": "the paper's text", "recipe": "the authors' recipe"}
    frame = pivot(rows.assign(source=rows.variant.replace(sources)), ["source"], SIZES, EXACT)
    return Table("sizes", "How large the paper's image flows are", caption, frame)


def posteriors(rows: pd.DataFrame) -> Table:
    """Return image data sets and posteriors x the negative ELBO, its parts, evaluations and training."""
    caption = (
        "Cf. Table 3. Negative ELBO of test images and its two parts, the expected negative log-likelihood of the pixels and "
        "log q - log p of the latent, in nats (bits/dim for grey images); evaluations of a solve; and how much the bound on "
        "validation images fell in the last third of the training. Independent pixels: no latent at all. Mean ± s.d. over "
        "replicates."
    )
    return _by_method("posteriors", "Posteriors moved by different flows", caption, rows, POSTERIORS)


def _by_method(key: str, title: str, caption: str, rows: pd.DataFrame, columns: dict[str, str]) -> Table:
    """Return the table with a row for each data set and method, floors and baselines marked."""
    frame = pivot(rows.assign(method=rows.method.map(name)), ["method"], columns, EXACT)
    return marked(Table(key, title, caption, frame), KINDS, "method")
