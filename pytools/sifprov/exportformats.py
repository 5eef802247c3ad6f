"""The formats of `sifprov export` by name. What only one of them needs is imported for that one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sifprov.errors import MissingError, SifprovError
from sifprov.frozen import dataclass, replace
from sifprov.lineage import build
from sifprov.model.canonical import dumps as canonical
from sifprov.trail import Trail, read_trail
from sifprov.trailformats import script_text, write
from sifprov.verify import Report

if TYPE_CHECKING:
    from sifprov.export.crate.package import Wanted


@dataclass(frozen=True)
class Wishes:
    """What was asked for besides the format; each format takes some of it (`Format.takes`).

    `record` is the beginning of the id of the run or making that is meant, `license` a licence in
    words or as an address. `with_data` copies the containers into the package. `key` is a private
    key in a PEM file, with the `passphrase` that it has; `file_digest` speaks of the file's bytes.
    """

    record: str = ""
    license: str = ""
    with_data: bool = False
    key: str = ""
    passphrase: str = ""
    file_digest: bool = False


@dataclass(frozen=True)
class Format:
    """How a trail is exported: as a text, and where `package` is given as files at a path too.

    `takes` are the fields of Wishes that mean something here.
    """

    text: Callable[[Trail, Wishes], str]
    package: Callable[[Trail, Wishes, str], None] | None = None
    takes: frozenset[str] = frozenset()


def _oci(trail: Trail, wishes: Wishes) -> str:
    from sifprov.export.made import made
    from sifprov.export.oci import document

    it = made(build(trail), trail.start.identity.path, wishes.record, trail.records)
    return _dumps(document(it, wishes.license))


def _in_toto(trail: Trail, wishes: Wishes) -> str:
    from sifprov.export.dsse import dumps, sign
    from sifprov.export.intoto import statement
    from sifprov.export.made import made
    from sifprov.export.subject import sha256_now, speaks_of_file

    path = trail.start.identity.path
    it = made(build(trail), path, wishes.record, trail.records)
    of_file = speaks_of_file(trail.start, it, asked=wishes.file_digest)
    told = statement(it.record, it.entity.name, sha256_now(path) if of_file else None)
    if not wishes.key:
        return _dumps(told)
    return dumps(sign(canonical(told), wishes.key, wishes.passphrase))


def _crate(trail: Trail, wishes: Wishes) -> str:
    if wishes.with_data:
        raise SifprovError("--with-data needs a place for the files", hint="say it with -o")
    with _library("ro-crate", "crate"):
        from sifprov.export.crate.package import metadata

        return metadata(build(trail), _wanted_crate(trail, wishes))


def _crate_files(trail: Trail, wishes: Wishes, path: str) -> None:
    with _library("ro-crate", "crate"):
        from sifprov.export.crate.package import write

        write(build(trail), _wanted_crate(trail, wishes), path)


def attested(
    report: Report,
    path: str,
    attestation: str,
    public_key: str | None = None,
    search: Iterable[str] = (),
    *,
    metadata: str = "",
    full: bool = False,
) -> Report:
    """Returns a report with one check more: that of the statement in the file `attestation` about
    the container at `path`. Raises FileError, MissingError, NoRecordError."""
    from sifprov.digestcache import DigestCache
    from sifprov.export.attestation import check_attestation
    from sifprov.settings import load

    trail = read_trail(path, search, metadata)
    cache = None if full else DigestCache(load())
    check = check_attestation(trail, attestation, public_key, cache)
    return replace(report, checks=(*report.checks, check))


def _wanted_crate(trail: Trail, wishes: Wishes) -> Wanted:
    from sifprov.export.crate.package import Wanted

    return Wanted(wishes.license, wishes.with_data, script_text(trail))


def _snakefile(trail: Trail, wishes: Wishes) -> str:
    from sifprov.workflow.exported import snakefile_of

    return snakefile_of(build(trail))


def _snakemake_files(trail: Trail, wishes: Wishes, path: str) -> None:
    from sifprov.workflow.exported import write

    write(build(trail), path)


@contextmanager
def _library(what: str, extra: str) -> Iterator[None]:
    """Says how to get what a format needs and is not there."""
    try:
        yield
    except ImportError as error:
        raise MissingError(
            f"what writes {what} is not installed: {error}",
            hint=f"pip install 'sifprov[{extra}]'",
        ) from error


def _dumps(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=True, sort_keys=True) + "\n"


FORMATS: Mapping[str, Format] = {
    "in-toto": Format(_in_toto, takes=frozenset({"record", "key", "passphrase", "file_digest"})),
    "oci": Format(_oci, takes=frozenset({"record", "license"})),
    "ro-crate": Format(_crate, _crate_files, frozenset({"license", "with_data"})),
    "snakemake": Format(_snakefile, _snakemake_files),
}


def export(trail: Trail, name: str, wishes: Wishes, output: str | None = None) -> str | None:
    """Returns a trail in the format of this name; with `output` writes it to that path instead, and
    returns None.

    A text replaces a file of that name; a package never replaces anything. Raises SifprovError for
    a format or wish that is none, MissingError without what the format needs, FileError,
    NoRecordError.
    """
    chosen = format_named(name, wishes)
    if output and chosen.package:
        chosen.package(trail, wishes, output)
    elif output:
        write(output, chosen.text(trail, wishes))
    else:
        return chosen.text(trail, wishes)
    return None


def format_named(name: str, wishes: Wishes) -> Format:
    """Returns the format of this name. Raises SifprovError for none, and for a wish that means
    nothing to it."""
    if name not in FORMATS:
        raise SifprovError(
            f"there is no format {name!r}", hint=f"choose from {', '.join(sorted(FORMATS))}"
        )
    found = FORMATS[name]
    for wish, value in vars(wishes).items():
        if value and wish not in found.takes:
            others = ", ".join(n for n, f in sorted(FORMATS.items()) if wish in f.takes)
            raise SifprovError(
                f"--{wish.replace('_', '-')} means nothing to {name}",
                hint=f"leave it out; it is for {others}",
            )
    return found
