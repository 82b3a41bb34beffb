"""The statistics that judge the paper's claims: metrics table in, one number per seed out."""

from replications.gotta_go_fast.claims_exact import *  # noqa: F403
from replications.gotta_go_fast.claims_learned import *  # noqa: F403
from replications.gotta_go_fast.claims_published import *  # noqa: F403
