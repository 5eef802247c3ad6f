"""Which run made a file, by the lists of files in consecutive records."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner
from tests.unit.lineages import stored
from tests.unit.schemas import problems
from tests.unit.sifs import APP, IN, OUT, container, run, run_record

from sifprov import fileorigin, manifests
from sifprov.carrier import Carrier
from sifprov.cli import main
from sifprov.create import create_data
from sifprov.errors import Exit, MissingError, NoRecordError
from sifprov.fileorigin import AS_LISTED, CHANGED, GONE, UNREAD, FileOrigin, file_origin
from sifprov.frozen import replace
from sifprov.identity import Identity
from sifprov.lineage import build
from sifprov.lineage.document import dumps
from sifprov.listing import Entry, Tree, make_tree
from sifprov.model.canonical import record_digest
from sifprov.model.container import APPLICATION, CHANGED_OUTSIDE, INPUT, OUTPUT
from sifprov.model.files import describe, store
from sifprov.model.record import Record
from sifprov.render.fileorigin import render
from sifprov.seal import seal
from sifprov.trail import Trail, Walk

Contents = dict[str, str]


def tree(contents: Contents) -> Tree:
    entries = [Entry(b"Outputs", "d", None, "-", 0o755)]
    for name, text in contents.items():
        value = hashlib.sha256(text.encode()).hexdigest()
        entries.append(Entry(f"Outputs/{name}".encode(), "f", len(text), value, 0o644))
    return make_tree(entries, 0)


class History:
    """A container that runs write into, one behind the other; None for a record without a list."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.documents: dict[str, bytes] = {}

    def run(self, contents: Contents | None, *marks: str) -> Record:
        number = len(self.records) + 1
        when = f"2026-05-28T{20 + number // 60:02}:{number % 60:02}:00Z"
        previous = record_digest(self.records[-1].to_bytes()) if self.records else None
        # Where the record lists nothing, its content is some other one that is not known.
        files, manifest = describe(tree(contents)) if contents is not None else (None, None)
        digest = tree({str(number): ""} if contents is None else contents).digest
        it = replace(
            container(OUTPUT, OUT, "out.sif"), mount="/results", source="/Outputs", digest=digest,
            files=files, marks=marks, record=previous,
        )  # fmt: skip
        if manifest:
            data = store(manifest).to_bytes()
            self.documents[record_digest(data)] = data
        record = replace(
            run_record(previous=previous),
            id=UUID(int=number),
            recorded=when,
            run=replace(run(), started=when, ended=None),
            containers=(
                container(APPLICATION, APP, "app.sif"), container(INPUT, IN, "in.sif"), it,
            ),
        )  # fmt: skip
        self.records.append(record)
        return record

    def trail(self, path: str = "/data/out.sif") -> Trail:
        its = stored(*self.records)
        start = Carrier(Identity(path, OUT, record=its[-1].digest), its, embedded=self.documents)
        walk = Walk(start, lambda wanted: None)
        walk.run()
        return Trail(start, walk.found, walk.records, documents=walk.documents)

    def ask(self, path: str) -> FileOrigin:
        trail = self.trail()
        found = file_origin(trail, build(trail), path)
        document = json.loads(dumps(found.to_json()))
        assert problems("sifprov.trail-file/1", document) == []
        assert [a["key"] for a in document["made_by"]] == [a.key for a in found.made_by]
        return found

    def say(self, path: str) -> str:
        trail = self.trail()
        return render(self.ask(path), build(trail))


def numbers(found: FileOrigin) -> list[int]:
    return [UUID(a.key).int for a in found.made_by]


def test_the_first_list_that_has_it_says_who_made_it() -> None:
    h = History()
    h.run({"a": "1"})
    h.run({"a": "1", "b": "2"})
    h.run({"a": "1", "b": "2", "c": "3"})
    found = h.ask("/Outputs/b")
    assert numbers(found) == [2]
    assert [UUID(a.key).int for a in found.through] == [3]
    assert (found.before, found.removed_by, found.gaps) == (None, None, ())
    assert numbers(h.ask("/Outputs/a")) == [1]
    assert numbers(h.ask("Outputs/c/")) == [3]
    assert found.now == UNREAD
    said = h.say("/Outputs/b")
    assert said.startswith("/Outputs/b  file, 1 B, mode 0644, sha256:d4735e3a265e16ee")
    assert "made by run 2026-05-28 20:02:00" in said
    assert "from input in.sif at /mnt" in said
    assert "unchanged since, through 1 later run;" in said


def test_as_the_application_saw_it() -> None:
    h = History()
    h.run({"a": "1"})
    assert h.ask("/results/a").path == "/Outputs/a"
    # What is so called in the container itself comes first.
    h.run({"a": "1", "b": "2"})
    assert h.ask("/results/b").path == "/Outputs/b"


def test_a_run_that_changed_it() -> None:
    h = History()
    h.run({"a": "1"})
    h.run({"a": "two"})
    h.run({"a": "two"})
    found = h.ask("/Outputs/a")
    assert numbers(found) == [2]
    assert found.before
    assert found.before.size == 1
    said = h.say("/Outputs/a")
    assert "changed by run 2026-05-28 20:02:00" in said
    assert "before that, it was a file, 1 B" in said


def test_one_that_came_back_was_made_by_the_run_that_brought_it_back() -> None:
    h = History()
    for contents in ({"a": "1"}, {}, {"a": "1"}):
        h.run(contents)
    assert numbers(h.ask("/Outputs/a")) == [3]


