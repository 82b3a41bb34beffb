"""Running jobs: command line, settings, run folders, seeds, provenance, and what the workflow needs."""
