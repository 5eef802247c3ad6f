"""What a run binds out of images, as the runtimes understand command line and environment. Pure.

Both append the environment's binds to the command line's. They differ in three things:

    SingularityCE 4.3   reads SINGULARITY_*; joins all `--bind` values by commas before it takes
                        them apart; knows no escapes
    Apptainer 1.4       reads APPTAINER_*, and SINGULARITY_* where the former is not set; takes
                        each value apart by itself; `\\,` and `\\:` stand for themselves in a source

Source: pkg/util/bind and pkg/runtime/engine/apptainer/config (bind.go, mount.go), and
pkg/cmdline/flag.go, of both projects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sifprov.frozen import NamedTuple
from sifprov.runtime.argv import CommandLine

_FLAGS = ("ro", "rw")
_VALUES = ("image-src", "id")
_KEYS = {"bind": ("BIND", "BINDPATH"), "mount": ("MOUNT",)}


class Bind(NamedTuple):
    """One bind. `options` are as given (`ro`, `rw`: empty value). It stands in the value number
    `holder` of the holders, and another option would go in there at `end`; -1: nowhere."""

    source: str
    destination: str
    options: Mapping[str, str]
    holder: int
    end: int

    @property
    def of_image(self) -> bool:
        """Whether it binds out of an image, not a file or folder of the host."""
        return bool(self.options.get("image-src") or self.options.get("id"))


class Holder(NamedTuple):
    """Where a value with binds stands: the `place`-th option of the line, or the variable
    `variable`."""

    kind: str
    value: str
    place: int = -1
    variable: str = ""


def holders(
    line: CommandLine, environ: Mapping[str, str], *, apptainer: bool
) -> tuple[Holder, ...]:
    """Returns every value that binds something, in the order in which the runtime takes them."""
    found = []
    for kind, keys in _KEYS.items():
        for place, option in enumerate(line.options):
            if option.name == kind and option.value is not None:
                found.append(Holder(kind, option.value, place))
        for name in _variables(keys, environ, apptainer=apptainer):
            if environ[name].strip():
                found.append(Holder(kind, environ[name], variable=name))
    # Only SingularityCE's OCI mode has this one.
    for place, option in enumerate(line.options):
        if option.name == "data" and option.value is not None:
            found.append(Holder("data", option.value, place))
    return tuple(found)


def _variables(
    keys: Iterable[str], environ: Mapping[str, str], *, apptainer: bool
) -> tuple[str, ...]:
    ours = [f"SINGULARITY_{key}" for key in keys]
    if apptainer:
        first = [f"APPTAINER_{key}" for key in keys]
        ours = first + [o for f, o in zip(first, ours, strict=True) if f not in environ]
    return tuple(name for name in ours if name in environ)


def binds(found: Sequence[Holder], *, apptainer: bool) -> tuple[Bind, ...]:
    """Returns every bind of these values. Raises ValueError where the runtime will refuse one."""
    result: list[Bind] = []
    numbered = list(enumerate(found))
    plain = [(n, h.value) for n, h in numbered if h.kind == "bind"]
    if apptainer:
        for number, value in plain:
            result += [b._replace(holder=number) for b in _apptainer(value)]
    else:
        result += _joined(plain)
    for number, holder in numbered:
        if holder.kind == "mount":
            result += [b._replace(holder=number) for b in _mounts(holder.value)]
    for number, holder in numbered:
        if holder.kind == "data":
            result += [b._replace(holder=number) for b in _data(holder.value)]
    return tuple(result)


def _joined(values: Sequence[tuple[int, str]]) -> list[Bind]:
    """SingularityCE: the values are one text."""
    texts, quoted = [], False
    for _, value in values:
        # The option is a list of CSV: quotes go, and what is in them is taken apart all the same.
        quoted = quoted or '"' in value
        texts.append(_unquoted(value) if '"' in value else value)
    starts, at = [], 0
    for text in texts:
        starts.append(at)
        at += len(text) + 1
    found = []
    for bind in _singularity(",".join(texts)):
        which = max(i for i, start in enumerate(starts) if start < max(bind.end, 1))
        end = -1 if quoted else bind.end - starts[which]
        found.append(bind._replace(holder=values[which][0], end=end))
    return found


def _unquoted(value: str) -> str:
    import csv  # rarely needed

    try:
        return ",".join(field for row in csv.reader([value], strict=True) for field in row)
    except csv.Error as error:
        raise ValueError(str(error)) from error


def _pieces(text: str) -> list[tuple[str, int]]:
    """Cuts a text behind each colon and at each comma: (piece, end). A caret counts as a comma, by
    a slip in both runtimes' regular expression."""
    found, start = [], 0
    for at, letter in enumerate(text + ","):
        if letter in ",^:":
            if at > start:
                piece = text[start:at] + (":" if letter == ":" else "")
                found.append((piece.strip(), at))
            start = at + 1
    return found