def test_a_rename_is_not_guessed() -> None:
    h = History()
    h.run({"a": "1"})
    h.run({"b": "1"})
    assert numbers(h.ask("/Outputs/b")) == [2]
    gone = h.ask("/Outputs/a")
    assert numbers(gone) == [1]
    assert gone.removed_by
    assert UUID(gone.removed_by.key).int == 2
    assert "gone since run 2026-05-28 20:02:00" in h.say("/Outputs/a")


def test_a_missing_list_between_leaves_it_open() -> None:
    h = History()
    h.run({})
    h.run(None)
    h.run({"a": "1"})
    found = h.ask("/Outputs/a")
    assert numbers(found) == [3, 2]
    assert len(found.gaps) == 1
    assert "lists no files" in found.gaps[0]
    said = h.say("/Outputs/a")
    assert "made by one of 2 runs" in said
    assert "a list of files is missing: record 00000000-0000-0000-0000-000000000002" in said


def test_a_missing_list_between_two_that_agree() -> None:
    h = History()
    h.run({"a": "1"})
    h.run(None)
    h.run({"a": "1"})
    found = h.ask("/Outputs/a")
    assert numbers(found) == [1]
    assert [UUID(a.key).int for a in found.through] == [2, 3]
    assert len(found.gaps) == 1


def test_earlier_records_that_are_missing() -> None:
    h = History()
    h.run({})
    h.run({"a": "1"})
    h.records = h.records[1:]
    found = h.ask("/Outputs/a")
    assert numbers(found) == [2]
    assert "is not at hand" in found.gaps[0]


def test_a_change_by_no_recorded_run() -> None:
    h = History()
    h.run({})
    h.run({"a": "1"}, CHANGED_OUTSIDE)
    assert h.ask("/Outputs/a").outside
    assert "by no recorded one: so may this be" in h.say("/Outputs/a")
    h.run({"a": "1"})
    assert h.ask("/Outputs/a").outside, "it is told of the run that made it"
    h.run({"a": "1", "b": ""}, CHANGED_OUTSIDE)
    assert h.ask("/Outputs/b").outside


def test_what_is_not_there() -> None:
    h = History()
    h.run({"a": "1"})
    with pytest.raises(NoRecordError, match="in no list of files"):
        h.ask("/Outputs/x")
    bare = History()
    bare.run(None)
    with pytest.raises(MissingError, match="lists no files"):
        bare.ask("/Outputs/a")


def test_a_list_that_lies_is_none() -> None:
    """It must have the digest that the record names, and give the tree digest beside it."""
    h = History()
    h.run({str(n): str(n) for n in range(50)})
    (digest,) = h.documents
    assert numbers(h.ask("/Outputs/7")) == [1]
    h.documents = {digest: h.documents[digest].replace(b"Outputs/7", b"Outputs/x")}
    with pytest.raises(MissingError):
        h.ask("/Outputs/7")


@pytest.mark.timeout(60)
def test_a_thousand_runs_hold_one_list_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    h = History()
    for n in range(200):
        h.run({str(m): "x" * (m + (n > 100)) for m in range(40)})
    loads = 0
    real = manifests.listed

    def counting(*arguments: object) -> object:
        nonlocal loads
        loads += 1
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(fileorigin, "listed", counting)
    trail = h.trail()
    found = file_origin(trail, build(trail), "/Outputs/39")
    assert numbers(found) == [102]
    assert loads <= 201


@pytest.fixture
def made(tmp_path: Path) -> Path:
    source = tmp_path / "data"
    source.mkdir()
    (source / "a.txt").write_text("one\n")
    (source / "b.txt").write_text("two\n")
    create_data(str(tmp_path / "in.sif"), mount="/Inputs", source=str(source))
    return tmp_path / "in.sif"


def test_the_container_itself_is_looked_at(made: Path) -> None:
    def ask() -> str:
        done = CliRunner().invoke(main, ["trail", str(made), "--file", "/Inputs/a.txt", "--json"])
        assert done.exit_code == 0, done.output
        return str(json.loads(done.output)["now"])

    assert ask() == AS_LISTED
    data = made.read_bytes()
    made.write_bytes(data.replace(b"one\n", b"ONE\n"))
    assert ask() == CHANGED
    shown = CliRunner().invoke(main, ["trail", str(made), "--file", "/Inputs/a.txt"]).output
    assert "changed since: the container has another content there now" in shown
    made.write_bytes(data.replace(b"a.txt", b"c.txt", 1))
    assert ask() == GONE


def test_a_sealed_container_knows_what_it_was_sealed_from(made: Path) -> None:
    new = str(made.parent / "sealed.sif")
    seal(str(made), new)
    done = CliRunner().invoke(main, ["trail", new, "--file", "/Inputs/b.txt", "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.output)
    (activity,) = document["made_by"]
    assert activity["record"]["origin"]["source"] == str(made.parent / "data")
    assert len(document["through"]) == 1


def test_the_exit_codes(made: Path) -> None:
    done = CliRunner().invoke(main, ["trail", str(made), "--file", "/Inputs/none"])
    assert isinstance(done.exception, NoRecordError)
    assert done.exception.exit_code == Exit.DIFFERS


def test_an_origin(made: Path) -> None:
    """The making of a container is told as such."""
    done = CliRunner().invoke(main, ["trail", str(made), "--file", "a.txt"])
    assert isinstance(done.exception, NoRecordError)
    shown = CliRunner().invoke(main, ["trail", str(made), "--file", "Inputs/a.txt"]).output
    assert f"from {made.parent / 'data'}" in shown
