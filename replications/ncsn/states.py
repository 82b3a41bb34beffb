"""States that a training kept on its way, as models of their own."""

from collections.abc import Sequence

from common.learning.training.run import schedule_of, snapshot_file
from common.runs.experiment import Context
from replications.ncsn.networks import Network, Trained, folder_of, trained


def kept_states(context: Context, data: str, network: Network, shares: Sequence[float]) -> dict[str, Trained]:
    """Return the averaged weights nearest to each share of the ladder model's training, by names such as "ncsn at 30 %".

    Raises `RetraceError` if the training kept no states.
    """
    folder = folder_of(context, data, "ncsn", network)
    schedule = schedule_of(folder)
    files = {share: snapshot_file(schedule.snapshot_near(share)) for share in shares}
    return {f"ncsn at {share:.0%}": trained(context, data, "ncsn", network, file) for share, file in files.items()}
