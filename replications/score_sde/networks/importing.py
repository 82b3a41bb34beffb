"""`python -m replications.score_sde import checkpoint_24.pth --config ve/cifar10_ncsnpp_continuous --out DIR`.

The folder is a trained model's, like any other: written where `train_ncsnpp` would have left its own, it is what the experiment
`architectures` measures.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from common.errors import RetraceError, SettingsError
from common.runs.settings import hint

EXAMPLE = """example:
  python -m replications.score_sde import checkpoint_24.pth --config ve/cifar10_ncsnpp_continuous \\
      --out results/paper/models/cifar10-ncsnpp-ncsnpp_ve/seed0
"""


def main(arguments: Sequence[str]) -> int:
    """Import one checkpoint; return the exit status: 0, or 2 for bad input."""
    # torch is loaded here, so that experiments need not wait for it before their own start
    from replications.score_sde.networks.checkpoint import Weights, import_checkpoint
    from replications.score_sde.networks.named_models import CONFIGS

    options = _parser(list(CONFIGS), get_args(Weights)).parse_args(arguments)
    try:
        if options.config not in CONFIGS:
            raise SettingsError(f"--config {options.config}: no such configuration{hint(options.config, CONFIGS)}")
        if any((options.out / name).exists() for name in ("metrics.csv", "run.json", "weights.safetensors")):
            raise SettingsError(f"--out {options.out}: holds a run already; give another folder, or delete this one")
        import_checkpoint(options.checkpoint, CONFIGS[options.config], options.out, options.weights)
    except RetraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"wrote {options.out}")
    return 0


def _parser(configs: Sequence[str], weights: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m replications.score_sde import",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Convert a checkpoint of github.com/yang-song/score_sde_pytorch into a model's run folder.",
        epilog="\n".join(["configurations:", *(f"  {name}" for name in configs), "", EXAMPLE]),
    )
    add = parser.add_argument
    add("checkpoint", type=Path, metavar="FILE", help="checkpoint_N.pth as published or as the official code wrote it")
    add("--config", required=True, metavar="NAME", help="the official configuration that it was trained with; see below")
    add("--out", required=True, type=Path, metavar="DIR", help="run folder to write")
    add("--weights", choices=weights, default="averaged", help="moving averages, or the weights themselves; default %(default)s")
    return parser
