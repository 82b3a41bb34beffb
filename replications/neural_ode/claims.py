"""The statistics that judge the paper's claims, one module for each part."""

from replications.neural_ode.claims_flows import *  # noqa: F403
from replications.neural_ode.claims_latent import *  # noqa: F403
from replications.neural_ode.claims_solver_use import *  # noqa: F403
from replications.neural_ode.claims_supervised import *  # noqa: F403
