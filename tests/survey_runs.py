"""What the survey's figures, tables and advice are tested with: runs whose every value says which it is."""

import numpy as np
import pandas as pd
from sealed import seal

from common.measure.figures import RunFolder, Runs, style
from common.runs.folders import COLUMNS
from replications.survey.figures import figures

NFE = [5, 10, 20, 50]
# each with a factor of all its values
OBJECTIVES = {"fm_ot": 1.0, "ddpm_vp": 2.0, "ncsn": 3.0}
SAMPLERS = {"euler_maruyama": 4.0, "ddim": 2.0, "dpm_solver_pp_2m": 1.0}
PATHS = ["vp", "ve", "ot"]
FLOOR = 0.5
BUDGETS = {"samplers": [*SAMPLERS, "rk45"], "nfe": NFE}


def row(metric, value, **labels):
    return {"status": "ok", "metric": metric, "value": value, **labels}


def value(objective, sampler, nfe, seed):
    """Falls with the evaluations, to the product of both factors; replicates differ by a common factor."""
    return OBJECTIVES[objective] * SAMPLERS[sampler] * (1 + 10 / nfe) * 1.1**seed


def grid_rows(metric, dataset, objectives, seed):
    """Every sampler on every objective, DDIM refused on NCSN beyond 10 evaluations, and RK45 at two tolerances."""
    rows = [row(metric, FLOOR, method="data", variant="train split", floor=FLOOR, dataset=dataset)]
    for objective in objectives:
        for sampler in SAMPLERS:
            for nfe in NFE:
                where = {"dataset": dataset, "method": sampler, "variant": objective, "axis": "nfe", "at": nfe}
                if (objective, sampler) == ("ncsn", "ddim") and nfe > 10:
                    rows.append({"status": "refused", "metric": metric, "message": f"10 levels, not {nfe}", **where})
                    continue
                cost = {"nfe": nfe, "seconds": 0.01 * nfe, "n": 100, "floor": FLOOR}
                rows.append(row(metric, value(objective, sampler, nfe, seed), **cost, **where))
        for tolerance, nfe in ((0.1, 14 + 8 * seed), (0.001, 80)):
            where = {"dataset": dataset, "method": "rk45", "variant": objective, "axis": "tolerance", "at": tolerance}
            rows.append(row(metric, 7.0, nfe=nfe, seconds=1.0, n=100, floor=FLOOR, **where))
    return rows


def learned_rows(seed):
    return grid_rows("feature_frechet", "digits", OBJECTIVES, seed)


def plane_rows(seed):
    return grid_rows("mmd", "checkerboard", list(OBJECTIVES)[:2], seed)


def own_rows(seed):
    where = {"dataset": "digits", "method": "mine (mine.py)", "axis": "nfe", "nfe": 20, "at": 20}
    cost = {"seconds": 0.2, "n": 100, "floor": FLOOR}
    return [row("feature_frechet", 0.9, variant=objective, **where, **cost) for objective in OBJECTIVES]


def exact_rows(seed):
    rows = [row("mmd", 0.02, method="data", floor=0.02, dataset="mixture_2d")]
    for path in [*PATHS, "velocity_only"]:
        for sampler, order in {"ddim": 1, "heun": 2}.items():
            for nfe in NFE:
                where = {"dataset": "mixture_2d", "method": sampler, "variant": path, "axis": "nfe", "at": nfe, "nfe": nfe}
                cost = {"seconds": 0.1, "n": 100}
                rows.append(row("mmd", 1 / nfe, floor=0.02, **cost, **where))
                if path != "velocity_only":
                    rows.append(row("flow_error", (1 + seed) * nfe**-order, **cost, **where))
    return rows


