"""A PostgreSQL server for the tests: in a temporary folder, on a Unix socket there, and nowhere
else."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SECONDS = 30
# A test loses nothing that it needs when the machine stops.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class Server:
    """A running server; `folder` holds its data and its socket."""

    def __init__(self, folder: Path, programs: Path, user: str | None) -> None:
        self.folder = folder
        self._programs, self._user = programs, user
        self._numbers = itertools.count()

    def url(self, database: str = "postgres") -> str:
        """The URL of a database."""
        return f"postgresql:///{database}?host={self.folder}&user=sifprov"

    def new_database(self) -> str:
        """Makes a database; returns its URL."""
        name = f"test{next(self._numbers)}"
        self.do("postgres", f"CREATE DATABASE {name}")
        return self.url(name)

    def do(self, database: str, statement: str) -> None:
        """Runs a statement in a database, outside of a transaction."""
        import psycopg

        where = {"host": str(self.folder), "user": "sifprov", "dbname": database}
        with psycopg.connect(**where, autocommit=True) as connection:  # type: ignore[arg-type]
            connection.execute(statement.encode())


def programs() -> Path | None:
    """The folder of the newest server's programs, None where none is installed."""
    found = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda p: [int(n) for n in p.parent.name.split(".") if n.isdigit()])
    elsewhere = shutil.which("initdb")
    return Path(elsewhere).resolve().parent if elsewhere else None


@contextmanager
def server(settings: tuple[str, ...] = _FAST) -> Iterator[Server]:
    """Starts a server, and stops it at the end."""
    where = programs()
    if where is None:
        raise FileNotFoundError("no PostgreSQL server is installed (Debian's postgresql)")
    user = _ordinary_user()
    # A socket's path has room for about a hundred bytes.
    folder = Path(tempfile.mkdtemp(prefix="sifprov-pg-", dir="/tmp"))
    try:
        if user:
            shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)
            # The users that tests act as connect, too.
            folder.chmod(0o711)
        data = folder / "data"
        made = ("--auth=trust", "--username=sifprov", "--encoding=UTF8", "--locale=C", "--no-sync")
        _run([str(where / "initdb"), "-D", str(data), *made], user, folder)
        options = [o for s in settings for o in ("-c", s)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    str(where / "postgres"), "-D", str(data), "-k", str(folder),
                    "-c", "listen_addresses=", *options,
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, user=user,
                group=pwd.getpwnam(user).pw_gid if user else None, start_new_session=True,
            )  # fmt: skip
        try:
            it = Server(folder, where, user)
            _wait(it, process)
            yield it
        finally:
            # Quickly, whoever is still connected.
            process.send_signal(signal.SIGINT)
            process.wait(_SECONDS)
    finally:
        shutil.rmtree(folder)


def _ordinary_user() -> str | None:
    """Whom the server runs as: it refuses root. None for ourselves."""
    if os.getuid() != 0:
        return None
    for name in (os.environ.get("SIFPROV_TEST_USER", ""), "postgres", "sifprovtest", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise LookupError("no ordinary user to run PostgreSQL as: tools/test-user makes one")


def _run(argv: list[str], user: str | None, folder: Path) -> None:
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=_SECONDS * 4, cwd=folder, user=user,
        group=pwd.getpwnam(user).pw_gid if user else None, stdin=subprocess.DEVNULL,
        env={"PATH": os.defpath, "LC_ALL": "C"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def _wait(it: Server, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    end = time.monotonic() + _SECONDS
    while True:
        try:
            it.do("postgres", "SELECT 1")
            return
        except psycopg.OperationalError as error:
            log = (it.folder / "log").read_text(errors="replace")
            assert process.poll() is None and time.monotonic() < end, f"{error}\n{log}"
        time.sleep(0.05)
