"""What a user or a site has set: two small files and a few environment variables.

Each counts more than the one before: `/etc/sifprov/config.ini`, `~/.config/sifprov/config.ini`,
the variables. Command-line options count more than all of them. The keys are described in
docs/reference.md ("Settings").
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping

from sifprov.errors import FileError
from sifprov.frozen import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SITE_FILE = "/etc/sifprov/config.ini"
SECTION = "capture"
FULL, FAST, NONE = "full", "fast", "none"
_MAX_FILE = 64 * 1024
_YES_NO = {"yes": True, "no": False}


@dataclass(frozen=True)
class Settings:
    """What holds for this user. `warnings`: one line each about what was left out.

    `digest`: how content is digested. `cache`: whether digests are remembered. `ro_inputs`: whether
    `ro` is added to declared inputs. `environment`: names that a record may hold besides the
    default ones; a trailing `*` stands for any rest. `metadata`: absolute path of the container
    that takes the records, or empty. `log_bytes`: how much of the application's output is kept.
    `redact`: whether secrets in command lines are hidden. `host`: whether the machine's name is
    recorded. `telemetry`: how often what a run uses is measured, in microseconds; 0 for never.
    `live`: whether runs report when they start and when they end. `catalog`: the catalog's path or
    URL, or empty.
    """

    digest: str = FAST
    cache: bool = True
    ro_inputs: bool = True
    environment: tuple[str, ...] = ()
    metadata: str = ""
    log_bytes: int = 1024 * 1024
    redact: bool = True
    host: bool = False
    telemetry: int = 0
    live: bool = False
    catalog: str = ""
    warnings: tuple[str, ...] = ()


def load(environ: Mapping[str, str] | None = None, *, site: str = SITE_FILE) -> Settings:
    """Returns the settings of the user whose environment is `environ` (by default ours).

    A file that others could have written is left out, with a warning. Raises FileError for an
    unknown key or a value that cannot be, naming file, section and key.
    """
    environ = os.environ if environ is None else environ
    found: dict[str, Any] = {}
    warnings: list[str] = []
    for path, owner in ((site, 0), (user_file(environ), os.getuid())):
        try:
            text = _read(path, owner) if path else None
        except FileError as error:
            warnings.append(f"{error}; it is left out")
            continue
        if text is not None:
            found.update(_parse(path, text))
    for name, (key, convert) in _VARIABLES.items():
        if name in environ:
            found[key] = _converted(convert, environ[name], f"${name}")
    return Settings(**found, warnings=tuple(warnings))


def load_or_default(environ: Mapping[str, str] | None = None, *, site: str = SITE_FILE) -> Settings:
    """As `load`, but what would be an error is a warning, and then nothing is set."""
    try:
        return load(environ, site=site)
    except FileError as error:
        return replace(Settings(), warnings=(f"{error}; no setting is used",))


def user_file(environ: Mapping[str, str]) -> str:
    """Returns where the user's own file is, or would be; empty for a user without a home."""
    # By the XDG Base Directory Specification a relative path is no path.
    base = environ.get("XDG_CONFIG_HOME", "")
    if not base.startswith("/"):
        home = home_folder(environ)
        base = os.path.join(home, ".config") if home else ""
    return os.path.join(base, "sifprov", "config.ini") if base else ""


def cache_folder(environ: Mapping[str, str]) -> str:
    """Returns where what can be computed anew is kept; empty for a user without a home."""
    base = environ.get("XDG_CACHE_HOME", "")
    if not base.startswith("/"):
        home = home_folder(environ)
        base = os.path.join(home, ".cache") if home else ""
    return os.path.join(base, "sifprov") if base else ""


def data_folder(environ: Mapping[str, str]) -> str:
    """Returns where the user's own data is kept; empty for a user without a home."""
    base = environ.get("XDG_DATA_HOME", "")
    if not base.startswith("/"):
        home = home_folder(environ)
        base = os.path.join(home, ".local/share") if home else ""
    return os.path.join(base, "sifprov") if base else ""


def home_folder(environ: Mapping[str, str]) -> str:
    """Returns the user's home by HOME, else by the password database; empty when there is none."""
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        import pwd

        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:  # a user may have no entry there, as in some containers
            return ""
    return home if home.startswith("/") else ""


def _read(path: str, owner: int) -> str | None:
    """Returns a file's text, None where there is none. Raises FileError."""
    try:
        # O_NONBLOCK: a FIFO must not make us wait.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        # Under fakeroot the home of root seems ours. What we cannot enter holds nothing of us.
        if error.errno == errno.EACCES and not os.access(os.path.dirname(path), os.X_OK):
            return None
        raise FileError(f"{path}: {error.strerror}") from error
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FileError(f"{path}: no regular file")
        if status.st_uid != owner or status.st_mode & 0o022:
            whose = "root" if owner == 0 else "you"
            raise FileError(f"{path}: others than {whose} could have written it")
        data = file.read(_MAX_FILE + 1)
    if len(data) > _MAX_FILE:
        raise FileError(f"{path}: more than {_MAX_FILE} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not UTF-8") from error