def training_rows(seed):
    rows = [row("feature_frechet", FLOOR, method="data", variant="train split", floor=FLOOR, dataset="digits")]
    for objective, factor in OBJECTIVES.items():
        labels = {"dataset": "digits", "method": objective}
        costs = {"parameters": 144449, "training_rate": 5000 / factor, "training_memory": 300 + seed}
        rows += [row(metric, value, **labels) for metric, value in costs.items()]
        for step in (100, 1000):
            where = {"axis": "step", "at": step, "seconds": factor * step / 100, "nfe": 20, "n": 100}
            rows.append(row("feature_frechet", factor * 100 / step, floor=FLOOR, **where, **labels))
        for variant in ("early", "trained"):
            for at, share in ((0.25, 0.4), (0.75, 0.6)):
                where = {"axis": "t", "at": at, "variant": variant}
                rows.append(row("gradient_noise_share", share * factor, floor=0.5, **where, **labels))
        rows.append(row("noise_scale", 1000 * factor, variant="trained", **labels))
        where = {"axis": "distance over data's", "metric": "steps_to_quality", **labels}
        rows.append({"status": "ok", "value": 100 * factor * 1.2**seed, "at": 4, **where})
        early = {"status": "ok", "value": 900} if (objective, seed) == ("fm_ot", 0) else {"status": "refused", "message": "never"}
        rows.append({**early, "at": 2, **where})
    rows.append(row("nll", 3.0 + 0.1 * seed, method="ddpm_vp", dataset="digits"))
    return [*rows, row("nll", 4.0, method="uniform", variant="uniform density", dataset="digits")]


def learned_arrays(seed):
    keys = [f"{objective}_{sampler}_{nfe}" for objective in OBJECTIVES for sampler in SAMPLERS for nfe in (10, 50)]
    return {key: np.full((12, 1, 4, 4), -1 + place / 16) for place, key in enumerate(keys)}


def plane_arrays(seed):
    keys = [f"{objective}_{sampler}_{nfe}" for objective in list(OBJECTIVES)[:2] for sampler in SAMPLERS for nfe in (10, 50)]
    points = np.random.default_rng(seed).normal(size=(20, 2))
    return {"data": points, **{key: points + place for place, key in enumerate(keys)}}


def exact_arrays(seed):
    times = np.linspace(1, 0.01, 7)
    found = {"data": np.random.default_rng(seed).normal(size=(50, 2))}
    for path in PATHS:
        states = np.outer(np.arange(7), np.ones(10))[:, :, None] * np.array([1.0, 2.0])
        found |= {f"times_{path}": times, f"ode_{path}": states, f"sde_{path}": -states}
    return found


KINDS = {
    "learned": (learned_rows, learned_arrays, "digits", {"objectives": list(OBJECTIVES), "shown": [10, 50], "budgets": BUDGETS}),
    "learned_2d": (plane_rows, plane_arrays, "checkerboard", {"objectives": list(OBJECTIVES)[:2], "shown": [10, 50]}),
    "exact": (exact_rows, exact_arrays, "", {"paths": PATHS, "sigma_max": 50.0}),
    "training_side": (training_rows, lambda seed: {}, "digits", {"nfe": 20, "weighted": ["ddpm_vp"]}),
    "bring_your_own": (own_rows, lambda seed: {"fm_ot_mine_10": np.ones((12, 1, 4, 4))}, "digits", {"shown": [10, 50]}),
}


def run(folder, experiment, seed=0, without=()):
    rows_of, arrays_of, dataset, settings = KINDS[experiment]
    path = folder / experiment / f"seed{seed}"
    path.mkdir(parents=True)
    np.savez(path / "arrays.npz", **arrays_of(seed))
    rows = [each for each in rows_of(seed) if not {each["metric"], each["method"], each.get("variant")} & set(without)]
    table = pd.DataFrame(rows, columns=COLUMNS).assign(paper="survey", experiment=experiment, level="laptop", seed=seed)
    table.to_csv(path / "metrics.csv", index=False)
    seal(path, paper="survey", experiment=experiment, seed=seed, dataset=dataset, settings=settings)
    return RunFolder.open(path)


def drawings(runs):
    with style():
        return {figure.id: figure for figure in (draw() for draw in figures(Runs(runs, "survey")))}


def metrics_of(runs):
    return pd.concat([each.metrics for each in runs], ignore_index=True)


def split(metrics):
    """The measured and the refused rows, as the report gives them."""
    return metrics[metrics.status == "ok"], metrics[metrics.status == "refused"]


def named(axis):
    """Lines of a panel that the legend names, by their names."""
    return {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}
