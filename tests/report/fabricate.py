"""A small results tree with two papers and every kind of run: finished, failed with hostile text, and never started."""

import json
from pathlib import Path

import numpy as np
import yaml

from common.runs.folders import COLUMNS, digest, to_csv

HOSTILE = "<script>alert('pwned')</script> & \"quoted\""
DATA = "<script>digits"  # a data set of that name
LEVEL = "laptop"

STATISTICS = """
from common.measure.statistics import per_seed

def gain(metrics):
    "Method b minus method a."
    return per_seed(metrics, metric="nll", method="b") - per_seed(metrics, metric="nll", method="a")

def nfe_ratio(metrics):
    "Evaluations of a over those of b."
    return per_seed(metrics, metric="nfe", method="a") / per_seed(metrics, metric="nfe", method="b")

def large(metrics):
    "Needs a data set that only larger levels have."
    return per_seed(metrics, metric="nll", method="a", dataset="cifar10")

def broken(metrics):
    "Fails."
    raise KeyError("no such column")
"""

FIGURES = """
import functools
import matplotlib.pyplot as plt
import pandas as pd
from common.measure.figures import Advice, Figure, Table, colour, mean_and_range

def figures(runs):
    found = runs.find("evaluate")
    if found:
        yield curves(found)
        yield functools.partial(impossible, found)
        yield functools.partial(cloud, found)

def curves(found):
    rows = pd.concat([run.metrics for run in found])
    rows = rows[rows.metric == "error"]
    figure, axis = plt.subplots(figsize=(5.2, 3.2))
    for method in ("a", "b"):
        table = rows[rows.method == method].pivot_table(index="nfe", columns="seed", values="value")
        mean_and_range(axis, table, colour({"a": "fm_ot", "b": "fm_vp"}[method]), f"method {method}")
    axis.set(xscale="log", yscale="log", xlabel="NFE", ylabel="error")
    axis.legend()
    title = f"Error against evaluations on {found[0].info['dataset']}"
    return Figure("curves", title, "Bands span the seeds.", "Two falling lines.", figure)

def impossible(found):
    raise ValueError("<script>alert('figure')</script> cannot be drawn")

def cloud(found):
    figure, axis = plt.subplots(figsize=(3.4, 3.4))
    axis.scatter(*found[0].arrays["points"].T, s=2)
    return Figure("cloud", "Samples", "Seed 0.", "A round cloud of points.", figure)

def tables(metrics):
    nll = metrics[metrics.metric == "nll"].groupby("method").value
    frame = pd.DataFrame({"method": list(nll.groups), "NLL, bits/dim": nll.mean().to_numpy(), "spread": nll.std().to_numpy()})
    yield Table("nll", "Likelihood of both methods", "Mean and standard deviation over seeds.", frame)

def advice(metrics):
    return Advice("Which should I use?", [f"Take <b>method a</b>: {len(metrics)} rows say so."], "Computed from the rows.")
"""


def claim(identifier: str, **changes: object) -> dict:
    return {
        "id": identifier,
        "number": "1",
        "location": "Table 1",
        "statement": "Method a has a better likelihood than method b.",
        "grade": "solid",
        "reported": {"value": "0.11", "source": "derived", "protocol": "bits/dim gained on CIFAR-10"},
        "level": "laptop",
        "kind": "real",
        "statistic": "gain",
        "range": [0, None],
        "unit": "bits/dim",
    } | changes


AMENDED = {"date": "2026-02-01", "why": "Three replicates were too few.", "rule": "at least 0.05", "verdict": "inconclusive"}
CLAIMS = {
    "flow_paper": [
        claim("gain", amended=[AMENDED]),
        claim(
            "nfe-ratio",
            number="2",
            location="Figure 3, left",
            statement="Method a needs at most 60 % of the evaluations of method b.",
            reported={"value": "0.58", "source": "figure", "protocol": "dopri5 at 1e-5"},
            statistic="nfe_ratio",
            range=[None, 0.6],
            unit="ratio",
            note="Counted at equal tolerances.",
        ),
        claim("identity", number="5", statement="An identity.", kind="check", range=[-1, 1], reported="none"),
        claim("gain-large", number="3", statement="The gain is at least 0.15 bits/dim.", range=[0.15, None], reported="none"),
        claim(
            "large",
            number="4",
            statement="On CIFAR-10 the likelihood is below 3 bits/dim.",
            level="gpu",
            statistic="large",
            range=[None, 3],
            reported={"value": "2.99", "source": "quoted", "protocol": "<b>50 draws</b>"},
        ),
    ],
    "score_paper": [
        claim(
            "remembered",
            statement="Sampling takes 1000 steps.",
            reported={"value": "1000", "source": "memory", "protocol": "the usual setting"},
            grade="qualitative",
            statistic="nfe_ratio",
        ),
        claim("broken", number="2", statement="A statistic with a mistake in it costs one claim.", statistic="broken"),
    ],
}


FINDINGS = {
    "flow_paper": [
        {
            "id": "likelihood",
            "title": "Likelihood",
            "claims": ["gain", "gain-large", "large"],
            "figures": ["curves"],
            "tables": ["nll"],
        },
        {"id": "evaluations", "title": "Evaluations", "claims": ["nfe-ratio", "identity"]},
    ],
    "score_paper": [],
}


