"""Which environment variables a record may hold: those that change what a program computes or
prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# A trailing `*` stands for any rest.
DEFAULT = ("LANG", "LC_*", "TZ", "OMP_*", "CUDA_VISIBLE_DEVICES")


def allowed(name: str, patterns: Iterable[str] = DEFAULT) -> bool:
    """Whether the variable `name`, an ASCII one, is on the list."""
    return name.isascii() and any(
        name.startswith(p[:-1]) if p.endswith("*") else name == p for p in patterns
    )


def pick(
    environment: Mapping[str, str], patterns: Iterable[str] = DEFAULT
) -> tuple[tuple[str, str], ...]:
    """Returns the listed variables, by name."""
    patterns = tuple(patterns)
    return tuple((n, environment[n]) for n in sorted(environment) if allowed(n, patterns))
