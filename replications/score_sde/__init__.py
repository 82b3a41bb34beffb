"""Score-based generative modelling through stochastic differential equations (Song et al., ICLR 2021)."""
