"""Whatever is done to a record, to content or to an ancestor, verify finds it.

Bytes are changed in place and put back; containers with other objects are put together anew, so
that each is a sound SIF. The number of changes that were tried is printed (pytest -s).
"""

from __future__ import annotations

import os
import random
import shutil
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import combinations
from pathlib import Path

import pytest

from sifprov.bundle import pack, unpack
from sifprov.carrier import read_carrier
from sifprov.filesystem.opening import open_container
from sifprov.groups import BUNDLE_NAME, OBJECT_NAME, is_bundle, is_ours, stands_with_records
from sifprov.sif import (
    DataType,
    Descriptor,
    Image,
    NewObject,
    append,
    load,
    open_image,
    read_object,
    text_of,
)
from sifprov.sif.disk import FileDisk
from sifprov.sif.format import EXTRA_OFFSET, GROUP_MASK, USED_OFFSET, counters, own_digest
from sifprov.verify import BROKEN, GOOD, INCOMPLETE, Verdict, verify
from sifprov.verify.check import Findings
from sifprov.verify.content import check_content
from sifprov.verify.reading import read_pieces
from sifprov.verify.signed import Ask, Verified, check_signatures
from sifprov.verify.table import check_objects
from tests.unit.sifs import add_object
from tests.unit.verified import Site, make_site, sign

Change = tuple[int, bytes]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """An output with a bundle, lineage, lists of files and records that stand alone."""
    made = make_site(tmp_path_factory.mktemp("site"), descriptors=8)
    names: list[str] = []
    while BUNDLE_NAME not in names or names.count(OBJECT_NAME) < 3:
        made.run()
        names = [text_of(d.name) for d in objects(made.out)]
    assert "metadata.lineage.json" in names
    assert verdict(made.out, full=True) == GOOD
    return made


@pytest.fixture(autouse=True)
def same_afterwards(site: Site) -> Iterator[None]:
    """Every change was put back, so that none hid behind another."""
    before = {p: p.read_bytes() for p in (site.out, site.input, site.app)}
    yield
    assert all(p.read_bytes() == data for p, data in before.items())


def verdict(path: Path, *, full: bool = False) -> str:
    return verify(str(path), full=full).verdict


def table(path: Path) -> Image:
    with open_image(str(path)) as (_, image):
        return image


def objects(path: Path) -> list[Descriptor]:
    """What stands with the records, in the order in which it was written."""
    found = filter(stands_with_records, table(path).descriptors)
    return sorted(found, key=lambda d: d.offset)


@contextmanager
def patched(path: Path, changes: Sequence[Change]) -> Iterator[None]:
    """Changes bytes at offsets, and puts them back."""
    with path.open("r+b", buffering=0) as file:
        before = [(at, os.pread(file.fileno(), len(data), at)) for at, data in changes]
        try:
            for at, data in changes:
                os.pwrite(file.fileno(), data, at)
            yield
        finally:
            for at, data in before:
                os.pwrite(file.fileno(), data, at)


def flipped(path: Path, at: int, bits: int) -> Change:
    with path.open("rb") as file:
        file.seek(at)
        return at, bytes([file.read(1)[0] ^ bits])


def with_digest(path: Path, item: Descriptor, change: Change) -> list[Change]:
    """A change within an object, and the digest in its descriptor that fits then."""
    with open_image(str(path)) as (file, image):
        data = bytearray(read_object(file, item))
    start = change[0] - item.offset
    data[start : start + len(change[1])] = change[1]
    place = image.header.place(item.slot) + EXTRA_OFFSET
    return [change, (place, own_digest(item.datatype, bytes(data)))]


def test_every_byte_of_every_object(site: Site) -> None:
    """The digest in the descriptor is enough: so it holds of the newest record as of all others."""
    tried = 0
    for item in objects(site.out):
        for at in range(item.offset, item.end):
            change = flipped(site.out, at, 1 << at % 8)
            with patched(site.out, [change]), site.out.open("rb", buffering=0) as file:
                check = check_objects(file, load(file), ours=True)
            assert check.verdict is Verdict.BROKEN, (item, at - item.offset)
            tried += 1
    print(f"\n{tried} changes of a byte of an object")
    assert tried > 5000


