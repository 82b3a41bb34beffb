"""The statistics that judge the paper's claims: metrics table in, one number per seed out."""

from replications.ncsnv2.claims_facts import *  # noqa: F403
from replications.ncsnv2.claims_training import *  # noqa: F403
