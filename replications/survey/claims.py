"""The statistics that judge the survey's claims: metrics table in, one number per seed out."""

from replications.survey.claims_identities import *  # noqa: F403
from replications.survey.claims_samplers import *  # noqa: F403
from replications.survey.claims_training import *  # noqa: F403
