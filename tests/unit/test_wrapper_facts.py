"""What the wrapper tells its recorder of a run's end, and what it takes of the environment."""

from __future__ import annotations

import json
import os
import resource

from tests.unit.schemas import problems

from sifprov.model.request import parse_end
from sifprov.wrapper.recorder import end_line
from sifprov.wrapper.starts import Verdict, _mounts_of
from sifprov.wrapper.supervise import Ended


def test_the_end_tells_of_resources_and_mounts() -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    table = b"1 1 0:1 / /odd\\040name\xff rw - tmpfs tmpfs rw\n"
    ended = Ended(3 << 8, 1_700_000_000_000_000_001, usage, Verdict(True, "exit code"), table)
    line = end_line(ended)
    assert problems("sifprov.capture-request/1", json.loads(line)) == []
    end = parse_end(line)
    assert (end.exit_code, end.mounts) == (3, table)
    facts = {f.name: f for f in end.facts}
    value = facts["resources"].value
    assert isinstance(value, dict)
    assert value["scope"] == "runtime"
    assert value["peak_memory_bytes"] == usage.ru_maxrss * 1024
    assert facts["started"].value is True
    assert parse_end(end_line(ended._replace(mounts=b""))).mounts is None


def test_the_mounts_of_a_process_are_read_while_it_lives() -> None:
    assert b" / " in _mounts_of(os.getpid())
    assert _mounts_of(2**30) == b""