def test_bytes_of_objects_whose_digest_was_written_anew(site: Site) -> None:
    """Then it is the chain that tells, of all records but the newest, and of all that they name."""
    chosen = random.Random(1)  # noqa: S311
    newest = [d for d in objects(site.out) if is_ours(d) and not is_bundle(d)][-1]
    older = [d for d in objects(site.out) if d != newest]
    tried = same = 0
    for item in older:
        before = content_of(site.out, item)
        for at in chosen.sample(range(item.offset, item.end), 600 // len(older)):
            change = flipped(site.out, at, 1 << chosen.randrange(8))
            lineage = text_of(item.name).startswith("metadata.lineage")
            # An ancestor that is there has the records too; only then are its copies needed.
            with (
                without(site.input) if lineage else nullcontext(),
                patched(site.out, with_digest(site.out, item, change)),
            ):
                if verdict(site.out) != BROKEN:
                    # A zlib stream can say the same in another way.
                    assert documents(content_of(site.out, item)) == documents(before)
                    same += 1
            tried += 1
    print(f"\n{tried} changes of a byte with a digest that fits, {same} of which changed no record")
    assert tried > 500 and same < 5


@contextmanager
def without(path: Path) -> Iterator[None]:
    """Takes a container away."""
    away = path.rename(path.with_suffix(".away"))
    try:
        # Not beside the output either, where it would be found by its UUID.
        with patched(away, [(32, b"no SIF")]):
            yield
    finally:
        away.rename(path)


def content_of(path: Path, item: Descriptor) -> bytes:
    with path.open("rb", buffering=0) as file:
        return read_object(file, item)


def documents(data: bytes) -> tuple[bytes, ...]:
    """What a bundle, or an object of lineage, holds."""
    return unpack(data, "sifprov.bundle/1" if b"sifprov.bundle/1" in data else "sifprov.lineage/1")


def places(path: Path) -> dict[bytes, list[int]]:
    """Where in the file the bytes of each file of a data container stand."""
    found = {}
    with open_container(str(path)) as (partition, fs):
        for node in fs.walk():
            if not node.is_file:
                continue
            size = 1024
            found[node.path] = [
                partition.offset + (begin + block) * size + byte
                for first, begin, count in node.inner.extents
                for block in range(count)
                for byte in range(min(size, node.size - (first + block) * size))
            ]
            assert len(found[node.path]) == node.size
    return found


def test_bytes_of_files(site: Site) -> None:
    chosen = random.Random(2)  # noqa: S311
    every = places(site.out)
    tried = 0
    for path, here in every.items():
        for at in {here[0], here[-1], *chosen.sample(here, 20)}:
            change = flipped(site.out, at, 1 << chosen.randrange(8))
            with patched(site.out, [change]):
                carrier = read_carrier(str(site.out), embedded=True)
                check = check_content(carrier, None, "", lambda text: None)
            assert check.verdict is Verdict.BROKEN
            assert "altered from outside" in check.text
            # The list of files names it.
            assert check.findings[1].text == f"{path.decode()} is changed"
            tried += 1
    with patched(site.out, [flipped(site.out, every[b"Outputs/sub/large"][9], 1)]):
        assert verdict(site.out) == BROKEN
    print(f"\n{tried} changes of a byte of a file")
    assert tried > 400


def test_bytes_of_an_ancestor(site: Site) -> None:
    chosen = random.Random(3)  # noqa: S311
    app = table(site.app).descriptors[0]
    wanted = [(site.app, at) for at in chosen.sample(range(app.offset, app.end), 100)]
    every = [at for here in places(site.input).values() for at in here]
    wanted += [(site.input, at) for at in chosen.sample(every, 150)]
    for path, at in wanted:
        with patched(path, [flipped(path, at, 1 << chosen.randrange(8))]):
            assert verdict(site.out, full=True) == BROKEN
    # Quick reads no content of ancestors, but their records.
    for item in objects(site.input):
        for at in chosen.sample(range(item.offset, item.end), 80):
            change = flipped(site.input, at, 1 << chosen.randrange(8))
            several = [[change]]
            # Of what an ancestor embeds, the digest beside it is all that is looked at.
            several += [with_digest(site.input, item, change)] if is_ours(item) else []
            for changes in several:
                with patched(site.input, changes):
                    assert verdict(site.out) == BROKEN, (item, at)
                wanted.append((site.input, at))
    print(f"\n{len(wanted)} changes of a byte of an ancestor")
    assert len(wanted) > 400


def test_names_links_and_what_may_be_executed(site: Site) -> None:
    """What the tree digest covers besides the bytes of files."""
    partition = table(site.out).descriptors[0]
    whole = site.out.read_bytes()
    for text, other in ((b"07.txt", b"87.txt"), (b"sub/large", b"sub/lange"), (b"sub", b"s\0b")):
        at = whole.index(text, partition.offset)
        assert at < partition.end
        with patched(site.out, [(at, other)]):
            assert verdict(site.out) == BROKEN, text
    with open_container(str(site.out)) as (_, fs):
        ino = next(node.ino for node in fs.walk() if node.path == b"Outputs/07.txt")
    at = whole.index(struct.pack("<H", 0o100644), inode_place(whole, partition.offset, ino))
    for mode, expected in ((0o100744, BROKEN), (0o120644, BROKEN), (0o100640, GOOD)):
        with patched(site.out, [(at, struct.pack("<H", mode))]):
            report = verify(str(site.out))
            assert report.verdict == expected, oct(mode)
    # Other permissions are no part of the content; the list of files tells them.
    assert "permissions of 1 file were changed" in str(report.to_json())


def inode_place(data: bytes, partition: int, ino: int) -> int:
    """Where an inode stands; the file system has blocks of 1 KiB."""
    per_group = int.from_bytes(data[partition + 1064 : partition + 1068], "little")
    group, number = divmod(ino - 1, per_group)
    at = partition + 2048 + group * 32 + 8
    return partition + int.from_bytes(data[at : at + 4], "little") * 1024 + number * 256


class Unsynced(FileDisk):
    """A disk that nobody waits for."""

    def sync(self) -> None:
        pass


Object = tuple[bytes, bytes, int]


def parts(path: Path) -> list[Object]:
    """Name, bytes and group of what stands with the records."""
    return [(text_of(d.name).encode(), content_of(path, d), d.group) for d in objects(path)]


def assembled(site: Site, several: Sequence[Object]) -> Path:
    """The output with these objects in place of its own."""
    path = site.folder / "other.sif"
    shutil.copyfile(site.out, path)
    with open_image(str(path), write=True) as (file, image):
        gone = [d for d in image.descriptors if stands_with_records(d)]
        for item in gone:
            os.pwrite(file.fileno(), b"\0", image.header.place(item.slot) + USED_OFFSET)
        end = min(d.offset for d in gone)
        os.ftruncate(file.fileno(), end)
        left = len(image.descriptors) - len(gone)
        os.pwrite(file.fileno(), *counters(image.header, left, end, image.header.modified))
    for name, data, group in several:
        new = NewObject(DataType.JSON, name, data, group)
        append(str(path), lambda *_, new=new: new, now=table(path).header.modified, disk=Unsynced)
    return path


def is_record(part: Object) -> bool:
    return part[0] == OBJECT_NAME.encode()


def lineage_verdict(path: Path) -> Verdict:
    return next(c.verdict for c in verify(str(path)).checks if c.name == "lineage")


def test_it_is_good_when_put_together_as_it_was(site: Site) -> None:
    assert verdict(assembled(site, parts(site.out)), full=True) == GOOD


def test_objects_removed_swapped_and_doubled(site: Site) -> None:
    every = parts(site.out)
    newest = max(n for n, part in enumerate(every) if is_record(part))
    with without(site.input):
        assert lineage_verdict(assembled(site, every)) is Verdict.GOOD
    tried = 0
    for number in range(len(every)):
        less = every[:number] + every[number + 1 :]
        if every[number][0].startswith(b"metadata.lineage"):
            # An ancestor that is there has what was embedded.
            with without(site.input):
                assert lineage_verdict(assembled(site, less)) is Verdict.MISSING, number
            continue
        if number != newest:
            assert verdict(assembled(site, less)) in (BROKEN, INCOMPLETE), number
        for at in range(len(every) + 1):
            if len(every) < 7:
                twice = [*every[:at], every[number], *every[at:]]
                assert verdict(assembled(site, twice)) == BROKEN, (number, at)
                tried += 1
    records = [n for n, part in enumerate(every) if is_record(part)]
    for one, other in combinations(records, 2):
        swapped = list(every)
        swapped[one], swapped[other] = every[other], every[one]
        assert verdict(assembled(site, swapped)) == BROKEN
        tried += 1
    print(f"\n{tried + len(every) - 1} containers with other objects")
    assert len(records) > 1 and tried > 10


def test_records_of_a_bundle(site: Site) -> None:
    every = parts(site.out)
    number = next(n for n, part in enumerate(every) if part[0] == BUNDLE_NAME.encode())
    inside = list(unpack(every[number][1]))
    alone = next(part[1] for part in every if is_record(part))
    others: list[list[bytes]] = []
    for n in range(len(inside)):
        others.append(inside[:n] + inside[n + 1 :])
        others.append([*inside[:n], inside[n], *inside[n:]])
        others.append([*inside[:n], alone, *inside[n:]])
    for one, other in combinations(range(len(inside)), 2):
        swapped = list(inside)
        swapped[one], swapped[other] = inside[other], inside[one]
        others.append(swapped)
    others += [inside[::-1], inside[:1], inside[1:]]
    for several in others:
        if not several:
            continue
        changed = list(every)
        changed[number] = (every[number][0], pack(several), every[number][2])
        made = assembled(site, changed)
        if alone in several and several.index(alone) == len(inside):
            continue
        assert verdict(made) == BROKEN, several
    print(f"\n{len(others)} other bundles")
    assert len(others) > 15


def test_what_an_unkeyed_chain_cannot_show(site: Site) -> None:
    """As docs/verify.md says: the loss of the newest records, where the content was not changed."""
    every = parts(site.out)
    newest = max(n for n, part in enumerate(every) if is_record(part))
    assert verdict(assembled(site, every[:newest] + every[newest + 1 :])) == GOOD


def unknown_key() -> Ask:
    """Nobody has the key: what the signatures speak of can be compared all the same."""
    return lambda group: Verified(reason="unknown entity", unknown=True)


def signature_verdict(path: Path) -> Verdict:
    with open_image(str(path)) as (file, image):
        return check_signatures(
            file, image, read_pieces(file, image, Findings("records")), unknown_key,
            full=True, required=False, changed=False, on_step=lambda text: None,
        ).verdict  # fmt: skip


def test_signed_records(site: Site) -> None:
    """A signature covers the newest record too, and what else is in its group."""
    every = parts(site.out)
    path = assembled(site, every)
    sign(path, 2)
    assert signature_verdict(path) is Verdict.NOT_CHECKED
    tried = 0
    for item in objects(path):
        for at in range(item.offset, item.end, 7):
            change = flipped(path, at, 1 << at % 8)
            with patched(path, with_digest(path, item, change)):
                assert signature_verdict(path) is Verdict.BROKEN, (item.id, at)
            tried += 1
    with open_image(str(path)) as (file, image):
        rows = [d for d in image.descriptors if d.datatype == DataType.SIGNATURE]
        signature = read_object(file, rows[0])
    for number in range(len(every)):
        # The loss of the newest one as well.
        path = assembled(site, every[:number] + every[number + 1 :])
        add_object(path, signature, datatype=DataType.SIGNATURE, link=GROUP_MASK | 2)
        assert signature_verdict(path) is Verdict.BROKEN, number
        tried += 1
    print(f"\n{tried} changes of what is signed")
    assert tried > 1000


def test_a_used_byte_that_is_cleared(site: Site) -> None:
    """Without mending the header it shows, of the newest record too."""
    image = table(site.out)
    for item in objects(site.out):
        place = image.header.place(item.slot) + USED_OFFSET
        with patched(site.out, [(place, b"\0")]):
            assert verdict(site.out) == BROKEN


def test_the_header_and_what_stands_where_nothing_may(site: Site) -> None:
    header = table(site.out).header
    end = header.descroff + header.descrlen
    hidden = [
        *range(128, 1024, 97),
        *range(2048, header.descroff, 97),
        *range(end, header.dataoff, 89),
    ]
    # A larger number of free slots is what a crash leaves.
    named = [*range(46), *range(47, 64), *range(81, 120)]
    for at in (*hidden, *named):
        with patched(site.out, [flipped(site.out, at, 4)]):
            assert verdict(site.out) == BROKEN, at
    # What fuse2fs writes there.
    with patched(site.out, [flipped(site.out, 1024 + 12, 4), flipped(site.out, 2047, 4)]):
        assert verdict(site.out) == GOOD
    (uuid,) = struct.unpack("16s", site.out.read_bytes()[48:64])
    assert uuid == header.uuid.bytes


def test_whatever_is_changed_verify_ends_with_a_verdict(site: Site) -> None:
    """Several bytes at once, in header, table, objects and the file system's own structures."""
    chosen = random.Random(4)  # noqa: S311
    image = table(site.out)
    partition = image.descriptors[0].offset
    areas = [(0, 128), (4096, image.header.dataoff), (partition, partition + 64 * 1024),
             (objects(site.out)[0].offset, image.size)]  # fmt: skip
    seen = set()
    for _ in range(250):
        start, end = chosen.choice(areas)
        changes = [
            (chosen.randrange(start, end), bytes([chosen.choice((0, 1, 0x7F, 0xFF))]))
            for _ in range(chosen.choice((1, 3, 20)))
        ]
        # Put back in the other order, for two may be at one place.
        with patched(site.out, list(dict(changes).items())):
            seen.add(verdict(site.out, full=True))
    assert seen >= {GOOD, BROKEN}
