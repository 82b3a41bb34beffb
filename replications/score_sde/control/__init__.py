"""Classes, holes and colours from unconditional models."""
