"""Holes and colours that a model fills in, and what images read that ignore the rest of an image (Song 2021, Sec. 5)."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from common.dynamics.answers import Answers
from common.dynamics.samplers.loop import Times
from common.evaluation.yardstick import drawn
from common.learning.data import catalogue
from common.learning.data.scale import to_unit
from common.measure.metrics.wasserstein import sliced_wasserstein
from common.runs.experiment import Context
from common.runs.folders import row
from replications.ncsn.inpainting import masks
from replications.score_sde.conditional import Known, colour_basis, grey_known
from replications.score_sde.control.completions import (
    CompletionSettings,
    Found,
    Row,
    completed,
    completion_rows,
    rival_rows,
    starts_of,
)
from replications.score_sde.images.model_samples import halved

RIVALS = 1000  # training images in the completions' place
SHOWN, DRAWS = 6, 4  # images whose completions are shown, and completions of each
PIXELS, DIRECTIONS = 10000, 50  # of the distance between colours
Images = Float[Tensor, "n c h w"]


def holes(
    data: str, names: list[str], model: Answers, times: Times, mine: CompletionSettings, batch: int, context: Context
) -> Found:
    """Return the rows and pictures of test images with a part hidden, by mask."""
    truth, train = pixels(data, mine.images, context)
    free = unconditional(model, times, truth, mine, batch, context)
    shapes = masks(tuple(truth.shape[1:]), generator=context.generator("mask"))
    rows, pictures = [], {"inpainting_truth": halved(truth[:SHOWN].clamp(-1, 1))}
    for name in names:
        known, labels = Known(truth, shapes[name].to(truth.device)), {"dataset": data, "variant": name}
        of_mask, found = completions(model, times, known, truth, {"method": "inpainting", **labels}, mine, batch, context)
        rows += of_mask
        for method, images in (("unconditional", free), ("data", train)):
            rows += rival_rows(images, truth, known, {"method": method, **labels})
        pictures[f"inpainting_mask_{name}"] = shapes[name].numpy()
        pictures |= {f"inpainting_{name}_{count}": halved(x[:SHOWN, :DRAWS].clamp(-1, 1)) for count, x in found.items()}
    return rows, pictures


def colours(data: str, model: Answers, times: Times, mine: CompletionSettings, batch: int, context: Context) -> Found:
    """Return the rows and pictures of test images whose grey values are known and whose colours are not.

    The distance between colours is of single pixels to those of the images themselves; its floor is what as many training images
    read. Beside completions stand images that ignore the grey values, and the grey images.
    """
    truth, train = pixels(data, mine.images, context)
    grey = truth.mean(1, keepdim=True)
    known, labels = grey_known(grey), {"dataset": data, "variant": "colours"}
    rows, found = completions(model, times, known, truth, {"method": "colourisation", **labels}, mine, batch, context)
    rivals = {
        "unconditional": unconditional(model, times, truth, mine, batch, context),
        "data": train,
        "grey": grey.expand_as(truth),
    }
    for method, images in rivals.items():
        of_errors = images if method != "grey" else torch.zeros_like(truth[:2])  # grey has no colours, whatever its values
        rows += rival_rows(of_errors, truth, known, {"method": method, **labels})
    shown = [("colourisation", {"axis": "correctors", "at": count}, x[:, 0]) for count, x in found.items()]
    shown += [(method, {}, images[: len(truth)]) for method, images in rivals.items()]
    floor = colour_distance(train[: len(truth)], truth, context)
    for method, where, images in shown:
        distance = colour_distance(images, truth, context)
        rows.append(row("colour_distance", distance, floor=floor, n=len(images), method=method, **where, **labels))
    pictures = {f"colours_{count}": halved(x[:SHOWN, :DRAWS].clamp(-1, 1)) for count, x in found.items()}
    return rows, {"colours_truth": halved(truth[:SHOWN].clamp(-1, 1))} | pictures


def pixels(data: str, images: int, context: Context) -> tuple[Images, Images]:
    """Return random test images and random training images in [-1, 1], on the device."""
    splits = (("test", images), ("train", RIVALS))
    chosen = [drawn(catalogue.load(data, split, context.seed), n, context.generator(data, split)) for split, n in splits]
    truth, train = (to_unit(each.images, each.grey_values).to(context.device) for each in chosen)
    return truth, train


def completions(
    model: Answers,
    times: Times,
    known: Known,
    truth: Images,
    labels: Row,
    mine: CompletionSettings,
    batch: int,
    context: Context,
) -> tuple[list[Row], dict[int, Tensor]]:
    """Return the rows of completions by the number of corrector steps, and the completions themselves."""
    shape, rows, found = (len(truth), mine.draws, *truth.shape[1:]), [], {}
    starts = starts_of(labels["method"], model, shape, context)
    for count in mine.correctors:
        generator = context.generator("noise", labels["method"], device=context.device)
        how = {"correctors": count, "snr": mine.snr, "batch": batch, "generator": generator}
        found[count] = completed(model, known, starts, times, **how)
        where = {"axis": "correctors", "at": count, "nfe": (len(times) - 1) * (1 + count)}
        rows += completion_rows(found[count], truth, known, labels | where)
    return rows, found


def unconditional(model: Answers, times: Times, like: Images, mine: CompletionSettings, batch: int, context: Context) -> Images:
    """Return samples of the model as it is, as many as there are images, with one corrector step at each time."""
    nothing = Known(like, torch.zeros(like.shape[1:], dtype=torch.bool, device=like.device))
    starts = starts_of("the unconditional", model, tuple(like[:, None].shape), context)
    generator = context.generator("noise", "unconditional", device=context.device)
    return completed(model, nothing, starts, times, correctors=1, snr=mine.snr, batch=batch, generator=generator)[:, 0]


def colour_points(images: Float[Tensor, "n 3 h w"]) -> Float[np.ndarray, "pixels 3"]:
    """Return the pixels of images as points: sqrt(3) times the grey value, and two colours."""
    points = (images.movedim(1, -1).reshape(-1, 3) @ colour_basis(images)).double().cpu().numpy()
    return points[:: -(-len(points) // PIXELS)]


def colour_distance(images: Images, reference: Images, context: Context) -> float:
    """Return the sliced Wasserstein distance between the pixels of images, at most so many of them."""
    a, b = colour_points(images), colour_points(reference)
    return sliced_wasserstein(a, b, projections=DIRECTIONS, seed=context.seed_for("directions") % 2**31)
