"""The reversible and autoregressive flows that FFJORD is compared with."""