def _parse(path: str, text: str) -> dict[str, Any]:
    import configparser  # only who has a file pays for it

    # No section whose keys hold everywhere, and no `%` of its own meaning.
    parser = configparser.RawConfigParser(default_section="\0", delimiters=("=",))
    try:
        parser.read_string(text, source=path)
    except configparser.Error as error:
        raise FileError(f"{path}: {' '.join(str(error).split())}") from error
    found: dict[str, Any] = {}
    for section in parser.sections():
        if section != SECTION:
            raise FileError(
                f"{path}: unknown section [{section}]", hint=f"the only section is [{SECTION}]"
            )
        for key, value in parser.items(section):
            where = f"{path}: [{section}] {key}"
            if key not in _KEYS:
                raise FileError(f"{where}: unknown key", hint=f"known are {', '.join(_KEYS)}")
            found[key] = _converted(_KEYS[key], value, where)
    return found


def _converted(convert: Callable[[str], Any], value: str, where: str) -> Any:
    try:
        return convert(value)
    except ValueError as error:
        raise FileError(f"{where}: {value!r} is {error}") from None


def check_digest(text: str) -> str:
    """Returns a way of digesting content. Raises ValueError for what is none."""
    if text not in (FULL, FAST, NONE):
        raise ValueError("neither full, fast nor none")
    return text


def _yes_no(text: str) -> bool:
    if text not in _YES_NO:
        raise ValueError("neither yes nor no")
    return _YES_NO[text]


def _switch(text: str) -> bool:
    """A variable's: empty and 0 are no, 1 is yes."""
    return _yes_no({"": "no", "0": "no", "1": "yes"}.get(text, text))


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.replace(",", " ").split())
    for name in names:
        # A lone `*` would let everything through.
        bare = name[:-1] if name.endswith("*") else name
        if not (bare.isascii() and bare.isidentifier()):
            raise ValueError("no list of variable names")
    return names


def _absolute(text: str) -> str:
    path = os.path.expanduser(text)
    if path and not path.startswith("/"):
        raise ValueError("no absolute path")
    return path


def _place(text: str) -> str:
    return text if "://" in text else _absolute(text)


def _bytes(text: str) -> int:
    from sifprov.errors import SifprovError
    from sifprov.sizes import parse_size

    try:
        return parse_size(text)
    except SifprovError:
        raise ValueError("no size such as 512K or 8M") from None


def interval_us(text: str) -> int:
    """Returns how often to measure, in microseconds: `yes` is a second, and `no` is 0. Raises
    ValueError for what is no such time."""
    word = text.strip().lower()
    if word in _SWITCH:
        return _SWITCH[word]
    number = word.rstrip("msh")
    unit = _UNITS.get(word[len(number) :])
    try:
        found = round(float(number) * unit) if unit and number.isascii() else 0
    except (ValueError, OverflowError):
        found = 0
    if not 100_000 <= found <= 3600_000_000:
        raise ValueError("neither yes, no nor a time from 100ms to 1h, such as 0.5s")
    return found


_SWITCH = {"yes": 1_000_000, "true": 1_000_000, "no": 0, "false": 0, "0": 0, "": 0}
_UNITS = {"": 1_000_000, "s": 1_000_000, "ms": 1000, "m": 60_000_000, "h": 3600_000_000}
_KEYS: dict[str, Callable[[str], Any]] = {
    "digest": check_digest, "cache": _yes_no, "ro_inputs": _yes_no,
    "environment": _names, "metadata": _absolute, "log_bytes": _bytes,
    "redact": _yes_no, "host": _yes_no, "telemetry": interval_us, "live": _yes_no,
    "catalog": _place,
}  # fmt: skip
# A variable is typed in a shell, so its path may be relative to where that stands.
_VARIABLES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "SIFPROV_DIGEST": ("digest", check_digest),
    "SIFPROV_CACHE": ("cache", _yes_no),
    "SIFPROV_RO_INPUTS": ("ro_inputs", _yes_no),
    "SIFPROV_TELEMETRY": ("telemetry", interval_us),
    "SIFPROV_LIVE": ("live", _switch),
    "SIFPROV_METADATA": ("metadata", lambda text: os.path.abspath(text) if text else ""),
    "SIFPROV_CATALOG": (
        "catalog",
        lambda text: text if "://" in text or not text else os.path.abspath(text),
    ),
}


def metadata_place(typed: str | None) -> str:
    """Returns the absolute path of the place that holds records of many: what was typed, where that
    is None what the variable or the setting says; empty for nothing."""
    place = load().metadata if typed is None else typed
    return os.path.abspath(place) if place else ""
