"""What the paper says of SDEs and samplers, without a network: kernels, marginals, chains, likelihoods (App. B-E, H.2, I.4).

Everything is measured on points, on one Gaussian, or on a mixture of Gaussians that each replicate draws anew, with exact scores.
"""

from pydantic import Field, PositiveInt

from common.runs.experiment import Context
from common.runs.folders import Outcome
from common.runs.settings import Settings as Base
from replications.score_sde.facts.chain_facts import ChainSettings, chain_rows
from replications.score_sde.facts.forward_facts import ForwardSettings, figure_5, forward_rows
from replications.score_sde.facts.inverse_facts import InverseSettings, inverse_rows
from replications.score_sde.facts.likelihood_facts import LikelihoodSettings, likelihood_rows
from replications.score_sde.facts.marginal_facts import MarginalSettings, marginal_rows
from replications.score_sde.facts.toy_mixture import drawn_toy

VARIANT = ()


class Settings(Base):
    """Settings of the measurements."""

    dimensions: PositiveInt = Field(default=8, description="of the mixture")
    modes: PositiveInt = Field(default=8, ge=2, description="of the mixture")
    forward: ForwardSettings = Field(description="forward SDEs and discrete chains")
    marginals: MarginalSettings = Field(description="reverse SDE against probability-flow ODE")
    chains: ChainSettings = Field(description="samplers against one another")
    likelihood: LikelihoodSettings = Field(description="divergences and likelihoods")
    inverse: InverseSettings = Field(description="samples given a linear measurement")


def run(settings: Settings, context: Context) -> Outcome:
    """Measure all of it."""
    toy = drawn_toy(settings.modes, settings.dimensions, generator=context.generator("mixture"))
    rows = [
        *forward_rows(settings.forward, context),
        *marginal_rows(toy, settings.marginals, context),
        *chain_rows(toy, settings.chains, context),
        *likelihood_rows(toy, settings.likelihood, context),
        *inverse_rows(settings.inverse, context),
    ]
    return Outcome(rows, arrays=figure_5())
