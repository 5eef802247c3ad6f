"""Workflows: several containerized steps as one, each a recorded run.

document.py   the file that describes one (`sifprov.workflow/1`); reading.py reads and checks it
graph.py      which step needs which, the composition, what runs in one batch job
convert.py    workflow files of the thesis's prototype and of ProvDeploy
load.py       any of these files
traced.py     a trail as a workflow; exported.py writes that
plan.py       a workflow with the folder and the runtime that it is carried out with
uptodate.py   whether what a step makes is there already
step.py       one step: `sifprov exec --atomic`, and what is known of it afterwards
work.py       the work folder, and what the steps left in it
snakefile.py  the file that Snakemake reads: numbers and names that we made up, and data
snakemake.py  Snakemake, as a process
engine.py     a whole execution
history.py    the record of an execution, in `NAME.workflow.jsonl`
replayed.py   a replay whose steps Snakemake starts
"""
