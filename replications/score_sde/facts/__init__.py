"""What is measured without a network: SDEs, chains, marginals, likelihoods and samplers on densities in closed form."""
