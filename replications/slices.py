"""The models that train on images, and the command that measures them: `python -m replications slices --level gpu`.

What is measured of each, and the columns of the table, are in `common.evaluation.slice_table`.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import RetraceError, SettingsError
from common.runs import settings as settings_of
from common.runs.settings import check_level, hint

if TYPE_CHECKING:
    from common.evaluation.slices import Slice


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add = parser.add_argument
    add("--level", default="gpu", help="whose settings; default %(default)s")
    add("--models", nargs="+", metavar="MODEL", help="default: all")
    add("--data", nargs="+", metavar="DATA", help="image data sets of the level; default: all")
    add("--arms", nargs="+", metavar="ARM", help="ways to compute; default: all")
    add("--seconds", type=float, default=8.0, help="of every training, after its warm-up; default %(default)s")
    add("--limit", type=float, default=300.0, metavar="SECONDS", help="the most that a row may take; default %(default)s")
    add("--batch", type=int, metavar="N", help="images per step; default: the level's")
    add("--out", type=Path, metavar="FILE.csv", help="table, completed if it is there; default results/<level>/slices.csv")
    add("--device", default="auto", help="auto (a GPU if there is one), cpu, cuda, cuda:1 ...")
    add("--threads", type=int, default=1, metavar="N", help="CPU threads, as for any job; default %(default)s")


def command(options: argparse.Namespace) -> int:
    """Measure what is asked for; return the exit status: 0, 1 rows failed, 2 bad input."""
    try:
        check_level(options.level)
        check_numbers(options)
        import torch

        from common.evaluation.arms import ARMS
        from common.evaluation.slice_table import measure
        from common.runs.execute import choose_device

        torch.set_num_threads(options.threads)
        device = choose_device(options.device)
        wanted = slices(options.level, options.models, options.data)
        arms = chosen("--arms", options.arms, list(ARMS))
        file = options.out or Path("results") / options.level / "slices.csv"
        amounts = {"seconds": options.seconds, "limit": options.limit, "batch": options.batch}
        rows = measure(wanted, arms, file, device, **amounts)
    except RetraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"wrote {file}")
    return int(any(row["status"] != "ok" for row in rows))


def check_numbers(options: argparse.Namespace) -> None:
    """Raise `SettingsError` unless seconds, batch and threads are possible."""
    for key in ("seconds", "limit"):
        if not 0 < getattr(options, key) < 1e6:
            raise SettingsError(f"--{key} {getattr(options, key):g}: must be a number of seconds above 0 and below a million")
    for key in ("batch", "threads"):
        if (number := getattr(options, key)) is not None and number < 1:
            raise SettingsError(f"--{key} {number}: must be a whole number from 1 on")


def chosen(key: str, wanted: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    """Return what is wanted of what is known, in the order of the latter. Raises `SettingsError` for what is not known."""
    if unknown := next((word for word in wanted or () if word not in known), None):
        raise SettingsError(f"{key} {unknown}: there is none of this name here{hint(unknown, known)}")
    return [word for word in known if wanted is None or word in wanted]


def slices(level: str, models: Sequence[str] | None = None, data: Sequence[str] | None = None) -> "list[Slice]":
    """Return the slices of a level: of each model the image data sets that the workflow, or its settings, train it on.

    Raises `SettingsError` for a model or data set that the level does not have.
    """
    every = list(_slices(level))
    names = chosen("--models", models, list(dict.fromkeys(each.model for each in every)))
    sets = chosen("--data", data, list(dict.fromkeys(each.data for each in every)))
    return [each for each in every if each.model in names and each.data in sets]


def _slices(level: str) -> "Iterator[Slice]":
    from common.evaluation.slices import Slice

    for model, package, experiment, *more in _models():
        for data in image_sets(package, experiment, level):
            yield Slice(model, data, level, package, experiment, *more)


def _models() -> list[tuple[Any, ...]]:
    """Return what a `Slice` says of every model, but for level and data; all objectives of a network cost the same."""
    return [
        ("shared", "common", "train", ("objective=fm_ot",)),
        ("ncsnpp_ve", "replications.score_sde", "train_ncsnpp", ("model=ncsnpp_ve",)),
        ("ddpmpp_vp", "replications.score_sde", "train_ncsnpp", ("model=ddpmpp_vp",)),
        ("refinenet", "replications.ncsn", "train_refinenet"),
        ("refinenet_v2", "replications.ncsnv2", "train_refinenet"),
        ("ffjord_multiscale", "replications.ffjord", "images", (), first_flow, flow_samples),
        ("ode_net", "replications.neural_ode", "train_classifier", ("kind=ode_net",), None, classified),
        ("rk_net", "replications.neural_ode", "train_classifier", ("kind=rk_net",), None, classified),
        ("resnet", "replications.neural_ode", "train_classifier", ("kind=resnet",), None, classified),
    ]


def image_sets(package: str, experiment: str, level: str) -> list[str]:
    """Return the image data sets that an experiment trains on at a level: the workflow's, or the one of its settings."""
    from common.learning.data.stand_ins import SHAPES
    from common.runs.entries import entries
    from common.runs.plan import requested

    found = requested(settings_of.papers(), level) if package == "common" else entries(package)[experiment].sets(level)
    return [data for data in found or [settings_of.raw(package, experiment, level)["data"]] if data in SHAPES]


def first_flow(settings: Any, context: Any) -> None:
    """Train the first flow of the settings, the one of several scales, by FFJORD's own training."""
    from replications.ffjord.experiments.images import fitted

    name, model = next(iter(settings.models.items()))
    fitted(name, model, settings, context, 256)


def flow_samples(flow: Any, x: Any, settings: Any) -> Any:
    """Return as many samples of a flow as x has images, by the solver that the experiment samples with."""
    import torch

    return flow.sample(len(x), settings.evaluation, generator=torch.Generator(device=x.device).manual_seed(0))


def classified(classifier: Any, x: Any, settings: Any) -> Any:
    """Return the classes' logits."""
    return classifier(x)
