"""What a run uses over time, measured on request beside it.

    sampler.py      looks now and then, in a thread of the helper or the recorder
    tree.py         the processes of a container, by /proc
    group.py        its own control group (version 2), where it has one
    network.py      the interfaces that it sees
    series.py       the samples, never more than a thousand

Off, nothing of it is imported. It uses the standard library alone: psutil reads the same files of
/proc in four times the time, and adds up neither children that ended between two looks nor what a
control group counted.
"""
