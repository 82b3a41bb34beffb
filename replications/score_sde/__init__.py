"""Score SDE: generative models as stochastic differential equations run backwards (Song et al. 2021)."""
