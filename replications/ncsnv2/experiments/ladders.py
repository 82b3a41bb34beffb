"""Noise levels and steps without a network: Propositions 2 and 3, and the published settings by techniques 2 and 4 (Table 4)."""

from pydantic import Field

from common.runs.experiment import Context
from common.runs.folders import Outcome
from common.runs.settings import Settings as Base
from replications.ncsnv2.facts.ladder_facts import ladder_rows
from replications.ncsnv2.facts.norm_facts import NormSettings, norm_rows
from replications.ncsnv2.facts.step_facts import StepSettings, curves, step_rows

VARIANT = ()


class Settings(Base):
    """Settings of the measurements."""

    norms: NormSettings = Field(description="norms of noise, and shells")
    steps: StepSettings = Field(description="Langevin steps at one level")


def run(settings: Settings, context: Context) -> Outcome:
    """Measure all of it."""
    rows = [*norm_rows(settings.norms, context), *ladder_rows(), *step_rows(settings.steps, context)]
    return Outcome(rows, arrays=curves())
