"""The mathematics: Gaussian paths, models that answer, oracles, samplers, likelihoods. Of common it imports errors only."""
