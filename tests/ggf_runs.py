"""What figures of the samplers are tested with: runs whose every value says which it is, and what is drawn of them."""

import numpy as np
import pandas as pd
from sealed import seal

from common.measure.figures import RunFolder, Runs, style
from common.runs.folders import COLUMNS
from replications.gotta_go_fast.figures import figures

TOLERANCES = [0.02, 0.1, 0.5]
MODELS = {"ddpm_vp": 1, "score_ve": 2}  # each with a factor of all its values
SDES = {"vp": 1, "ve": 2}
VARIANTS = {"default": 1.0, "no_extrapolation": 1.5, "max_norm": 3.0}
FULL = {"reverse_diffusion_langevin": 2000, "euler_maruyama_full": 1000, "rk45": 150}
COST = {"nfe_max": 1.0, "nfe_mean": 0.8, "rejected_share": 0.001}
SAMPLERS = {"ggf": 1, "euler_maruyama": 2, "ddim": 3}


def row(metric, value, **labels):
    return {"status": "ok", "metric": metric, "value": value, **labels}


def nfe_at(tolerance, factor, seed):
    return round(factor * 20 / tolerance) + 2 * seed


def costs(nfe, **labels):
    return [row(metric, share * nfe, nfe=nfe, **labels) for metric, share in COST.items()]


def compared(error, factor, seed, samplers, **labels):
    """Rows of samplers at each tolerance and in full, with as many evaluations; a value says which it is."""
    rows = []
    for tolerance in TOLERANCES:
        nfe, where = nfe_at(tolerance, factor, seed), {"axis": "tolerance", "at": tolerance, **labels}
        rows += costs(nfe, method="ggf", **where)
        rows += [row(error, factor * (SAMPLERS[each] + tolerance) + seed / 10, method=each, nfe=nfe, floor=0.1, **where)
                 for each in samplers]  # fmt: skip
    return rows + [row(error, factor * nfe / 100, method=each, nfe=nfe, floor=0.1, **labels) for each, nfe in FULL.items()]


def ablated(error, factor, seed, **labels):
    rows, where = [], {"axis": "ablation", "at": 0.05, **labels}
    for method, more in VARIANTS.items():
        nfe = factor * 100 * more
        rows += [row(error, factor * more**2 + seed, method=method, nfe=nfe, floor=0.1, **where)]
        rows += costs(nfe, method=method, **where)
    return rows


def learned_rows(seed):
    rows = [row("feature_frechet", 0.1, method="data", variant="train split", floor=0.1, dataset="digits")]
    for model, factor in MODELS.items():
        labels, samplers = {"variant": model, "dataset": "digits"}, list(SAMPLERS)[: 4 - factor]
        rows += compared("feature_frechet", factor, seed, samplers, **labels)
        rows += ablated("feature_frechet", factor, seed, **labels)
        for share in (0.5, 1.0):
            where = {"method": "ggf", "axis": "share of training", "at": share, **labels}
            rows += [row("feature_frechet", factor / share, **where), *costs(100 * factor, **where)]
    return rows + shelf_rows("feature_frechet", seed, variant="score_ve", dataset="digits")


def toy_rows(seed):
    rows = []
    for sde, factor in SDES.items():
        labels, samplers = {"dataset": sde}, list(SAMPLERS)[: 4 - factor]
        rows += [row("residual_error", 0.1, method="data", floor=0.1, **labels), row("residual", 0.7, method="data", **labels)]
        rows += compared("residual_error", factor, seed, samplers, **labels) + ablated("residual_error", factor, seed, **labels)
        for dim in (16, 256):
            rows += costs(1000 * factor + dim, method="ggf", axis="dimension", at=dim, **labels)
    for sigma in (50, 380):
        where = {"axis": "sigma_max", "at": sigma, "dataset": "ve", "floor": 0.1}
        rows += [row("residual_error", 5, method="euler_maruyama_full", **where)]
        for tolerance, more in (("tolerance 0.05", 1), ("tolerance 0.1", 2)):
            rows += [row("residual_error", 1 + seed, method="ggf", variant=tolerance, **where)]
            rows += [row("residual_error", more * sigma / 10, method="euler_maruyama", variant=tolerance, **where)]
    return rows + shelf_rows("residual_error", seed, dataset="vp")


