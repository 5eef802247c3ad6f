"""Finding what a record names: by content wherever it is, else by UUID, and what is said of it."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.unit.sifs import add, origin_record, run_record
from tests.unit.verified import make_app, tree_of

from sifprov import digestcache, places
from sifprov.create import create_data
from sifprov.errors import FileError, MissingError
from sifprov.frozen import replace
from sifprov.identity import Identity, describe, identify
from sifprov.model.container import APPLICATION, INPUT, OUTPUT, PROVISIONAL
from sifprov.replay import contents
from sifprov.replay.contents import digest_now
from sifprov.replay.find import Finder
from sifprov.replay.steps import (
    BESIDE,
    BY_DIGEST,
    BY_NAME,
    BY_UUID,
    ENVIRONMENT,
    GIVEN,
    RECORDED_PATH,
    SEARCHED,
)
from sifprov.seal import seal


class Site:
    """A folder with the input `in.sif`, as a record names it, and places to look in."""

    def __init__(self, top: Path) -> None:
        self.top = top
        for name in ("source", "here", "archive/deep", "path"):
            (top / name).mkdir(parents=True)
        (top / "source/a").write_text("1\n")
        made = create_data(str(self.recorded), mount="/Inputs", source=str(top / "source"))
        self.container = describe(INPUT, identify(str(self.recorded)), made.tree.digest)

    @property
    def recorded(self) -> Path:
        return self.top / "in.sif"

    def another(self, path: Path, text: str = "other\n") -> Path:
        """Makes a container with other content, or with the same of another making."""
        folder = self.top / f"source-{path.name}-{len(text)}"
        folder.mkdir(exist_ok=True)
        (folder / "a").write_text(text)
        create_data(str(path), mount="/Inputs", source=str(folder))
        return path

    def finder(self, *search: str, **environ: str) -> Finder:
        folders = [str(self.top / s) for s in search]
        return Finder(str(self.top / "here/out.sif"), folders, environ={"HOME": "/", **environ})


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the containers whose content was read."""
    names: list[str] = []
    real = contents.Contents._read

    def read(self: contents.Contents, identity: Identity, role: str) -> contents.Content:
        names.append(identity.name)
        return real(self, identity, role)

    monkeypatch.setattr(contents.Contents, "_read", read)
    return names


def test_at_the_recorded_path_no_folder_is_looked_through(site: Site) -> None:
    found = site.finder(SIFPROV_PATH="/nowhere").find(site.container, role=INPUT)
    assert (found.path, found.by, found.where) == (str(site.recorded), BY_DIGEST, RECORDED_PATH)
    assert (found.changed, found.moved, found.passed) == (None, None, ())
    assert found.digest == site.container.digest
    assert found.tree and found.tree.digest == found.digest


@pytest.mark.parametrize(
    ("to", "where"),
    [
        ("here/in.sif", BESIDE),
        ("here/renamed", BESIDE),
        ("archive/deep/x.sif", SEARCHED),
        ("path/x.sif", ENVIRONMENT),
    ],
)
def test_a_moved_one_is_found_in_every_place(site: Site, to: str, where: str) -> None:
    site.recorded.rename(site.top / to)
    finder = site.finder("archive", SIFPROV_PATH=f":{site.top}/no:{site.top}/path")
    found = finder.find(site.container, role=INPUT)
    assert (found.path, found.by, found.where) == (str(site.top / to), BY_DIGEST, where)
    assert found.moved == f"it was {site.recorded}, which is not there"
    assert bool(finder.notes) == (where == ENVIRONMENT)


def test_below_the_folder_of_the_original_nothing_is_looked_at(site: Site) -> None:
    (site.top / "here/below").mkdir()
    site.recorded.rename(site.top / "here/below/in.sif")
    with pytest.raises(MissingError, match=r"^input container in\.sif \(.*\) is not found$"):
        site.finder().find(site.container, role=INPUT)


def test_the_first_of_several_copies_is_taken_and_nothing_said(
    site: Site, reads: list[str]
) -> None:
    for name in ("archive/2.sif", "archive/deep/1.sif", "path/0.sif"):
        shutil.copy(site.recorded, site.top / name)
    os.link(site.recorded, site.top / "here/link.sif")
    finder = site.finder("archive", SIFPROV_PATH=str(site.top / "path"))
    found = finder.find(site.container, role=INPUT)
    assert (found.path, found.passed) == (str(site.recorded), ())
    site.recorded.unlink()
    finder = site.finder("archive", SIFPROV_PATH=str(site.top / "path"))
    found = finder.find(site.container, role=INPUT)
    assert (found.path, found.passed) == (str(site.top / "here/link.sif"), ())
    (site.top / "here/link.sif").unlink()
    found = site.finder("archive").find(site.container, role=INPUT)
    assert (found.path, found.passed) == (str(site.top / "archive/2.sif"), ())
    assert reads == ["in.sif", "link.sif", "2.sif"]


