"""Frozen records of what happened, JSON both ways. No I/O."""
