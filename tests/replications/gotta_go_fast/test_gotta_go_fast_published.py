"""The published networks under the samplers: what is set for each data set, which networks are taken, and a small run."""

import math
from typing import get_args

import pytest
import torch
from gotta_go_fast_stand_ins import MadeUp, small_data

from common.errors import RetraceError
from common.learning.data import catalogue
from common.runs.entries import entries
from common.runs.plan import plan
from common.runs.settings import resolve
from replications.gotta_go_fast.experiments import learned, published
from replications.gotta_go_fast.names import NAMES, SHADES
from replications.score_sde.networks.named_models import MODELS, ModelName

PACKAGE = "replications.gotta_go_fast"
DEPTHS = ("ddpmpp_vp", "ddpmpp_deep_vp", "ncsnpp_ve", "ncsnpp_deep_ve")
TOLERANCES = [0.01, 0.02, 0.05, 0.1, 0.5]


def at_paper_level(data, *more):
    return resolve(PACKAGE, "published", "paper", [f"data={data}", *more])


def test_settings_of_cifar10():
    settings = at_paper_level("cifar10")
    assert tuple(settings.models) == DEPTHS
    assert (settings.network, settings.space) == ("ncsnpp", "inception") and settings.tolerances == TOLERANCES
    assert (settings.samples, settings.batch, settings.full, settings.corrected) == (50_000, 900, 1000, 2000)
    assert settings.shelf == {"srk": [0.1, 0.03, 0.01]} and "lamba" in settings.ablations and settings.states == []
    for name, process in settings.models.items():
        step, alpha, snr = (0.01, "coded", 0.01) if name.endswith("vp") else (0.5, "one", 0.16)
        assert (process.first_step, process.alpha, process.snr) == (step, alpha, snr)


def test_settings_of_churches():
    """Twice the evaluations for each rival, and neither variants nor solvers off the shelf."""
    settings = at_paper_level("lsun_church256")
    assert list(settings.models) == ["ncsnpp_256_ve"]
    process = settings.models["ncsnpp_256_ve"]
    assert (process.first_step, process.alpha, process.snr) == (0.5, "one", 0.075)
    assert (settings.network, settings.space) == ("ncsnpp", "inception") and settings.tolerances == TOLERANCES
    assert (settings.samples, settings.batch, settings.full, settings.corrected) == (5000, 100, 2000, 4000)
    assert settings.shelf == {} and settings.ablations == [] and settings.states == []


def test_every_network_has_a_name_a_colour_and_one_who_trains_it():
    models = {name for data in ("cifar10", "lsun_church256") for name in at_paper_level(data).models}
    assert models <= set(MODELS) and models <= set(get_args(ModelName))
    assert models <= set(NAMES) and models <= set(SHADES) and len({NAMES[name] for name in models}) == len(models)


def test_the_plan_takes_the_networks_of_the_paper_that_trains_them():
    assert entries(PACKAGE)["published"].sets("paper") == ["cifar10"], "churches are started by hand"
    config = {"level": "paper", "seeds": {"paper": 1}, "base_seed": 0, "workers": 1, "device": "cuda"}
    (job,) = [
        job for job in plan(["gotta_go_fast"], config) if job.runs[0].folder.startswith("results/paper/gotta_go_fast/published")
    ]
    folders = [f"results/paper/models/cifar10-ncsnpp-{name}/seed0" for name in DEPTHS]
    weights = [file for file in job.inputs["models"] if file.endswith("weights.safetensors")]
    assert sorted(weights) == sorted(f"{folder}/weights.safetensors" for folder in folders)


def test_weights_of_inception_must_be_there(monkeypatch):
    small_data(monkeypatch)

    def absent(what):
        raise RetraceError(f"no weights for {what}")

    monkeypatch.setattr(learned, "find_weights", absent)
    with pytest.raises(RetraceError, match="no weights for FID"):
        published.check(at_paper_level("cifar10"))
    published.check(at_paper_level("cifar10", "space=classifier"))


@pytest.mark.parametrize(("data", "names"), [("cifar10", ("ddpmpp_vp", "ncsnpp_ve")), ("lsun_church256", ("ncsnpp_256_ve",))])
def test_a_small_run(data, names, tmp_path, monkeypatch):
    """Churches are of as few pixels as CIFAR-10 here; deeper networks are the others once more."""
    small_data(monkeypatch)
    monkeypatch.setitem(catalogue.LOADERS, "lsun_church256", catalogue.LOADERS["cifar10"])
    small = ["samples=4", "batch=3", "ablation_samples=2", "tolerances=[5]", "full=4", "corrected=42", "flow_tolerance=1"]
    more = ["ablation_tolerance=5"] + (["ablations=[default]", "shelf={srk: [5]}"] if data == "cifar10" else [])
    settings = at_paper_level(data, *small, *more)
    settings = settings.model_copy(update={"models": {name: settings.models[name] for name in names}})
    context = MadeUp("gotta_go_fast", "published", "paper", 0, 2, tmp_path, tmp_path / "run", torch.device("cpu"))
    outcome = published.run(settings, context)
    made = {folder.name for folder in (tmp_path / "paper" / "models").iterdir()}
    assert made == {f"{data}-ncsnpp-{name}" for name in names}, "neither other networks nor features of a classifier"
    assert all(math.isfinite(row["value"]) for row in outcome.rows) and {row["dataset"] for row in outcome.rows} == {data}
    distances = {
        (row.get("variant"), row["method"], row.get("axis", ""))
        for row in outcome.rows
        if row["metric"] == "feature_frechet" and row["method"] != "data"
    }
    methods = [(each, "") for each in ("euler_maruyama_full", "reverse_diffusion_langevin", "rk45")]
    methods += [("ggf", "tolerance"), ("euler_maruyama", "tolerance")]
    methods += [("torchsde_srk", "tolerance"), ("default", "ablation")] if data == "cifar10" else []
    expected = {(name, *each) for name in names for each in methods}
    assert distances == expected | {(name, "ddim", "tolerance") for name in names if name.endswith("vp")}
    assert {row["nfe"] for row in outcome.rows if row["method"] == "euler_maruyama_full"} == {4}
    pictures = {f"{name}_{key}" for name in names for key in ("rk45", "ggf_5", "euler_maruyama_5", "euler_maruyama_full")}
    assert pictures <= set(outcome.arrays) and all(array.dtype == "float16" for array in outcome.arrays.values())
    assert all(f"{name}_ddim_5" in outcome.arrays or name.endswith("ve") for name in names)