def test_the_same_content_anywhere_wins_over_the_uuid(site: Site) -> None:
    """The container itself was changed by hand; a copy of before has another name and UUID."""
    copy = site.another(site.top / "archive/deep/before.sif", "1\n")
    changed = site.another(site.top / "new.sif")
    _give_uuid(changed, site.recorded)
    found = site.finder("archive").find(site.container, role=INPUT)
    assert (found.path, found.by, found.changed) == (str(copy), BY_DIGEST, None)
    assert found.moved == f"it was {site.recorded}, which is something else now"
    assert found.passed == (f"{site.recorded}: is this container with other content",)
    # Without the copy it is the one with the UUID, and said to be changed.
    found = site.finder().find(site.container, role=INPUT)
    assert (found.path, found.by, found.moved, found.passed) == (
        str(site.recorded), BY_UUID, None, ()
    )  # fmt: skip
    assert found.changed and "not the recorded " + str(site.container.digest) in found.changed


def _give_uuid(new: Path, old: Path) -> None:
    """Puts `new` in the place of `old`, with its UUID."""
    with open(old, "rb") as file:
        uuid = file.read(64)[48:64]
    with open(new, "r+b") as file:
        file.seek(48)
        file.write(uuid)
    new.rename(old)


def test_another_of_the_same_name_is_passed_over_and_said_to_be(site: Site) -> None:
    site.recorded.rename(site.top / "archive/deep/in.sif")
    site.another(site.recorded)
    site.another(site.top / "here/in.sif", "third\n")
    found = site.finder("archive").find(site.container, role=INPUT)
    assert found.path == str(site.top / "archive/deep/in.sif")
    assert found.passed == (
        f"{site.recorded}: is another container",
        f"{site.top}/here/in.sif: is another container",
    )
    with pytest.raises(MissingError, match=r"is not found; .*/in\.sif: is another container$"):
        site.finder().find(site.container, role=INPUT)


def test_what_says_itself_that_it_is_another_is_not_read(site: Site, reads: list[str]) -> None:
    """A folder may hold a thousand files of one name, and of one UUID."""
    kept = site.top / "kept.sif"
    site.recorded.rename(kept)
    for number in range(5):
        folder = site.top / f"archive/{number}"
        folder.mkdir()
        site.another(folder / "in.sif", f"text {number}\n")
    wanted = site.top / "archive/deep/z.sif"
    seal(str(kept), str(wanted))
    found = site.finder("archive").find(site.container, role=INPUT)
    assert (found.path, reads) == (str(wanted), ["z.sif"])
    assert len(found.passed) == 5


def test_a_sealed_copy_counts_under_any_name(site: Site) -> None:
    sealed = site.top / "archive/deep/2026.sif"
    seal(str(site.recorded), str(sealed))
    site.recorded.unlink()
    found = site.finder("archive").find(site.container, role=INPUT)
    assert (found.path, found.by, found.container) == (str(sealed), BY_DIGEST, site.container)
    for other in (replace(site.container, digest="tree-v1:" + "0" * 64),
                  replace(site.container, digest=None)):  # fmt: skip
        with pytest.raises(MissingError):
            site.finder("archive").find(other, role=INPUT)


def test_without_a_recorded_digest_the_uuid_alone_counts(site: Site, reads: list[str]) -> None:
    unknown = replace(site.container, digest=None)
    site.recorded.rename(site.top / "here/new-name.sif")
    found = site.finder().find(unknown, role=INPUT)
    assert (found.by, found.changed, found.digest, reads) == (BY_UUID, None, None, [])
    assert site.finder().by_digest(unknown, role=INPUT) is None


def test_records_that_claim_the_content_prove_nothing(site: Site) -> None:
    liar = site.another(site.top / "archive/liar.sif")
    uuid = identify(str(liar)).uuid
    assert uuid
    record = origin_record(uuid)
    digest = site.container.digest
    assert record.origin and digest
    add(liar, replace(record, recorded="2027-01-01T00:00:00Z",
                      origin=replace(record.origin, digest=digest)))  # fmt: skip
    site.recorded.unlink()
    with pytest.raises(MissingError):
        site.finder("archive").find(site.container, role=INPUT)


def test_what_cannot_be_read_is_said_to_be(site: Site) -> None:
    partition = identify(str(site.recorded)).partition
    assert partition
    with open(site.recorded, "r+b") as file:
        file.seek(partition.offset + 1024)
        file.write(bytes(1024))
    with pytest.raises(MissingError, match=r"cannot be read: .*in\.sif"):
        site.finder().find(site.container, role=INPUT)
    good = site.another(site.top / "here/copy.sif", "1\n")
    found = site.finder().find(site.container, role=INPUT)
    assert found.path == str(good)
    assert found.passed[0].startswith(f"{site.recorded}: cannot be read: ")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink(path, path)])