def shelf_rows(error, seed, **where):
    where |= {"method": "torchsde_srk", "axis": "tolerance"}
    lost = [row(error, np.nan, at=0.01, **where) | {"status": "refused"}] if seed else []
    return [row(error, 0.5 + seed, at=0.1, nfe=120, floor=0.2, **where), *lost]


def toy_arrays(seed):
    counts = np.array([[100, 80, 90], [50, 40, 20], [20, 20, 20]])
    return {"tolerances": np.array(TOLERANCES), "vp_nfe": counts, "ve_nfe": 2 * counts}


def learned_arrays(seed):
    keys = [*FULL, *(f"{method}_{at:g}" for at in TOLERANCES for method in SAMPLERS)]
    pictures = {f"{model}_{key}": np.full((4, 1, 4, 4), place / 16) for model in MODELS for place, key in enumerate(keys)}
    return {key: array for key, array in pictures.items() if not key.startswith("score_ve_ddim")}


TOY = {"samples": 200, "few": 50, "dim": 256, "dimension_tolerance": 0.05, "shelf_evaluations": 900}
LEARNED = {"models": {key: {} for key in MODELS}, "samples": 200, "ablation_samples": 100, "state_tolerance": 0.1}
LEARNED |= {"space": "classifier", "states": [0.5], "shelf": {"srk": [0.1, 0.01]}}
SETTINGS = {"tolerances": TOLERANCES, "ablations": list(VARIANTS), "ablation_tolerance": 0.05}
KINDS = {
    "exact_toy": (toy_rows, toy_arrays, "", TOY | SETTINGS),
    "learned": (learned_rows, learned_arrays, "digits", LEARNED | SETTINGS),
}
# the published networks, on churches with neither states nor variants nor other solvers
PUBLISHED = {"ddpm_vp": "ddpmpp_vp", "score_ve": "ncsnpp_ve"}
LARGE = {"models": {"ncsnpp_256_ve": {}}, "space": "inception", "states": [], "shelf": {}, "ablations": []}


def published_rows(seed):
    rows = [each for each in learned_rows(seed) if each.get("axis") != "share of training"]
    return [each | {"dataset": "cifar10", "variant": PUBLISHED.get(each["variant"], each["variant"])} for each in rows]


def published_arrays(seed):
    return {key.replace("ddpm_vp", "ddpmpp_vp").replace("score", "ncsnpp"): array for key, array in learned_arrays(seed).items()}


def church_rows(seed):
    rows = compared("feature_frechet", 2, seed, ["ggf", "euler_maruyama"], variant="ncsnpp_256_ve")
    return [each | {"dataset": "lsun_church256"} for each in rows]


def church_arrays(seed):
    return {"ncsnpp_256_ve_rk45": np.full((4, 3, 4, 4), 0.5)}


CIFAR10 = LEARNED | {"models": {key: {} for key in PUBLISHED.values()}, "space": "inception", "states": []}
OTHERS = {
    "published": (published_rows, published_arrays, "cifar10", CIFAR10 | SETTINGS),
    "churches": (church_rows, church_arrays, "lsun_church256", LEARNED | SETTINGS | LARGE),
}


def run(folder, experiment, seed=0, without=(), hidden=None):
    rows_of, arrays_of, dataset, settings = (KINDS | OTHERS)[experiment]
    path = folder / experiment / f"seed{seed}"
    path.mkdir(parents=True)
    experiment = "published" if experiment in OTHERS else experiment
    np.savez(path / "arrays.npz", **{key: array for key, array in arrays_of(seed).items() if key != hidden})
    rows = [each for each in rows_of(seed) if not {each["metric"], each.get("method"), each.get("axis")} & set(without)]
    table = pd.DataFrame(rows, columns=COLUMNS).assign(paper="gotta_go_fast", experiment=experiment, level="laptop", seed=seed)
    table.to_csv(path / "metrics.csv", index=False)
    seal(path, paper="gotta_go_fast", experiment=experiment, seed=seed, dataset=dataset, settings=settings)
    return RunFolder.open(path)


def drawings(runs):
    with style():
        return {figure.id: figure for figure in (draw() for draw in figures(Runs(runs, "gotta_go_fast")))}


def named(axis):
    """Lines of a panel that the legend names, by their names."""
    return {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}
