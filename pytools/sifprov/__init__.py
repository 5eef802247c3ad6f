"""Record trails of containerized science, kept inside SIF containers."""
