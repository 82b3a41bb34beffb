"""The published networks under the adaptive solver and its rivals: Table 1 itself.

Score SDE's `train_ncsnpp` trains them, or `import_checkpoint` there fills the same folders from the authors' files.
"""

from pydantic import Field

from replications.gotta_go_fast.experiments import learned
from replications.gotta_go_fast.experiments.learned import VARIANT, check, run
from replications.gotta_go_fast.model_runs import Network

__all__ = ["VARIANT", "Settings", "check", "run"]


class Settings(learned.Settings):
    """Settings of the samplers."""

    network: Network = Field(default="ncsnpp", description="the published networks, or the suite's shared one")
