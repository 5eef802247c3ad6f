"""Apptainer and Singularity: find them, know their version, their command lines and their
mounts."""
