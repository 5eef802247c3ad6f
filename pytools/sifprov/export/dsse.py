"""Signed envelopes (DSSE): what was signed is the payload's bytes and their type, encoded so that
no two pairs of them are the same bytes:

    DSSEv1 LEN(type) type LEN(payload) payload

Keys are PEM files: Ed25519, or ECDSA on P-256 with SHA-256 (in DER, as others write it). Source:
secure-systems-lab/dsse, protocol and envelope 1.0.2. The library `cryptography` is imported here
alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import TYPE_CHECKING, TypeAlias

from sifprov.errors import FileError, MissingError, RecordError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, loads
from sifprov.model.reader import Reader

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        ECDSA,
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

    PrivateKey: TypeAlias = Ed25519PrivateKey | EllipticCurvePrivateKey
    PublicKey: TypeAlias = Ed25519PublicKey | EllipticCurvePublicKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_FILE = 64 * 1024 * 1024
_MAX_KEY = 64 * 1024
_MAX_SIGNATURES = 64
_KINDS = "an Ed25519 or ECDSA P-256 key"


@dataclass(frozen=True)
class Signature:
    """A signature and what its maker calls the key (nothing relies on that)."""

    key_id: str
    data: bytes


@dataclass(frozen=True)
class Envelope:
    """A payload of some type, and the signatures on it."""

    type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    def to_json(self) -> Json:
        """Returns the JSON object."""
        return {
            "payload": base64.b64encode(self.payload).decode("ascii"),
            "payloadType": self.type,
            "signatures": [
                {"keyid": s.key_id, "sig": base64.b64encode(s.data).decode("ascii")}
                for s in self.signatures
            ],
        }

    @classmethod
    def from_bytes(cls, data: bytes) -> Envelope:
        """Reads an envelope. Raises RecordError. Members that are not known are passed over, as the
        protocol demands."""
        r = Reader(loads(data), "")
        payload = _base64(r.text("payload"), "payload")
        return cls(r.text("payloadType"), payload, r.items("signatures", _signature))


def encoding(type_: str, payload: bytes) -> bytes:
    """Returns what is signed."""
    kind = type_.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, key_path: str, passphrase: str = "") -> Envelope:
    """Signs a statement with the private key in a PEM file. Raises FileError, MissingError."""
    key = _private(key_path, passphrase)
    message = encoding(PAYLOAD_TYPE, payload)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if isinstance(key, Ed25519PrivateKey):
        made = Signature(key_id(key.public_key()), key.sign(message))
    else:
        made = Signature(key_id(key.public_key()), key.sign(message, _sha256()))
    return Envelope(PAYLOAD_TYPE, payload, (made,))


def signer(envelope: Envelope, key_path: str) -> str | None:
    """Returns the id of the public key in a PEM file where it made one of the signatures; else
    None. Raises FileError, MissingError."""
    key = _public(key_path)
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    message = encoding(envelope.type, envelope.payload)
    for signature in envelope.signatures[:_MAX_SIGNATURES]:
        try:
            if isinstance(key, Ed25519PublicKey):
                key.verify(signature.data, message)
            else:
                key.verify(signature.data, message, _sha256())
        except InvalidSignature:
            continue
        return key_id(key)
    return None


def key_id(key: PublicKey) -> str:
    """Returns the id of a key: the SHA-256 of its SubjectPublicKeyInfo, as hex digits."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    data = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(data).hexdigest()


def _private(path: str, passphrase: str) -> PrivateKey:
    data = read_file(path, _MAX_KEY)
    with_library()
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    secret = passphrase.encode("utf-8", "surrogateescape") or None
    try:
        key = load_pem_private_key(data, secret)
    except TypeError as error:
        # The library's way to say that a passphrase is missing, or is one too many.
        if secret is None:
            raise FileError(
                f"{path}: has a passphrase", hint="give it in $SIFPROV_KEY_PASSPHRASE"
            ) from error
        return _private(path, "")
    except Exception as error:
        raise FileError(f"{path}: cannot be read as {_KINDS}", hint=_HINT) from error
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    raise FileError(f"{path}: is not {_KINDS}", hint=_HINT)


_HINT = "'openssl genpkey -algorithm ed25519 -out key.pem' makes one"


def _public(path: str) -> PublicKey:
    data = read_file(path, _MAX_KEY)
    with_library()
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    hint = "'openssl pkey -in key.pem -pubout -out public.pem' writes it"
    try:
        key = load_pem_public_key(data)
    except Exception as error:
        raise FileError(f"{path}: cannot be read as a public key", hint=hint) from error
    if isinstance(key, Ed25519PublicKey):
        return key
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key
    raise FileError(f"{path}: is not {_KINDS}", hint=hint)


def with_library() -> None:
    """Raises MissingError where the library that signs is not installed."""
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise MissingError(
            "the library that signs and verifies is not installed",
            hint="pip install 'sifprov[sign]'",
        ) from error


def _sha256() -> ECDSA:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    return ECDSA(SHA256())


def read_file(path: str, limit: int = MAX_FILE) -> bytes:
    """Returns the bytes of a file of at most `limit` bytes. Raises FileError."""
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error
    if len(data) > limit:
        raise FileError(f"{path}: more than {limit} bytes")
    return data


def dumps(envelope: Envelope) -> str:
    """Returns the text of an envelope's file."""
    return json.dumps(envelope.to_json(), indent=2, sort_keys=True) + "\n"


def _signature(value: Json, path: str) -> Signature:
    r = Reader(value, path)
    id_ = r.text("keyid") if r.has("keyid") else ""
    return Signature(id_, _base64(r.text("sig"), r.path("sig")))


def _base64(text: str, path: str) -> bytes:
    """Reads base64 in either alphabet. Raises RecordError."""
    try:
        plain = text.translate(str.maketrans("-_", "+/"))
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RecordError(path, "not base64") from error
