"""Variational autoencoders whose posteriors are moved by flows."""
