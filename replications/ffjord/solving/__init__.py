"""Solves of a state and of the integral of a trace, and their gradients."""
