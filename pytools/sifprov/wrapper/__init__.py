"""`sifprov exec|run|shell`: runs a runtime exactly as without us, and records the run.

    main.py        the whole of it
    line.py        the command line: our options out, `ro` added
    short.py       --in and --out
    quick.py       the little that must be known of a container before the start
    supervise.py   the runtime's start, its signals and its end; the recorder's too
    group.py       which signals were sent to the whole process group
    starts.py      whether the command in the container was ever started
    recorder.py    a process of its own beside the run, and how it is told of the end
    record.py      what that process does: reads, hashes, writes the record
    functions.py   the shell functions that lead plain runs here

It starts on the user's clock, so everything imported before the runtime's start is small: no
dataclasses, no JSON, and of SIF files 32 KiB each.
"""
