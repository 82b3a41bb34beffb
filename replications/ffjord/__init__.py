"""FFJORD: free-form continuous flows, trained by likelihood with an unbiased trace (Grathwohl et al. 2018)."""
