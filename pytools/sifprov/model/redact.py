"""Hides secrets in a command line before anything of it is kept.

By the name of an option or a variable (`--password X`, `--api-key=X`, `--env DB_TOKEN=X`) and by
shape (URLs with a password, well-known token forms, bearer headers, private keys). What hides
behind a name that says nothing, such as `-p`, cannot be known.

A run with a hidden argument cannot be replayed, so what is harmless must stay as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

HIDDEN = "[redacted]"

_WORDS = {
    "apikey", "apitoken", "authtoken", "credential", "credentials", "passphrase", "passwd",
    "password", "pgpassword", "pwd", "secret", "secrets", "token",
}  # fmt: skip
# Words that say little as an option (`-pass 1`), but much as a variable (`DB_PASS`).
_VARIABLE_WORDS = {"AUTH", "PASS", "PAT"}
_WORD_ENDS = ("passphrase", "passwd", "password")
_BEFORE_KEY = {
    "access", "account", "api", "auth", "encryption", "master", "private", "secret", "shared",
    "signing",
}  # fmt: skip
_BEFORE_PASS = {"db", "ftp", "http", "mail", "proxy", "smtp", "ssh", "user"}
_PAIRS = {(w, "key") for w in _BEFORE_KEY} | {(w, "pass") for w in _BEFORE_PASS}
# One of these stands, in lower case, in every name that sounds secret, or PAT: for all others no
# pattern is even compiled.
_STEMS = ("auth", "credential", "key", "pass", "pwd", "secret", "token")
# `--password-file` names a file, `--token-count` a number, `--password-stdin` is a switch.
_HARMLESS_ENDS = {
    "count", "dir", "env", "fd", "file", "id", "length", "limit", "name", "path", "prompt", "size",
    "stdin", "type", "url",
}  # fmt: skip
# Switches (`--no-password`), and the special tokens of language models (`--pad-token`).
_HARMLESS_STARTS = {"ask", "bos", "cls", "eos", "mask", "no", "pad", "prompt", "sep", "unk"}
# The runtimes' `--pwd` is a folder; the shell has the variables of that name.
_FOLDER_NAMES = {"pwd", "oldpwd"}
# The runtimes' `--passphrase` is a switch: behind it stands another option, or the image.
_PASSPHRASE = "--passphrase"  # noqa: S105
_IMAGE = r"(?s)(?:.*\.(?:sif|simg|img)|[a-z]+://.*)"

# curl's options whose value is NAME:PASSWORD
_LOGINS = {"-u", "-U", "--user", "--proxy-user"}
_OPTION = r"(?a)(--?[A-Za-z][\w.-]*)(=)?"
_ASSIGNED = r"""(?<![\w.-])(-{0,2}[A-Za-z_][\w.-]*)\\?["']?\s*[=:]\s*"""
_SPACED = r"(?<![\w.-])(--?[A-Za-z][\w.-]*)\s+(?!-)"
# A value as a shell reads it: quoted pieces (the last quote may be missing), escapes, plain text.
# A separator belongs to it, but where another NAME= follows. Like every other, the pattern must not
# take the square of an argument's length: it may have 128 KiB.
_VALUE = (
    r"""(?s)(?:"(?:\\.|[^"\\])*(?:"|\\?\Z)|'[^']*(?:'|\Z)|\\.|(?![,;&|?]{1,8}[\w.-]+=)[^\s"'\\])+"""
)
# In front parts, in lower case, of which every such token has one.
_TOKENS = {
    "gho_ ghp_ ghr_ ghs_ ghu_": r"gh[opsur]_[A-Za-z0-9]{20,}",
    "github_pat_": r"github_pat_\w{20,}",
    "glpat-": r"glpat-[\w-]{16,}",
    "xoxa- xoxb- xoxe- xoxp- xoxr- xoxs-": r"xox[abeprs]-[\w-]{10,}",
    "akia asia": r"A[KS]IA[0-9A-Z]{16}",
    "aiza": r"AIza[\w-]{35}",
    "hf_": r"hf_[A-Za-z0-9]{20,}",
    "k_live_": r"[rs]k_live_\w{16,}",
    # With a digit and a capital: not `sk-learn-pipeline-with-a-long-name`.
    "sk-": r"sk-(?=[\w-]{0,99}\d)(?=[\w-]{0,99}[A-Z])[\w-]{20,}",
    "npm_": r"npm_[A-Za-z0-9]{30,}",
    "dckr_pat_": r"dckr_pat_[\w-]{20,}",
    "pypi-": r"pypi-AgE[\w-]{16,}",
    "age-secret-key-": r"AGE-SECRET-KEY-1[0-9A-Z]{20,}",
    "eyj": r"eyJ[\w-]{8,999}\.[\w-]{8,}\.[\w-]*",
    "ya29.": r"ya29\.[\w-]{20,}",
    "sg.": r"SG\.[\w-]{16,64}\.[\w-]{16,}",
    "shpat_ shpss_ shpca_ shppa_": r"shp(?:at|ss|ca|pa)_[a-fA-F0-9]{32}",
    "_v1_": r"do[opr]_v1_[a-f0-9]{40,}",
    "xapp-": r"xapp-[\w-]{10,}",
    ":aa": r"\d{8,10}:AA[\w-]{33}",
}
# scheme://user: with a password behind it, unlike a port
_LOGIN = r"(?<![\w+.-])[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*:(?!\d{1,5}(?:/|\Z))"
# What gives a secret away by its shape, and what takes its place. In front, in lower case, words
# of which one stands in every text of that shape: for most texts no pattern is even compiled.
_SHAPES = (
    # A header's whole value, whatever its scheme, to the end of the line or of its quotes.
    (
        ("authorization",),
        r"(?i)((?<![\w-])(?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)[^\n\"']+",
        r"\1" + HIDDEN,
    ),
    (("cookie:",), r"(?i)((?<![\w-])(?:set-)?cookie: *)[^\n\"']+", r"\1" + HIDDEN),
    # Mixed case, digits or `=` tell a token from the word behind "basic".
    (
        ("bearer", "basic"),
        r"(\b(?i:bearer|basic)\s+)(?=[\w.~+/-]*(?:[0-9=]|[a-z][A-Z]))[A-Za-z0-9._~+/=-]{8,}",
        r"\1" + HIDDEN,
    ),
    # An incoming webhook is its address.
    (("slack",), r"(://hooks\.slack\.com/(?:services|workflows)/)[\w/-]+", r"\1" + HIDDEN),
    # curl's `-u NAME:PASSWORD`, in a command that is one argument
    (
        ("curl",),
        r"(\bcurl\b[^\n;|&]{0,300}?\s(?:-[uU]|--(?:proxy-)?user)[ =]?[\"']?[^\s:\"']{1,200}:)"
        r"[^\s\"']+",
        r"\1" + HIDDEN,
    ),
    # openssl's `-passin pass:X`; signed links of object stores
    (("pass:",), r"((?<![\w.-])pass:)\S+", r"\1" + HIDDEN),
    (
        ("sig=", "signature="),
        r"(?i)([?&](?:sig|signature|x-amz-signature)=)[^&\s\"']+",
        r"\1" + HIDDEN,
    ),
    (tuple(" ".join(_TOKENS).split()), rf"\b(?:{'|'.join(_TOKENS.values())})", HIDDEN),
    (
        ("-----begin",),
        r"(?s)-----BEGIN [A-Z ]{0,40}PRIVATE KEY[A-Z ]{0,40}-----.*?"
        r"(?:-----END [A-Z ]{0,40}PRIVATE KEY[A-Z ]{0,40}-----|\Z)",
        HIDDEN,
    ),
)


def secret_name(name: str) -> bool:
    """Whether an option or a variable of this name is likely to hold a secret."""
    if not _may_name(name):
        return False
    bare = name.lstrip("-")
    words = [p for p in re.split(r"[-_.]+|(?<=[a-z])(?=[A-Z])", bare) if p]
    parts = [w.lower() for w in words]
    if not parts or parts[-1] in _HARMLESS_ENDS or parts[0] in _HARMLESS_STARTS:
        return False
    if name.startswith("-") and parts == ["pwd"]:
        return False
    return (
        not _WORDS.isdisjoint(parts)
        or any(p.endswith(_WORD_ENDS) for p in parts)
        or any(pair in _PAIRS for pair in pairwise(parts))
        or (
            bare.isupper() and (parts[-1].endswith("pass") or not _VARIABLE_WORDS.isdisjoint(words))
        )
    )


def _may_name(text: str) -> bool:
    """Whether a secret's name may stand in a text."""
    lower = text.lower()
    return any(stem in lower for stem in _STEMS) or "PAT" in text or not text.isascii()


def redact(argv: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Returns `argv` with secrets replaced, and the places that were changed."""
    result: list[str] = []
    changed: list[int] = []
    before: str | None = None
    curl = before_login = False
    for place, argument in enumerate(argv):
        clean = redact_text(argument)
        if before and not clean.startswith("--") and not _is_harmless(before, argument):
            clean = HIDDEN
        option = None
        if argument.startswith("-") and (before_login or _may_name(argument)):
            option = re.fullmatch(_OPTION, argument)
        if before_login and ":" in clean and not option:
            clean = clean.partition(":")[0] + ":" + HIDDEN
        before_login = curl and argument in _LOGINS
        curl = curl or argument.rpartition("/")[2] == "curl"
        before = None
        if option and not option.group(2) and secret_name(option.group(1)):
            before = argument
        result.append(clean)
        if clean != argument:
            changed.append(place)
    return tuple(result), tuple(changed)


def redact_environment(variables: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Returns variables without those whose names tell of a secret, and with the secrets in the
    values of the others replaced."""
    return tuple(
        (name, redact_text(value)) for name, value in variables if not secret_name(_inner(name))
    )


def _inner(name: str) -> str:
    """The name that a variable has in the container."""
    for prefix in ("SINGULARITYENV_", "APPTAINERENV_"):
        name = name.removeprefix(prefix)
    return name


def redact_text(text: str) -> str:
    """Returns `text`, one argument or one value, with the secrets in it replaced."""
    if "://" in text:
        text = re.sub(r"\S+", _hide_login, text)
    # Beyond ASCII, `(?i)` takes more letters for the same than `lower` does.
    lower = text.lower() if text.isascii() else None
    for words, shape, instead in _SHAPES:
        if lower is None or any(word in lower for word in words):
            text = re.sub(shape, instead, text)
    if not _may_name(text):
        return text
    text = _hide_values(text, _ASSIGNED)
    # A whole command in one argument (`sh -c "curl --token X"`).
    return _hide_values(text, _SPACED) if re.search(r"\s", text) else text


def _hide_login(word: re.Match[str]) -> str:
    """Hides the password of a URL up to the last @: it may hold unescaped @ and /."""
    text = word.group()
    end = text.rfind("@")
    login = re.search(_LOGIN, text)
    if not login or login.end() >= end:
        return text
    return text[: login.end()] + HIDDEN + text[end:]


def _hide_values(text: str, names: str) -> str:
    """Hides the value behind each secret name. Other values are searched for names themselves, as
    in `--env=TOKEN=X`."""
    kept: list[str] = []
    at = 0
    names_in = re.compile(names)
    while name := names_in.search(text, at):
        kept.append(text[at : name.end()])
        at = name.end()
        value = re.compile(_VALUE).match(text, at) if secret_name(name.group(1)) else None
        if value and not _is_harmless(name.group(1), value.group()):
            kept.append(HIDDEN)
            at = value.end()
    return "".join(kept) + text[at:]


def _is_harmless(name: str, value: str) -> bool:
    """Whether the value tells that a name which sounds secret is something else here."""
    if name.lower() in _FOLDER_NAMES:
        return value.startswith(("/", ".", "~", "$"))
    if name == _PASSPHRASE:
        return value.startswith("-") or re.fullmatch(_IMAGE, value) is not None
    return False
