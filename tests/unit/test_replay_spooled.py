"""A run whose record waits in the spool is no part of a plan, and that is told."""

from __future__ import annotations

import pwd
from pathlib import Path
from uuid import uuid4

import pytest
from tests.unit.chains import data, request
from tests.unit.sifs import OUT, add, make_sif, origin_record, run_record

from sifprov import spool
from sifprov.errors import MissingError, NoRecordError
from sifprov.frozen import replace
from sifprov.model.request import dump_request
from sifprov.replay import plan as module
from sifprov.replay.plan import Options, plan
from sifprov.replay.spooled import waits
from sifprov.replay.steps import Plan


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spool of our own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    user = pwd.getpwnam("root")
    monkeypatch.setattr(
        pwd, "getpwuid", lambda uid: pwd.struct_passwd((*user[:5], str(tmp_path), user[6]))
    )


def test_a_record_or_a_request_of_the_container(tmp_path: Path) -> None:
    output, other = make_sif(tmp_path / "out.sif", uuid=OUT), data(tmp_path / "other.sif")
    assert waits(str(output)) is None
    kept = spool.save(str(output), run_record())
    assert waits(str(output)) == "'sifprov flush' delivers it"
    assert waits(str(other)) is None
    assert waits(str(tmp_path / "none.sif")) is None
    Path(kept).unlink()
    # Of a request only the containers that the run could write.
    spool.save_request(dump_request(request((output,), (other,))) + b"\n{}\n")
    assert waits(str(other)) == "'sifprov flush' delivers it"
    assert waits(str(output)) is None


def test_one_that_waits_beside_it(tmp_path: Path) -> None:
    output = make_sif(tmp_path / "out.sif", uuid=OUT)
    kept = Path(spool.save(str(output), run_record()))
    kept.rename(tmp_path / f"{spool.PREFIX}{kept.name}")
    assert waits(str(output)) == f"'sifprov flush --search {tmp_path}' delivers it"


def test_a_broken_spool_is_in_nobodys_way(tmp_path: Path) -> None:
    output = make_sif(tmp_path / "out.sif", uuid=OUT)
    broken = Path(spool.save(str(output), run_record()))
    broken.write_bytes(b"{")
    assert waits(str(output)) is None


def test_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = make_sif(tmp_path / "out.sif", uuid=OUT)
    add(output, origin_record(OUT))
    with pytest.raises(NoRecordError, match="no record of a run") as caught:
        plan(str(output), Options())
    assert "flush" not in (caught.value.hint or "")
    spool.save(str(output), replace(run_record(), id=uuid4()))
    with pytest.raises(NoRecordError) as caught:
        plan(str(output), Options())
    assert caught.value.hint == "the record of a run waits: 'sifprov flush' delivers it"
    add(output, run_record())
    with pytest.raises(MissingError):
        plan(str(output), Options())
    some = Plan(str(output), "", (), {}, notes=("another",))
    monkeypatch.setattr(module, "of_trail", lambda *args: some)
    first, second = plan(str(output), Options()).notes
    assert first.endswith("waits, and is not looked at: 'sifprov flush' delivers it")
    assert second == "another"
    # Who names a record means that one.
    assert plan(str(output), Options(record="1234")).notes == ("another",)
