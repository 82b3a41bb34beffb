"""Metrics: pure functions of arrays, so that a new metric costs no training and no sampling."""
