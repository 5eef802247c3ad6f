"""Replays: what made a container, again, and whether it came out the same.

steps.py says as data what is to be done; find.py and start.py where containers and starting states
come from; plan.py and change.py decide (nothing runs); work.py, run.py and schedule.py carry it
out; judge.py compares and records the verdict.
"""
