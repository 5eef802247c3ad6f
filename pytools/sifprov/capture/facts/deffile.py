"""What a definition file says of how its image runs: the script that `run` starts, and the
variables that it sets. Untrusted text, from which nothing is ever run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sifprov.model.redact import secret_name

_MAX_VARIABLES = 64
_SECTION = r"(?m)^%(\w+)"
_EXPORT = r"^\s*(?:export\s+)?([A-Za-z_]\w{0,127})=(.*)$"


def entry_point(definition: str) -> str:
    """Returns the script of the last `%runscript`; empty for none."""
    if "%runscript" not in definition:
        return ""
    found = [body for name, body in _sections(definition) if name == "runscript"]
    lines = (line.strip() for line in found[-1].splitlines()) if found else ()
    return "\n".join(line for line in lines if line)


def environment(definition: str) -> Mapping[str, str]:
    """Returns the variables that `%environment` sets, as they are written there, in the order of
    their names; none whose name speaks of a secret."""
    found: dict[str, str] = {}
    if "%environment" not in definition:
        return found
    for name, body in _sections(definition):
        for line in body.splitlines() if name == "environment" else ():
            match = re.match(_EXPORT, line)
            if match and not secret_name(match.group(1)):
                found[match.group(1)] = match.group(2).strip().strip("\"'")
    return {name: found[name] for name in sorted(found)[:_MAX_VARIABLES]}


def _sections(definition: str) -> Iterator[tuple[str, str]]:
    """Yields the name and the text of each section."""
    starts = list(re.finditer(_SECTION, definition))
    for place, start in enumerate(starts):
        end = starts[place + 1].start() if place + 1 < len(starts) else len(definition)
        yield start.group(1), definition[start.end() : end].partition("\n")[2]
