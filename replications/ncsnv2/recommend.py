"""`python -m replications.ncsnv2 recommend --data DATA`: what the five techniques say of a data set, with the reasons.

DATA is a data set of the suite, a folder of pictures, or a .npy file of images.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from common.errors import RetraceError

if TYPE_CHECKING:
    from replications.ncsnv2.recommendation import Recommendation

EPILOG = """settings are for pixels in [0, 1]; for pixels in [-1, 1] double every noise level and take 4 eps (rho stays).

examples:
  python -m replications.ncsnv2 recommend --data digits
  python -m replications.ncsnv2 recommend --data pictures/ --steps-per-level 10
  python -m replications.ncsnv2 recommend --data images.npy --json
"""
TEXT = """{data}: {images} images of {shape} = {dimensions} numbers, {reading}{comparison}.
Noise levels are for pixels in [0, 1].

1  largest noise   sigma_1 = {sigma_max:.4g}
     The largest distance between two images; the median is {median_distance:.4g}. With so much noise no image keeps a
     chain to itself. Were sigma_1 = {narrow:.2g}, an 18th of the median, images at the median distance would
     have a share of at most {share:.1g} in each other's score, and chains would stay where they start.
2  levels          sigma_L = {sigma_min:g}, L = {levels}, geometric with ratio {ratio:.5g}
     Each level puts {mass:.3f} of its mass on the shell of the level before, where the network has learned
     the score; {asked:g} was asked for, and L is rounded down, as the published ones are.
3  conditioning    {conditioning}
     One network h that is not told the level: it predicts minus the noise, of one size at all levels.
4  sampling        T = {steps_per_level} steps at each level, eps = {eps:.3g} (rho = eps / sigma_L^2 = {rho:.4g})
     They leave the noise of a level with {variance_ratio:.4f} times the variance that it should have, the nearest
     to 1 that T steps can come. T is 3000 / L, but from 3 to 5, unless --steps-per-level says otherwise;
     more steps come nearer.
5  averaging       sample from a moving average of the weights, decay {ema_decay}
     It remembers some 1000 steps. In a training of a few thousand let it warm up, or it keeps the weights
     that the network began with.

At the end, denoise once: x + sigma_L^2 s(x, sigma_L). A sample takes L T + 1 = {evaluations} network evaluations."""
NARROW = 18  # NCSN's sigma_1 = 1 is so small a part of the median distance in CIFAR-10


def main(arguments: Sequence[str]) -> int:
    """Print settings for a data set; return the exit status: 0, or 2 for bad input."""
    options = _parser().parse_args(arguments)
    # torch is loaded here, so that neither help nor experiments wait for it
    import torch

    from replications.ncsnv2.recommendation import recommendation

    try:
        found = recommendation(
            options.data,
            generator=torch.Generator().manual_seed(options.seed),
            sigma_min=options.sigma_min,
            mass=options.mass,
            steps=options.steps_per_level,
        )
    except RetraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(asdict(found), indent=2) if options.json else text(found, options.mass))
    return 0


def text(found: "Recommendation", asked: float) -> str:
    """Return the settings with their reasons, as a person reads them; `asked` is the mass that was asked for."""
    from replications.ncsnv2.responsibilities import responsibility_bound

    narrow = found.median_distance / NARROW
    return TEXT.format(
        **asdict(found) | {"shape": "x".join(map(str, found.shape))},
        comparison="" if found.compared == found.images else f"; a random {found.compared} of them were compared",
        narrow=narrow,
        asked=asked,
        share=responsibility_bound(found.median_distance, narrow),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m replications.ncsnv2 recommend",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Choose noise levels, steps and averaging of a score-based model for a data set, by the five techniques.",
        epilog=EPILOG,
    )
    add = parser.add_argument
    add("--data", required=True, metavar="DATA", help="data set of the suite, folder of pictures of one size, or .npy of images")
    add("--sigma-min", type=float, default=0.01, metavar="S", help="least noise level; default %(default)s")
    add("--mass", type=float, default=0.567, metavar="M", help="of a level on the shell of the level before; default %(default)s")
    add("--steps-per-level", type=int, metavar="T", help="Langevin steps at each level; default 3000 / L, but from 3 to 5")
    add("--seed", type=int, default=0, metavar="N", help="of random subsets and pairs of images; default %(default)s")
    add("--json", action="store_true", help="print JSON, with all noise levels, for scripts")
    return parser