def test_a_recorded_path_that_is_something_else(site: Site, make: Callable[[str], None]) -> None:
    site.recorded.rename(site.top / "here/in.sif")
    make(str(site.recorded))
    done: list[str] = []
    thread = threading.Thread(
        target=lambda: done.append(site.finder().find(site.container, role=INPUT).path), daemon=True
    )
    thread.start()
    thread.join(10)
    assert done == [str(site.top / "here/in.sif")]


@pytest.mark.parametrize("path", ["\0", "", "x" * 5000, "/proc/self/mem", "/dev/zero"])
def test_hostile_recorded_paths(site: Site, path: str) -> None:
    site.recorded.rename(site.top / "here/in.sif")
    hostile = replace(site.container, path=path, name=path)
    assert site.finder().find(hostile, role=INPUT).where == BESIDE
    if path != "/proc/self/mem":  # a file like any other, which no runtime takes
        with pytest.raises(MissingError):
            site.finder().find(replace(hostile, uuid=None, digest=None), role=APPLICATION)


def test_applications_by_their_image_digest(site: Site) -> None:
    path = make_app(site.top / "app.sif")
    identity = identify(str(path))
    app = describe(APPLICATION, identity, digest_now(identity, APPLICATION)[1])
    assert site.finder().find(app, role=APPLICATION).by == BY_DIGEST
    path.rename(site.top / "archive/old.sif")
    make_app(path)
    site.another(site.top / "here/app.sif")  # data under that name: no application
    found = site.finder("archive").find(app, role=APPLICATION)
    assert (found.path, found.tree) == (str(site.top / "archive/old.sif"), None)
    assert found.passed == (f"{path}: is another container",)


def test_an_application_that_is_no_sif_is_known_by_its_name(site: Site) -> None:
    folder = site.top / "sandbox"
    folder.mkdir()
    app = describe(APPLICATION, identify(str(folder)), None)
    found = site.finder().find(app, role=APPLICATION)
    assert (found.by, found.where, found.moved) == (BY_NAME, RECORDED_PATH, None)
    folder.rename(site.top / "here/sandbox")
    found = site.finder().find(app, role=APPLICATION)
    assert (found.by, found.where) == (BY_NAME, BESIDE)
    (site.top / "here/sandbox").rmdir()
    with pytest.raises(MissingError, match="no SIF"):
        site.finder().find(app, role=APPLICATION)


