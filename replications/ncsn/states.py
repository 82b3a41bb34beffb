"""States that a training kept on its way, as models of their own."""

import json
from collections.abc import Sequence

from common.errors import RetraceError
from common.learning.training.run import snapshot_file
from common.learning.training.settings import TrainSettings
from common.runs.experiment import Context
from replications.ncsn.networks import Network, Trained, folder_of, trained


def kept_states(context: Context, data: str, network: Network, shares: Sequence[float]) -> dict[str, Trained]:
    """Return the averaged weights nearest to each share of the ladder model's training, by names such as "ncsn at 30 %".

    Raises `RetraceError` if the training kept no states.
    """
    folder = folder_of(context, data, "ncsn", network)
    settings = TrainSettings.model_validate(json.loads((folder / "run.json").read_text())["settings"]["train"])
    if not settings.snapshots:
        raise RetraceError(f"{folder}: this training kept no states; train it again with --set train.snapshots=10")
    steps = {share: min(settings.snapshot_steps(), key=lambda step: abs(step - share * settings.steps)) for share in shares}
    return {f"ncsn at {share:.0%}": trained(context, data, "ncsn", network, snapshot_file(step)) for share, step in steps.items()}
