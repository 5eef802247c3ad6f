"""Statements about containers: what they say, who signs them, and what `verify` makes of them."""

from __future__ import annotations

import base64
import builtins
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import (  # type: ignore[attr-defined]
    CryptoSigner,
    SSlibKey,
)
from tests.unit.graphmaker import Sample, trail_of
from tests.unit.graphs import SAMPLES
from tests.unit.schemas import problems
from tests.unit.verified import Site, make_site

import sifprov
from sifprov.cli import main
from sifprov.errors import FileError, MissingError, RecordError, SifprovError
from sifprov.export.dsse import PAYLOAD_TYPE, encoding, key_id, sign, signer
from sifprov.export.dsse import Envelope as Ours
from sifprov.export.intoto import statement
from sifprov.export.made import made
from sifprov.exportformats import FORMATS, Wishes, format_named
from sifprov.frozen import replace
from sifprov.lineage import build
from sifprov.model.graph import Graph
from sifprov.placement import SIDECAR, Place
from sifprov.sidecar import EXTENSION
from sifprov.trail import read_trail
from sifprov.verify import BROKEN, GOOD, INCOMPLETE, Check, Report, Verdict

KINDS = {"ed25519": ("ed25519",), "p256": ("EC", "-pkeyopt", "ec_paramgen_curve:P-256")}


