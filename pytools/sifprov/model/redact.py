"""Hides secrets in a command line before anything of it is kept.

By the name of an option or a variable (`--password X`, `--api-key=X`, `--env DB_TOKEN=X`) and by
shape (URLs with a password, well-known token forms, bearer headers, private keys). What hides
behind a name that says nothing, such as `-p`, cannot be known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

HIDDEN = "[redacted]"

_WORDS = {
    "apikey", "credential", "credentials", "passphrase", "passwd", "password", "pat", "pwd",
    "secret", "token",
}  # fmt: skip
_PAIRS = {("api", "key"), ("access", "key"), ("private", "key"), ("secret", "key"), ("auth", "key")}
# `--password-file` names a file, which is no secret.
_HARMLESS_ENDS = {"dir", "env", "file", "fd", "id", "name", "path", "type", "url"}
# Switches of the runtimes that take no value, although their name sounds like it.
_SWITCHES = {"--passphrase"}
# Variables of the shell and of HPC systems whose name holds a secret's word.
_PLAIN_NAMES = {"PWD", "OLDPWD"}

_OPTION = re.compile(r"(--?[A-Za-z][\w.-]*)(=)?", re.ASCII)
_ASSIGNMENT = re.compile(
    r"""(?<![\w.-])(-{0,2}[A-Za-z_][\w.-]*)(\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;"'&|]+)"""
)
_SPACED = re.compile(
    r"""(?<![\w-])(--?[A-Za-z][\w.-]*)(\s+)("[^"]*"|'[^']*'|[^\s,;"'&|-][^\s,;"'&|]*)"""
)
_SHAPES = (
    # scheme://user:password@host
    (re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)"), r"\1" + HIDDEN),
    (re.compile(r"(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"), r"\1" + HIDDEN),
    (
        re.compile(r"(?i)(\bauthorization\s*[:=]\s*)(?!\s*(?:bearer|basic)\b)[^\s\"']+"),
        r"\1" + HIDDEN,
    ),
    (
        re.compile(
            r"\b(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}"
            r"|A[KS]IA[0-9A-Z]{16}|hf_[A-Za-z0-9]{20,}|sk-[\w-]{20,}|npm_[A-Za-z0-9]{30,}"
            r"|pypi-[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
        ),
        HIDDEN,
    ),
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S
        ),
        HIDDEN,
    ),
)  # fmt: skip


def secret_name(name: str) -> bool:
    """Whether an option or a variable of this name is likely to hold a secret."""
    bare = name.lstrip("-")
    if name in _SWITCHES or bare in _PLAIN_NAMES:
        return False
    parts = [p.lower() for p in re.split(r"[-_.]+|(?<=[a-z])(?=[A-Z])", bare) if p]
    if not parts or parts[-1] in _HARMLESS_ENDS:
        return False
    return not _WORDS.isdisjoint(parts) or any(pair in _PAIRS for pair in pairwise(parts))


def redact(argv: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Returns `argv` with secrets replaced, and the places that were changed."""
    result: list[str] = []
    changed: list[int] = []
    value_is_secret = False
    for place, argument in enumerate(argv):
        if value_is_secret and not argument.startswith("--"):
            clean = HIDDEN
        else:
            clean = redact_text(argument)
        option = _OPTION.fullmatch(argument)
        value_is_secret = bool(option and not option.group(2) and secret_name(option.group(1)))
        result.append(clean)
        if clean != argument:
            changed.append(place)
    return tuple(result), tuple(changed)


def redact_text(text: str) -> str:
    """Returns `text`, one argument or one value, with the secrets in it replaced."""
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)

    def hide(match: re.Match[str]) -> str:
        if not secret_name(match.group(1)) or match.group(3) == HIDDEN:
            return match.group(0)
        return match.group(1) + match.group(2) + HIDDEN

    text = _ASSIGNMENT.sub(hide, text)
    # A whole command in one argument (`sh -c "curl --token X"`).
    return _SPACED.sub(hide, text) if " " in text else text
