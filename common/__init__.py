"""What several papers share: paths, denoisers, samplers, likelihoods, data, networks, metrics, training and run folders."""
