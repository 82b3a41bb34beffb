"""Measuring: metrics, statistics over seeds, claims and their verdicts, figures."""