def _is_option(piece: str) -> bool:
    return piece in _FLAGS or piece.startswith(tuple(f"{name}=" for name in _VALUES))


def _singularity(text: str) -> list[Bind]:
    found: list[Bind] = []
    bind, end, parts = "", 0, 0
    for piece, at in _pieces(text):
        open_end = bind.endswith(":")
        if parts == 2 and _is_option(piece):
            bind, end = bind + ("" if open_end else ",") + piece, at
            continue
        if parts > 2:
            raise ValueError(bind)
        parts += 1
        if bind and open_end:
            bind, end = bind + piece, at
            continue
        if bind:
            found.append(_spec(bind.split(":", 2), end))
            parts = 1
        bind, end = piece, at
    if bind:
        found.append(_spec(bind.split(":", 2), end))
    return found


def _apptainer(text: str) -> list[Bind]:
    found: list[Bind] = []
    parts: list[str] = []
    end = 0
    # What was cut at an escaped comma or colon is put together first.
    for piece, at in _escaped(text):
        name = piece.removesuffix(":")
        if len(parts) >= 2 and _is_option(name):
            third = parts[2] + "," if len(parts) > 2 and parts[2] else ""
            parts, end = [*parts[:2], third + name], at
        elif parts and parts[-1] == "" and len(parts) > 1:
            parts, end = [*parts[:-1], name], at
        else:
            if parts:
                found.append(_spec(parts, end))
            parts, end = [name], at
        if piece.endswith(":"):
            if len(parts) > 2:
                raise ValueError(text)
            parts.append("")
    if parts:
        found.append(_spec(parts, end))
    return found


def _escaped(text: str) -> list[tuple[str, int]]:
    joined: list[tuple[str, int]] = []
    before = ""
    for piece, at in _pieces(text):
        whole = before + piece
        if whole.endswith("\\"):
            before = whole[:-1] + ","
        elif whole.endswith("\\:"):
            before = whole[:-2] + ":"
        else:
            joined.append((whole, at))
            before = ""
    if before:
        joined.append((before, len(text)))
    return joined


def _spec(parts: Sequence[str], end: int) -> Bind:
    """A bind of source, destination and options. Raises ValueError for an option that is none."""
    source, destination, options = [*parts, "", ""][:3]
    if not source:
        raise ValueError("empty bind source")
    found: dict[str, str] = {}
    for option in options.split(",") if len(parts) > 2 else ():
        name, equals, value = option.partition("=")
        if not (name in _VALUES and equals) and option not in _FLAGS:
            raise ValueError(f"{option}: not a bind option")
        # An empty folder means the image's root.
        found[name] = value or ("/" if name == "image-src" else "")
    return Bind(source, destination if len(parts) > 1 else source, found, 0, end)


def _mounts(value: str) -> list[Bind]:
    import csv

    try:
        rows = [row for row in csv.reader(value.splitlines(keepends=True), strict=True) if row]
    except csv.Error as error:
        raise ValueError(str(error)) from error
    return [_mount(row, value, alone=len(rows) == 1) for row in rows]


def _mount(row: Sequence[str], value: str, *, alone: bool) -> Bind:
    source = destination = ""
    options: dict[str, str] = {}
    for field in row:
        key, _, text = field.partition("=")
        if key in ("source", "src"):
            source = text
        elif key in ("destination", "dst", "target"):
            destination = text
        elif key in ("ro", "readonly"):
            options["ro"] = ""
        elif key in _VALUES and text:
            options[key] = text
        elif key != "type" or text != "bind":
            raise ValueError(f"{field}: not a field of a mount")
    if not source or not destination:
        raise ValueError("a mount without source or destination")
    return Bind(source, destination, options, 0, len(value.rstrip("\r\n")) if alone else -1)


def _data(value: str) -> list[Bind]:
    found = []
    for text in _unquoted(value).split(",") if value else ():
        source, colon, destination = text.partition(":")
        if not colon or not source or not destination or ":" in destination:
            raise ValueError(f"{text}: not source:destination")
        # Sealed layers: nothing to add.
        found.append(Bind(source, destination, {"image-src": "/", "ro": ""}, 0, -1))
    return found