def make_key(folder: Path, kind: str, name: str = "key", *more: str) -> tuple[Path, Path]:
    """A private key and its public one, as people make them."""
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    algorithm, *options = KINDS.get(kind, kind.split())
    make = ["openssl", "genpkey", "-algorithm", algorithm, *options, *more, "-out", str(private)]
    subprocess.run(make, check=True, capture_output=True)
    given = ["-passin", more[-1]] if more else []
    tell = ["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public), *given]
    subprocess.run(tell, check=True, capture_output=True)
    return private, public


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    found = make_site(tmp_path_factory.mktemp("site"), files=3)
    found.run()
    return found


@pytest.fixture(scope="module", params=KINDS)
def key(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    return make_key(tmp_path_factory.mktemp("keys"), request.param)


def cli(*argv: str | Path) -> Any:
    return CliRunner().invoke(main, list(map(str, argv)), catch_exceptions=True)


def told(path: Path, wishes: Wishes | None = None) -> dict[str, Any]:
    text = FORMATS["in-toto"].text(read_trail(str(path)), wishes or Wishes())
    found: dict[str, Any] = json.loads(text)
    return found


def check(path: Path, attestation: Path, public: Path | None = None) -> tuple[Report, Check]:
    report = sifprov.open(path).verify(attestation=attestation, public_key=public)
    return report, report.checks[-1]


def written(folder: Path, value: Any) -> Path:
    place = folder / "statement.json"
    place.write_text(json.dumps(value), encoding="utf-8")
    return place


# -- what a statement says


@pytest.mark.parametrize("make", SAMPLES.values(), ids=SAMPLES)
def test_somebody_elses_library_reads_it(make: Callable[[], Graph]) -> None:
    graph = make()
    it = made(graph, "x")
    found = statement(it.record, it.entity.name)
    message = json_format.ParseDict(found, statement_pb2.Statement())
    read = Statement.copy_from_pb(message)
    read.validate()
    assert read.pb.predicate_type == "https://slsa.dev/provenance/v1"
    (subject,) = read.pb.subject
    assert it.entity.digest
    assert dict(subject.digest) == {"sifprov-tree-v1": it.entity.digest.partition(":")[2]}
    # No field that the predicate's own definition does not know.
    predicate = json_format.ParseDict(found["predicate"], provenance_pb2.Provenance())
    assert predicate.run_details.metadata.invocation_id == str(it.record.id)
    assert len(predicate.build_definition.resolved_dependencies) >= 2


def test_the_outputs_of_one_run_are_told_apart() -> None:
    s = Sample()
    a, b = s.run(s.application(), (s.plain("in"),), "a.sif", "b.sif")
    # Of the first run both records are at hand, for b has read a since.
    (later,) = s.run(s.application(), (a,), b)
    trail = trail_of(s.graph(later))
    ours = made(build(trail), "x", b.generated_by or "", trail.records)
    assert len(ours.activity.digests) == 2
    value = (b.digest or "").partition(":")[2]
    assert statement(ours.record, "x")["subject"] == [
        {"digest": {"sifprov-tree-v1": value}, "name": "b.sif"}
    ]
    assert ours.record.container == b.uuid


def test_of_a_making_the_source_is_what_it_depends_on(site: Site) -> None:
    found = told(site.input)
    definition = found["predicate"]["buildDefinition"]
    assert definition["buildType"].endswith("#making-v1")
    assert definition["externalParameters"] == {"source": str(site.folder / "source")}
    (source,) = definition["resolvedDependencies"]
    assert source["annotations"]["role"] == "source"
    assert source["digest"] == found["subject"][0]["digest"]
    assert found["subject"][0]["name"] == "in.sif"


def test_texts_stay_what_they_are() -> None:
    graph = SAMPLES["hostile"]()
    record = list(graph.activities.values())[-2].record
    assert record
    assert record.run
    found: Any = statement(record, "x")
    argv = found["predicate"]["buildDefinition"]["externalParameters"]["argv"]
    for word, recorded in zip(argv, record.run.argv, strict=True):
        raw = base64.b64decode(word["base64"]) if isinstance(word, dict) else str(word).encode()
        assert raw == recorded.encode("utf-8", "surrogateescape")
    json.dumps(found, ensure_ascii=False).encode()


def test_without_a_content_digest_it_says_so() -> None:
    s = Sample()
    (end,) = s.run(s.application(), (s.plain("in"),), "a.sif")
    graph = s.graph(end)
    it = made(graph, "x")
    unread = tuple(replace(c, digest=None, reason="in use") for c in it.record.containers)
    bare = replace(it.record, containers=unread)
    with pytest.raises(MissingError, match=r"a\.sif: its record tells no content digest: in use"):
        statement(bare, "a.sif")
    assert statement(bare, "a.sif", "f" * 64)["subject"] == [
        {"digest": {"sha256": "f" * 64}, "name": "a.sif"}
    ]


def test_the_same_record_gives_the_same_bytes(site: Site, key: tuple[Path, Path]) -> None:
    texts = {FORMATS["in-toto"].text(read_trail(str(site.out)), Wishes()) for _ in range(2)}
    assert len(texts) == 1
    payloads = {told(site.out, Wishes(key=str(key[0])))["payload"] for _ in range(2)}
    assert len(payloads) == 1


# -- signatures


def test_somebody_elses_library_verifies_the_envelope(site: Site, key: tuple[Path, Path]) -> None:
    private, public = key
    found = told(site.out, Wishes(key=str(private)))
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    theirs = load_pem_public_key(public.read_bytes())
    ours = key_id(theirs)  # type: ignore[arg-type]
    good = SSlibKey.from_crypto(theirs, keyid=ours)
    envelope = Envelope.from_dict(json.loads(json.dumps(found)))
    assert set(envelope.verify([good], 1)) == {ours}
    assert json.loads(envelope.payload) == told(site.out)
    assert envelope.payload_type == PAYLOAD_TYPE
    changed = Envelope(envelope.payload + b" ", envelope.payload_type, envelope.signatures)
    with pytest.raises(VerificationError):
        changed.verify([good], 1)


def test_what_somebody_elses_library_signs_is_verified(tmp_path: Path) -> None:
    theirs = CryptoSigner.generate_ed25519()
    envelope = Envelope(b"{}", PAYLOAD_TYPE, {})
    envelope.sign(theirs)
    public = tmp_path / "public.pem"
    public.write_text(
        "-----BEGIN PUBLIC KEY-----\n"
        + base64.b64encode(
            bytes.fromhex("302a300506032b6570032100" + theirs.public_key.keyval["public"])
        ).decode()
        + "\n-----END PUBLIC KEY-----\n",
        encoding="ascii",
    )
    ours = Ours.from_bytes(json.dumps(envelope.to_dict()).encode())
    assert signer(ours, str(public)) is not None


def test_openssl_verifies_what_was_signed(tmp_path: Path) -> None:
    private, public = make_key(tmp_path, "p256")
    envelope = sign(b"payload", str(private))
    (tmp_path / "message").write_bytes(encoding(PAYLOAD_TYPE, b"payload"))
    (tmp_path / "signature").write_bytes(envelope.signatures[0].data)
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-verify", public, "-signature", tmp_path / "signature",
         tmp_path / "message"], check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "Verified OK\n"


def test_the_encoding_is_the_protocols() -> None:
    assert encoding("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@pytest.mark.parametrize(
    ("kind", "said"),
    [("RSA", "is not an Ed25519"), ("EC -pkeyopt ec_paramgen_curve:P-384", "is not an Ed25519")],
)
def test_other_keys_are_refused(kind: str, said: str, tmp_path: Path) -> None:
    private, public = make_key(tmp_path, kind)
    with pytest.raises(FileError, match=said) as caught:
        sign(b"x", str(private))
    assert caught.value.hint
    envelope = sign(b"x", str(make_key(tmp_path, "ed25519", "good")[0]))
    with pytest.raises(FileError, match=said):
        signer(envelope, str(public))


@pytest.mark.parametrize(
    "content", [b"", b"x", b"-----BEGIN PRIVATE KEY-----\nAAAA\n", b"\xff" * 99]
)
def test_what_is_no_key_is_refused(content: bytes, tmp_path: Path) -> None:
    place = tmp_path / "key.pem"
    place.write_bytes(content)
    with pytest.raises(FileError, match=r"key\.pem: cannot be read as"):
        sign(b"x", str(place))
    with pytest.raises(FileError, match="No such file"):
        sign(b"x", str(tmp_path / "none.pem"))


def test_a_key_with_a_passphrase(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = make_key(tmp_path, "ed25519", "k", "-aes-256-cbc", "-pass", "pass:secret")
    with pytest.raises(FileError, match="has a passphrase") as caught:
        sign(b"x", str(private))
    assert caught.value.hint == "give it in $SIFPROV_KEY_PASSPHRASE"
    with pytest.raises(FileError, match="cannot be read"):
        sign(b"x", str(private), "wrong")
    assert signer(sign(b"x", str(private), "secret"), str(public))
    monkeypatch.setenv("SIFPROV_KEY_PASSPHRASE", "secret")
    out = tmp_path / "x.json"
    done = cli("export", site.out, "--format", "in-toto", "--key", private, "-o", out)
    assert done.exit_code == 0, done.output
    assert check(site.out, out, public)[0].verdict == GOOD
    plain, _ = make_key(tmp_path, "ed25519", "plain")
    assert sign(b"x", str(plain), "needless").payload == b"x"


def test_without_the_library_it_says_what_to_install(
    site: Site, key: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def no_library(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "cryptography":
            raise ImportError
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_library)
    assert told(site.out)
    with pytest.raises(MissingError) as caught:
        told(site.out, Wishes(key=str(key[0])))
    assert caught.value.hint == "pip install 'sifprov[sign]'"


# -- what verify says


def test_a_signed_statement_of_what_is_here_is_good(
    site: Site, key: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.intoto.json"
    done = cli("export", site.out, "--format", "in-toto", "--key", key[0], "-o", out)
    assert (done.exit_code, done.output) == (0, "")
    report, found = check(site.out, out, key[1])
    assert report.verdict == GOOD
    assert found.text.startswith("signed by the key ")
    done = cli("verify", "--attestation", out, "--public-key", key[1], site.out)
    assert done.exit_code == 0, done.output
    assert "attestation" in done.output
    assert problems("sifprov.verify/1", json.loads(json.dumps(report.to_json()))) == []


def test_a_signature_that_nobody_checks_is_missing(
    site: Site, key: tuple[Path, Path], tmp_path: Path
) -> None:
    out = written(tmp_path, told(site.out, Wishes(key=str(key[0]))))
    report, found = check(site.out, out)
    assert report.verdict == INCOMPLETE
    assert "--public-key" in found.text


def test_one_that_is_not_signed_says_only_what_the_records_say(site: Site, tmp_path: Path) -> None:
    out = written(tmp_path, told(site.out))
    report, found = check(site.out, out)
    assert report.verdict == GOOD
    assert found.text.startswith("not signed")
    _, public = make_key(tmp_path, "ed25519")
    assert check(site.out, out, public)[1].text == "it is not signed"
    assert check(site.out, out, public)[0].verdict == BROKEN


def test_another_key_is_told(site: Site, key: tuple[Path, Path], tmp_path: Path) -> None:
    out = written(tmp_path, told(site.out, Wishes(key=str(key[0]))))
    for kind in KINDS:
        _, other = make_key(tmp_path, kind, kind)
        report, found = check(site.out, out, other)
        assert report.verdict == BROKEN
        assert "no signature on it is valid" in found.text


def change(value: dict[str, Any], *path: str | int, to: Any) -> None:
    at: Any = value
    for step in path[:-1]:
        at = at[step]
    if to is None:
        del at[path[-1]]
    else:
        at[path[-1]] = to


DEFINITION, DETAILS = ("predicate", "buildDefinition"), ("predicate", "runDetails")
LIES: dict[str, tuple[tuple[str | int, ...], Any, str]] = {
    "command": ((*DEFINITION, "externalParameters", "argv", 0), "apptainer", "its buildDefinition"),
    "environment": ((*DEFINITION, "externalParameters", "environment", "A"), "b", "its buildD"),
    "application": ((*DEFINITION, "resolvedDependencies", 0, "digest", "sifprov-image-v1"),
                    "f" * 64, "its buildDefinition"),
    "an input less": ((*DEFINITION, "resolvedDependencies", 1), None, "its buildDefinition"),
    "fact": ((*DEFINITION, "internalParameters", "facts"), {"x": {"value": 1}}, "its buildD"),
    "runtime": ((*DEFINITION, "internalParameters", "runtime", "version"), "1", "its buildD"),
    "builder": ((*DETAILS, "builder", "id"), "https://example.org/", "its runDetails"),
    "time": ((*DETAILS, "metadata", "startedOn"), "2001-01-01T00:00:00Z", "its runDetails"),
    "a fraction": ((*DETAILS, "metadata", "startedOn"), 1.5, "its runDetails"),
    "end": ((*DETAILS, "byproducts", 0, "annotations", "exitCode"), 1, "its runDetails"),
    "id": ((*DETAILS, "metadata", "invocationId"), "0" * 8 + "-0000-4000-8000-" + "0" * 12,
           "no record here has the id"),
    "no id": ((*DETAILS, "metadata", "invocationId"), None, "no record here has the id"),
    "more": (("predicate", "extra"), 1, "more or less"),
    "much more": (("extra",), 1, "more or less"),
    "type": (("predicateType",), "https://slsa.dev/provenance/v0.2", "is no statement"),
    "no predicate": (("predicate",), 7, "no record here"),
    "content": (("subject", 0, "digest", "sifprov-tree-v1"), "f" * 64, "and it speaks of"),
    "scheme": (("subject", 0, "digest"), {"sifprov-image-v1": "f" * 64}, "and it speaks of"),
    "file": (("subject", 0, "digest", "sha256"), "f" * 64, "the file's SHA-256 is"),
    "no digest": (("subject", 0, "digest"), {}, "it names no digest"),
    "no subject": (("subject",), [], "it names no digest"),
    "unknown digest": (("subject", 0, "digest"), {"md5": "0"}, "it names no digest"),
    "two subjects": (("subject",), "twice", "more than one thing"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
@pytest.mark.parametrize("signed", [False, True])
def test_every_lie_is_found(name: str, signed: bool, site: Site, tmp_path: Path) -> None:
    path, to, said = LIES[name]
    value = told(site.out)
    change(value, *path, to=value["subject"] * 2 if to == "twice" else to)
    public = None
    if signed:
        private, public = make_key(tmp_path, "ed25519")
        data = json.dumps(value).encode()
        value = json.loads(json.dumps(sign(data, str(private)).to_json()))
    report, found = check(site.out, written(tmp_path, value), public)
    assert report.verdict == BROKEN
    assert said in "\n".join(f.text for f in found.findings)


@pytest.mark.parametrize("part", ["payload", "sig", "payloadType"])
def test_a_changed_envelope_is_found(
    part: str, site: Site, key: tuple[Path, Path], tmp_path: Path
) -> None:
    value = told(site.out, Wishes(key=str(key[0])))
    if part == "payload":
        data = base64.b64decode(value["payload"]).replace(b"singularity-ce", b"singularity-xx")
        value["payload"] = base64.b64encode(data).decode()
    elif part == "sig":
        data = base64.b64decode(value["signatures"][0]["sig"])
        data = data[:-1] + bytes([data[-1] ^ 1])
        value["signatures"][0]["sig"] = base64.b64encode(data).decode()
    else:
        value["payloadType"] = "text/plain"
    report, found = check(site.out, written(tmp_path, value), key[1])
    assert report.verdict == BROKEN
    assert "no signature on it is valid" in "\n".join(f.text for f in found.findings)


def test_what_was_signed_as_something_else_is_no_statement(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = make_key(tmp_path, "ed25519")
    data = json.dumps(told(site.out)).encode()
    monkeypatch.setattr("sifprov.export.dsse.PAYLOAD_TYPE", "text/plain")
    value = json.loads(json.dumps(sign(data, str(private)).to_json()))
    report, found = check(site.out, written(tmp_path, value), public)
    assert report.verdict == BROKEN
    assert "has the type text/plain" in found.text


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"[]", b"7", b'{"payload": 7}', b'{"payload": "!", "payloadType": "x"}',
     b'{"payload": "e30=", "payloadType": "x", "signatures": 7}', b'{"a": 1, "a": 2}',
     b"[" * 100_000, b'{"payload": "AAAA", "payloadType": "x", "signatures": []}'],
)  # fmt: skip
def test_what_is_no_statement_gets_one_line(content: bytes, site: Site, tmp_path: Path) -> None:
    place = tmp_path / "x.json"
    place.write_bytes(content)
    with pytest.raises(FileError, match=r"x\.json: ") as caught:
        check(site.out, place)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode) | st.builds(
    lambda value: json.dumps(value).encode(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.sampled_from(["payload", "payloadType", "signatures", "sig", "keyid"]), inner
        ),
        max_leaves=12,
    ),
))  # fmt: skip
def test_any_bytes_are_an_envelope_or_one_line(data: bytes) -> None:
    try:
        found = Ours.from_bytes(data)
    except RecordError as error:
        assert "\n" not in str(error)
    else:
        assert Ours.from_bytes(json.dumps(found.to_json()).encode()) == found


def test_a_statement_of_another_container_is_not_about_what_is_here(tmp_path: Path) -> None:
    site = make_site(tmp_path, files=2)
    site.run()
    first = written(tmp_path, told(site.out))
    assert check(site.out, first)[0].verdict == GOOD
    other = make_site(tmp_path / "other", files=4)
    other.run()
    report, found = check(other.out, first)
    assert report.verdict == BROKEN
    said = "\n".join(f.text for f in found.findings)
    assert "it speaks of tree-v1:" in said
    assert "no record here has the id" in said


def test_records_that_stand_elsewhere(tmp_path: Path) -> None:
    site = make_site(tmp_path, files=2)
    place = tmp_path / f"all{EXTENSION}"
    site.run(place=Place(SIDECAR, str(place)))
    it = sifprov.open(site.out, metadata=place)
    out = tmp_path / "statement.json"
    for path in (site.out, place):
        sifprov.open(path, metadata=place).export("in-toto", out)
        assert json.loads(out.read_bytes())["subject"][0]["name"] == "out.sif"
        checks = {c.name: c for c in it.verify(attestation=out).checks}
        assert checks["attestation"].verdict is Verdict.GOOD
    found = sifprov.open(place).verify(attestation=out).checks[-1]
    assert found.verdict is Verdict.MISSING
    assert "name the container itself" in found.text


def test_the_bytes_of_the_file_are_meant_where_that_is_asked_for(tmp_path: Path) -> None:
    site = make_site(tmp_path, files=2)
    site.run()
    place = written(tmp_path, told(site.out, Wishes(file_digest=True)))
    assert check(site.out, place)[0].verdict == GOOD
    sifprov.open(site.out).annotate(notes=["later"])
    report, found = check(site.out, place)
    assert report.verdict == BROKEN
    assert "the file was written to since" in "\n".join(f.text for f in found.findings)
    # Words change no content: a statement of that alone still holds.
    assert check(site.out, written(tmp_path, told(site.out)))[0].verdict == GOOD


def test_of_a_sealed_container_the_bytes_are_meant(tmp_path: Path) -> None:
    site = make_site(tmp_path, files=2)
    site.run()
    sifprov.open(site.out).seal(tmp_path / "sealed.sif")
    sealed = tmp_path / "sealed.sif"
    found = told(sealed)
    assert set(found["subject"][0]["digest"]) == {"sha256", "sifprov-tree-v1"}
    assert check(sealed, written(tmp_path, found))[0].verdict == GOOD
    with sealed.open("ab") as file:
        file.write(b"\0")
    assert check(sealed, written(tmp_path, found))[0].verdict == BROKEN


def test_an_older_record_has_no_file_any_more(tmp_path: Path) -> None:
    site = make_site(tmp_path, files=2)
    site.run()
    older = told(site.out)["predicate"]["runDetails"]["metadata"]["invocationId"]
    site.run()
    assert told(site.out, Wishes(record=older[:13]))
    with pytest.raises(SifprovError, match="is not what that record left"):
        told(site.out, Wishes(record=older, file_digest=True))


def test_a_public_key_alone_is_a_usage_error(site: Site, key: tuple[Path, Path]) -> None:
    done = cli("verify", "--public-key", key[1], site.out)
    assert done.exit_code != 0
    assert "--public-key needs --attestation" in str(done.exception or done.output) + done.output


# -- the verb


@pytest.mark.parametrize(
    ("format_", "wish", "others"),
    [
        ("oci", Wishes(key="x"), "in-toto"),
        ("in-toto", Wishes(with_data=True), "ro-crate"),
        ("in-toto", Wishes(license="x"), "oci, ro-crate"),
        ("ro-crate", Wishes(record="1"), "in-toto, oci"),
    ],
)
def test_what_means_nothing_to_a_format_is_refused(format_: str, wish: Wishes, others: str) -> None:
    with pytest.raises(SifprovError, match=f"means nothing to {format_}") as caught:
        format_named(format_, wish)
    assert others in (caught.value.hint or "")
    with pytest.raises(SifprovError, match="there is no format"):
        format_named("x", Wishes())


def test_from_python_it_is_the_same(site: Site, tmp_path: Path) -> None:
    it = sifprov.open(site.out)
    for name in ("in-toto", "oci", "ro-crate"):
        done = cli("export", site.out, "--format", name)
        assert done.exit_code == 0, done.output
        assert it.export(name) == done.output
    assert it.export("ro-crate", tmp_path / "crate", with_data=True) is None
    copied = sorted(p.name for p in (tmp_path / "crate" / "containers").iterdir())
    assert copied == ["app.sif", "in.sif", "out.sif"]
    with pytest.raises(SifprovError, match="needs a place"):
        it.export("ro-crate", with_data=True)
    text = it.export("oci")
    assert text
    it.export("oci", tmp_path / "a.json", record="")
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == text