def papers(root: Path) -> Path:
    """Write both paper folders and return the folder that holds them."""
    for year, (name, claims) in zip((2020, 2022), sorted(CLAIMS.items(), reverse=True)):
        folder = root / "replications" / name
        folder.mkdir(parents=True)
        if name == "flow_paper":
            (folder / "walkthrough.py").write_text("# %% [markdown]\n")
        content = {
            "id": name,
            "title": f"The {name.replace('_', ' ').title()} & Other Stories",
            "authors": ["A. Author", "B. <i>Bold</i>"],
            "year": year,
            "venue": f"CONF {year}",
            "arxiv": f"{year % 100}05.0000{year % 10}",
            "summary": "Regress a field instead of solving an ordinary differential equation at every step of the training.",
            "numbered": len(claims),
            "claims": claims,
            "findings": FINDINGS[name],
            "headline": "curves",
            "withdrawn": [{**AMENDED, "id": "given-up", "why": "It read <b>the scale</b> of the data."}],
            "reported_tables": [
                {
                    "title": "Same network, two methods",
                    "location": "Table 1",
                    "source": "memory" if name == "score_paper" else "paper",
                    "protocol": "CIFAR-10",
                    "columns": ["Method", "NLL", "NFE", "NLL"],
                    "rows": [["a", 2.99, 142, 3.5], ["b", 3.1, 183, None]],
                }
            ],
            "deviations": [{"what": "8x8 digits instead of CIFAR-10.", "why": "A laptop has no GPU."}],
        }
        (folder / "paper.yaml").write_text(yaml.safe_dump(content))
        (folder / "claims.py").write_text(STATISTICS)
        (folder / "figures.py").write_text(FIGURES)
    return root / "replications"


def finished(results: Path, paper: str, seed: int) -> Path:
    """Write one finished run."""
    folder = results / LEVEL / paper / "evaluate" / "digits" / f"seed{seed}"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(seed)
    shared = {"paper": paper, "experiment": "evaluate", "dataset": DATA, "variant": "digits", "seed": seed, "level": LEVEL}
    shared |= {"status": "ok", "device": "cpu", "versions": "torch=2.11.0", "commit": "0123456789ab"}
    rows = [{**shared, "metric": "nll", "method": m, "value": v + 0.01 * noise.normal()} for m, v in (("a", 1.5), ("b", 1.6))]
    rows += [{**shared, "metric": "nfe", "method": m, "value": v + seed, "nfe": v + seed} for m, v in (("a", 62), ("b", 83))]
    for method, scale in (("a", 0.5), ("b", 1.0)):
        errors = {nfe: scale * (1 + 0.2 * noise.random()) / nfe**2 for nfe in (4, 8, 16, 32)}
        rows += [{**shared, "metric": "error", "method": method, "nfe": n, "value": e, "n": 512} for n, e in errors.items()]
    info = shared | {
        "settings": {"data": "digits", "train": {"steps": 600}},
        "command": f"python -m replications.{paper} evaluate --level {LEVEL} --seed 0 1 2 --sweep data=digits",
        "versions": {"torch": "2.11.0", "numpy": "2.4.1"},
        "cpu": "Example CPU @ 3.00GHz",
        "cores": 4,
        "memory_gb": 15.6,
        "threads": 1,
        "python": "3.11.7",
        "platform": "Linux-6.1",
        "seconds": 40.5 + seed,
        "cpu_seconds": 42.0,
        "startup_seconds": 2.1,
        "peak_memory_mb": 611.2,
        "started": f"2026-03-0{seed + 1}T10:00:00+00:00",
    }
    np.savez(folder / "arrays.npz", points=noise.normal(size=(4000, 2)))
    (folder / "metrics.csv").write_text(to_csv([{key: row[key] for key in row if key in COLUMNS} for row in rows]))
    info["files"] = {name: digest(folder / name) for name in ("arrays.npz", "metrics.csv")}
    (folder / "run.json").write_text(json.dumps(info))
    return folder


def failed(results: Path) -> Path:
    """Write one failed run, with text that must not reach the page as markup."""
    folder = results / LEVEL / "score_paper" / "evaluate" / "moons" / "seed0"
    folder.mkdir(parents=True)
    record = {"paper": "score_paper", "experiment": "evaluate", "dataset": "moons", "variant": "moons", "seed": 0, "level": LEVEL}
    record |= {
        "status": "failed",
        "message": f"underflow in dt {HOSTILE}",
        "command": "python -m replications.score_paper evaluate",
    }
    (folder / "failure.json").write_text(json.dumps(record | {"traceback": f"Traceback\n  File x\n{HOSTILE}"}))
    return folder


def tree(root: Path) -> tuple[Path, Path, Path]:
    """Write papers, runs and the plan; return (papers' folder, results, plan)."""
    results = root / "results"
    runs = [finished(results, "flow_paper", seed) for seed in range(5)]
    runs += [finished(results, "score_paper", 0), failed(results), results / LEVEL / "score_paper" / "train" / "moons" / "seed1"]
    plan = results / LEVEL / "runs.txt"
    plan.write_text("".join(f"{folder}\n" for folder in runs))
    return papers(root), results, plan
