"""The statistics that judge the paper's claims: metrics table in, one number per seed out."""

from replications.score_sde.claims_control import *  # noqa: F403
from replications.score_sde.claims_facts import *  # noqa: F403
from replications.score_sde.claims_models import *  # noqa: F403
from replications.score_sde.claims_samplers import *  # noqa: F403