def test_what_the_cache_of_digests_knows(
    site: Site, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application of another name and UUID, but with the same image, that was read before."""
    path = make_app(site.top / "app.sif", 20 << 20)
    identity = identify(str(path))
    app = describe(APPLICATION, identity, digest_now(identity, APPLICATION)[1])
    other = site.top / "archive/built-again.sif"
    path.rename(other)
    with open(other, "r+b") as file:
        file.seek(48)
        file.write(os.urandom(16))
    monkeypatch.setattr(digestcache, "RACY_NS", 0)  # else a young file is not remembered
    cache = {"XDG_CACHE_HOME": str(site.top / "cache")}
    with pytest.raises(MissingError):
        site.finder("archive", **cache).find(app, role=APPLICATION)
    site.finder(**cache).given(app, str(other), role=APPLICATION)
    assert reads == ["built-again.sif"]
    found = site.finder("archive", **cache).find(app, role=APPLICATION)
    assert (found.path, found.by, found.where) == (str(other), BY_DIGEST, SEARCHED)
    for setting in ({"SIFPROV_CACHE": "no"}, {"SIFPROV_DIGEST": "full"}):
        with pytest.raises(MissingError):
            site.finder("archive", **cache, **setting).find(app, role=APPLICATION)


def test_what_the_user_names(site: Site) -> None:
    other = site.another(site.top / "other.sif")
    finder = site.finder()
    same = finder.given(site.container, str(site.recorded), role=INPUT)
    assert (same.by, same.where, same.changed) == (GIVEN, GIVEN, None)
    found = finder.given(site.container, str(other), role=INPUT)
    assert found.changed and found.changed.startswith(f"{other}: its content is tree-v1:")
    assert found.container == site.container
    app = make_app(site.top / "app.sif")
    with pytest.raises(FileError, match="no data partition"):
        finder.given(site.container, str(app), role=INPUT)
    with pytest.raises(FileError, match="no system partition"):
        finder.given(site.container, str(other), role=APPLICATION)
    with pytest.raises(MissingError, match="no such file"):
        finder.given(site.container, str(site.top / "nothing"), role=INPUT)


def test_a_container_is_read_once(site: Site, reads: list[str]) -> None:
    finder = site.finder()
    first = finder.find(site.container, role=INPUT)
    assert finder.find(replace(site.container, mount="/elsewhere"), role=INPUT).tree is first.tree
    assert finder.find(site.container, role=INPUT) is first
    assert reads == ["in.sif"]


def test_the_layout_of_a_container_whatever_its_content(site: Site, reads: list[str]) -> None:
    finder = site.finder("archive")
    assert finder.layout_of(site.container) == str(site.recorded)
    original = site.top / "here/out.sif"
    site.another(original)
    its = describe(INPUT, identify(str(original)), None)
    assert finder.layout_of(replace(its, path="/nowhere")) == str(original)
    site.recorded.rename(site.top / "archive/deep/x.sif")
    assert site.finder("archive").layout_of(site.container) == str(site.top / "archive/deep/x.sif")
    assert site.finder().layout_of(site.container) is None
    assert reads == []


def test_every_folder_is_looked_through_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trail and the plan look for the same files; and nobody looks where it is not needed."""
    walked: list[str] = []
    real = places.Places._walk

    def walk(self: places.Places, place: places.Place) -> Iterator[places.Sif]:
        walked.append(os.path.basename(place.folder))
        return real(self, place)

    monkeypatch.setattr(places.Places, "_walk", walk)
    there = site.top / "path/x.sif"
    site.recorded.rename(there)
    finder = site.finder("archive", SIFPROV_PATH=str(site.top / "path"))
    assert site.container.uuid
    assert list(finder.searched(site.container.uuid)) == []
    assert walked == ["here", "archive"]
    for _ in range(2):
        assert finder.find(site.container, role=INPUT).path == str(there)
        assert finder.layout_of(site.container) == str(there)
    assert walked == ["here", "archive", "path"]


def test_a_folder_to_search_must_be_there(site: Site) -> None:
    with pytest.raises(MissingError, match="no such folder"):
        site.finder("nothing")


def test_no_list_of_files_is_kept_of_what_is_passed_over(site: Site, reads: list[str]) -> None:
    finder = site.finder()
    # Without records its content must be read.
    bare = site.top / "here/in.sif"
    create_data(str(bare), mount="/Inputs")
    with pytest.raises(MissingError):
        finder.find(replace(site.container, digest="tree-v1:" + "0" * 64, uuid=None), role=INPUT)
    assert reads == ["in.sif"]
    assert all(content.tree is None for content in finder._contents._known.values())
    for path in (bare, site.recorded):
        tree = finder.tree_of(str(path))
        assert tree and tree.digest == tree_of(path).digest


def test_the_recorded_path_is_told_once(site: Site) -> None:
    """It stands beside the original, and below a folder to search, too."""
    site.another(site.top / "new.sif").rename(site.recorded)
    finder = Finder(str(site.top / "out.sif"), [str(site.top)], environ={"HOME": "/"})
    site.another(site.top / "archive/kept.sif", "1\n")
    found = finder.find(site.container, role=INPUT)
    assert found.passed == (f"{site.recorded}: is another container",)


def test_what_a_provisional_record_says_is_not_believed(site: Site) -> None:
    identity = identify(str(site.recorded))
    assert identity.uuid
    wrong = replace(
        describe(OUTPUT, identity, "tree-v1:" + "0" * 64), marks=(PROVISIONAL,), writable=True
    )
    late = replace(run_record(identity.uuid), containers=(wrong,), recorded="2027-01-01T00:00:00Z")
    add(site.recorded, late)
    assert site.finder().find(site.container, role=INPUT).by == BY_DIGEST
    assert site.finder().by_digest(site.container, role=INPUT)
    add(site.recorded, replace(late, id=uuid4(), containers=(replace(wrong, marks=()),)))
    # Now it says itself that it is another; what is read in the end is its content.
    assert site.finder().by_digest(site.container, role=INPUT) is None
    found = site.finder().find(site.container, role=INPUT)
    assert (found.by, found.changed) == (BY_DIGEST, None)


def test_nothing_is_remembered_of_what_runs_write_into(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digestcache, "RACY_NS", 0)
    monkeypatch.setattr(digestcache, "MIN_BYTES", 0)
    cache = {"XDG_CACHE_HOME": str(site.top / "cache")}
    identity = identify(str(site.recorded))
    for role, remembered in ((OUTPUT, None), (INPUT, site.container.digest)):
        finder = site.finder(**cache)
        assert finder.find(site.container, role=role).tree
        assert finder._contents.remembered(identity, role) == remembered
    # What is remembered has no list of files, and needs none.
    assert site.finder(**cache).find(site.container, role=INPUT).by == BY_DIGEST
