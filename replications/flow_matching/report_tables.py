"""Tables of the report, beside the paper's: mean over seeds with the standard deviation."""

from collections.abc import Iterator

import pandas as pd

from common.measure.figures import Table, marked, mean_and_deviation
from replications.flow_matching.equal_error import evaluations_at_equal_error
from replications.flow_matching.names import NAMES

# rows that are no method, by what the table calls them
KINDS = {NAMES["data"]: "floor", NAMES["noise"]: "baseline", NAMES["given"]: "baseline"}


def tables(metrics: pd.DataFrame) -> Iterator[Table]:
    """Yield the tables that stand beside the paper's, and our own measurements."""
    table1 = metrics[metrics.experiment == "table1"]
    if len(table1):
        caption = "Cf. Table 1. NLL in bits/dim with one dequantisation draw; mean ± s.d. over seeds."
        yield marked(Table("table1", "Same network, several objectives", caption, table_1(table1)), KINDS, "method")
    if len(bound := table1[table1.metric == "nll_bound"]):
        caption = "Cf. Table 4. Bits/dim with K dequantisation draws, on fewer images than above; mean ± s.d. over seeds."
        yield Table("table4", "NLL against the number of draws", caption, table_4(bound))
    toys = metrics[metrics.experiment == "toy_2d"]
    if len(toys):
        caption = (
            "Cf. Figures 4 and 9. NLL with exact divergence (the checkerboard's floor is 3.466 nats); share of samples off the "
            "board, and total variation (TV) of their histogram to the board's, which sees crowding inside the cells too; "
            "Wasserstein-2 distance to as many data points. The row of data is the floor of both. Mean ± s.d. over seeds."
        )
        yield marked(Table("toy-2d", "Two-dimensional densities", caption, table_2d(toys)), KINDS, "method")
    exact = metrics[metrics.experiment == "exact_paths"]
    if len(exact):
        yield Table("exact-paths", "The paths themselves, no network", exact_caption(exact), table_exact(exact))
    large = metrics[metrics.experiment == "upsampling"]
    if len(large):
        columns = {"feature Fréchet distance": large.metric == "feature_frechet", "PSNR, dB": large.metric == "psnr"}
        caption = "Cf. Table 2. The same network and data for both methods; mean ± s.d. over seeds."
        yield marked(Table("upsampling", "Up-sampling", caption, pivot(large, columns)), KINDS, "method")


def table_1(rows: pd.DataFrame) -> pd.DataFrame:
    """Return objectives x (bits/dim, Fréchet distance, NFE) for each data set."""
    columns = {
        "NLL": rows.metric == "nll",
        "feature Fréchet distance": rows.metric == "feature_frechet",
        "NFE": rows.metric == "nfe",
    }
    if (rows.metric == "fid").any():
        columns["FID"] = rows.metric == "fid"
    return pivot(rows, columns)


def table_4(rows: pd.DataFrame) -> pd.DataFrame:
    """Return objectives x number of draws for each data set."""
    return pivot(rows, {f"K = {k:g}": rows["at"] == k for k in sorted(rows["at"].unique())})


def table_2d(rows: pd.DataFrame) -> pd.DataFrame:
    """Return objectives x (NLL, NFE, shares off the board and distances at several numbers of evaluations) for each density."""
    columns = {"NLL, nats": rows.metric == "nll", "NFE": rows.metric == "nfe"}
    for metric, name in (("off_board", "off board"), ("histogram_distance", "TV"), ("wasserstein2", "W2")):
        mine = rows.metric == metric
        for nfe in sorted(rows[mine & (rows.variant == "midpoint")]["at"].unique()):
            columns[f"{name}, midpoint {nfe:g}"] = mine & (rows.variant == "midpoint") & (rows["at"] == nfe)
        columns[f"{name}, dopri5"] = mine & rows.variant.isin(["dopri5", "floor"])
    return pivot(rows, {name: mask for name, mask in columns.items() if mask.any()})


def table_exact(rows: pd.DataFrame) -> pd.DataFrame:
    """Return paths x what their exact fields and conditional paths do."""
    columns = {"NFE of dopri5": rows.metric == "nfe", "straightness (0 = straight)": rows.metric == "straightness"}
    for nfe in sorted(rows[rows.metric == "solver_mse"]["at"].unique()):
        columns[f"midpoint error at {nfe:g}"] = (rows.metric == "solver_mse") & (rows["at"] == nfe)
    for time in sorted(rows[rows.metric == "marginal_off_board"]["at"].unique()):
        columns[f"off board at t = {time:g}"] = (rows.metric == "marginal_off_board") & (rows["at"] == time)
    columns |= {"overshoot": rows.metric == "overshoot_share", "cosine": rows.metric == "direction_cosine"}
    return pivot(rows, columns)


def exact_caption(rows: pd.DataFrame) -> str:
    """Return the caption of the table of exact paths, with the evaluations at equal error."""
    ratio = evaluations_at_equal_error(rows[rows.metric == "solver_mse"])
    return (
        "Our own measurement on the checkerboard's exact fields. At equal midpoint error OT needs "
        f"{mean_and_deviation(ratio)} of the diffusion path's evaluations (the paper: about 0.6, of networks). Off board: share "
        "of the marginal's mass off the board drawn at its own scale, at the paper's times. Overshoot: share of conditional "
        "paths that pass their end by 1 % of the way. Cosine: the smallest between a conditional field's directions at two "
        "times. Mean ± s.d. over seeds."
    )


def pivot(rows: pd.DataFrame, columns: dict[str, pd.Series]) -> pd.DataFrame:
    """Return data set and method x columns, each cell being the mean and deviation of the rows that its mask leaves."""
    parts = {}
    for name, mask in columns.items():
        parts[name] = rows[mask].groupby(["dataset", "method"]).value.agg(mean_and_deviation)
    order = [*NAMES]
    table = pd.DataFrame(parts).fillna("–").reset_index()
    table = table.sort_values(["dataset", "method"], key=lambda c: c.map(lambda v: order.index(v) if v in order else 0))
    return table.assign(method=table.method.map(lambda name: NAMES.get(name, name))).reset_index(drop=True)
