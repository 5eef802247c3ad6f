"""Reports as captures leave them, and a home with a queue of its own."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.unit.sifs import IN, OUT, container, run

from sifprov.frozen import replace
from sifprov.livereports import here, process
from sifprov.model.container import APPLICATION, INPUT, OUTPUT
from sifprov.model.fact import Fact
from sifprov.model.record import WRAPPER
from sifprov.model.report import END, RECORDED, START, Kept, Report, Where
from sifprov.model.run import UNKNOWN

RUN = UUID("0b2f3c1e-0000-4000-8000-000000000001")
DIGEST = "sha256:" + "d" * 64


def own_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes `folder` the home; the password database's is not for tests. Returns the queue."""
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "SIFPROV_CATALOG"):
        monkeypatch.delenv(name, raising=False)
    entry = pwd.getpwuid(os.getuid())
    changed = pwd.struct_passwd((*entry[:5], str(folder), entry[6]))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: changed)
    return folder / ".local/state/sifprov/reports"


def start(ident: UUID = RUN, **changes: Any) -> Report:
    """The report of a run that has begun, in this very process."""
    host, boot = here()
    us = process(os.getpid())
    user = Fact("user", {"name": "me", "uid": 1000}, source="passwd")
    made = Report(
        event=START,
        id=ident,
        captured_by=WRAPPER,
        version="0.1.0",
        told="2026-05-28T20:26:17.5Z",
        where=Where(host, boot, us, us),
        run=replace(run(), outcome=UNKNOWN, ended=None, exit_code=None, facts=(user,)),
        containers=(
            replace(container(APPLICATION, None, "app.sif"), digest=None, reason="not read yet"),
            container(INPUT, IN, "in.sif"),
            replace(container(OUTPUT, OUT, "out.sif"), digest=None, reason="not read yet"),
        ),
    )
    return replace(made, **changes)


def end(ident: UUID = RUN, **changes: Any) -> Report:
    """The report of the same run's end."""
    first = start(ident)
    made = replace(
        first,
        event=END,
        told="2026-05-28T20:26:30Z",
        run=replace(run(), facts=first.run.facts),
        became=RECORDED,
        records=(Kept(OUT, "/data/out.sif", DIGEST),),
    )
    return replace(made, **changes)
