"""Replays: what made a container, again, and whether it came out the same.

steps.py says as data what is to be done; find.py and start.py where containers and starting states
come from. plan.py decides, and runs nothing: wanted.py chooses the record, ancestry.py knows the
runs behind it, change.py reads what the user wants otherwise, gather.py finds what each run needs,
refusal.py says why not, line.py and variables.py what is typed. work.py, run.py and schedule.py
carry it out; judge.py compares and records the verdict.
"""
