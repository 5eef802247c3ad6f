"""The real runtime, real containers, and the users that the tests in this folder act as.

A test that takes `run_as` runs twice, as root and as an ordinary user. Without root only the
calling user's variant runs; the other is skipped and says so.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.real.exactly.case import USERS, Case
from tests.real.harness import ROOT, Runner, as_user, image_drivers, parent_of, words_of
from tests.real.job import Job
from tests.real.wrapjob import WrapJob

LACKS_CAPABILITY = "Requesting capability set"
# Root on Apptainer is tested by the tables of tests/real/exactly and by test_same_record.py; the
# long tables are compared as an ordinary user. This variable asks for all of them everywhere,
# which takes ten minutes more.
EVERYWHERE = os.environ.get("SIFPROV_EXACTLY") == "all"
LONG_TABLES = ("test_options.py", "test_containers.py")
# In these nothing depends on rights, or (the wrapper) exactly/ holds root's runs against the bare
# ones: an ordinary user stands for both.
ONE_USER = (
    "test_digest_cache.py", "test_docs.py", "test_export.py", "test_file_lists.py", "test_grow.py",
    "test_image_src.py", "test_large_output.py", "test_lineage.py", "test_live.py",
    "test_live_server.py", "test_log.py", "test_outside.py", "test_placement.py",
    "test_prototype.py", "test_prov.py", "test_rerun.py", "test_rerun_verdict.py", "test_sign.py",
    "test_telemetry.py", "test_trail_way.py", "test_verify.py", "test_workflow.py",
    "test_wrapper.py", "test_wrapper_short.py", "test_wrapper_signals.py",
)  # fmt: skip
# What is about rights, on either runtime.
WANTS_ROOT = ("test_doctor.py", "test_plugin_admin.py")
# Rows of `make test`. The agreement runs no container, and has time there.
ON_APPTAINER = ("test_apptainer.py", "test_sif_agreement.py")
APART = (
    "test_digest_cache.py", "test_doctor.py", "test_plugin_admin.py", "test_plugin_states.py",
    "test_same_record.py", "test_slurm.py", "test_spool.py", "test_survivors.py",
    "test_wrapper.py", "test_wrapper_short.py", "test_wrapper_signals.py", "test_workflow.py",
)  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    senseless = {item for item in items if _is_senseless(item)}
    if senseless:
        config.hook.pytest_deselected(items=list(senseless))
        items[:] = [item for item in items if item not in senseless]
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.real)
            if row := _row(item):
                item.add_marker(row)


def _row(item: pytest.Item) -> str | None:
    """The mark of a test's row: `make test` runs three beside each other, about as long."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    words = {w for value in params.values() if isinstance(value, str) for w in value.split("-")}
    if "apptainer" in words or item.path.name in ON_APPTAINER:
        return "apptainer"
    return "apart" if item.path.parent.name == "exactly" or item.path.name in APART else None


def _is_senseless(item: pytest.Item) -> bool:
    """Whether a mark `not_for` names this combination of parameters, or a `case` is for others."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    marks = [mark.kwargs for mark in item.iter_markers("not_for")]
    if any(all(params.get(name) == value for name, value in mark.items()) for mark in marks):
        return True
    covered = "apptainer" in params.values() or item.path.name in ONE_USER
    wants_root = {"user": "user"} in marks or item.path.name in WANTS_ROOT
    if params.get("user") == "root" and covered and not wants_root and not EVERYWHERE:
        return True
    case = params.get("case")
    if not isinstance(case, Case):
        return False
    sites: tuple[str, ...] = case.sites
    if item.path.name in LONG_TABLES and not EVERYWHERE:
        sites = tuple(s for s in sites if s in USERS) or sites
    return params["site"] not in sites or params["way"] not in case.ways


def tool(*argv: str) -> str:
    """The last line that one of the tools prints; skips the test when the tool fails."""
    done = subprocess.run(
        [ROOT / "tools" / argv[0], *argv[1:]],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"tools/{' '.join(argv)}: {done.stderr.strip()[-500:]}")
    return done.stdout.splitlines()[-1]


@pytest.fixture(scope="session", autouse=True)
def no_drivers_left() -> Iterator[None]:
    """Fails when a test killed a runtime and left the drivers of its images."""
    before = image_drivers()
    yield
    # Named, not ended: on a shared machine they may be somebody else's.
    # What runs beside these tests may leave some too, for a moment.
    end = time.monotonic() + 30
    while orphans := [pid for pid in image_drivers() - before if parent_of(pid) == 1]:
        if time.monotonic() > end:
            break
        time.sleep(0.2)
    left = {pid: b" ".join(words_of(pid)) for pid in orphans}
    assert not left, "drivers of a runtime that was killed; end them by their ids"


@pytest.fixture(scope="session")
def singularity() -> str:
    """The path of the runtime."""
    return tool("find-runtime")


@pytest.fixture(scope="session")
def busybox_sif() -> str:
    """An application container with busybox: 1 MB, starts fast."""
    return tool("build-app", "tests/real/busybox.def")


@pytest.fixture(scope="session")
def gnuplot_sif() -> str:
    """The application container of scenario 1."""
    return tool("build-app", "scenarios/gnuplot-single/gnuplot.def")


@pytest.fixture(scope="session")
def scenario_apps(gnuplot_sif: str) -> None:
    """The application containers of all scenarios, which their scripts find in the cache."""
    for definition in ("soil/kknn.def", "soil/forest.def", "pipeline/prepare.def"):
        tool("build-app", f"scenarios/{definition}")


@pytest.fixture(scope="session")
def shared_folder() -> Iterator[Path]:
    """A folder that every user can reach; pytest's own are its owner's alone."""
    with tempfile.TemporaryDirectory(prefix="sifprov-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session", params=["root", "user"])
def user(request: pytest.FixtureRequest) -> str:
    """The name of the user that the test acts as."""
    if os.getuid() == 0:
        return "root" if request.param == "root" else tool("test-user")
    if request.param == "root":
        pytest.skip("acting as root needs root")
    return pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def run_as(user: str, shared_folder: Path) -> Runner:
    """Runs programs as root or as the ordinary user, in an empty folder of that user's."""
    folder = Path(tempfile.mkdtemp(dir=shared_folder))
    folder.chmod(0o755)
    account = pwd.getpwnam(user)
    os.chown(folder, account.pw_uid, account.pw_gid)
    return Runner(user, folder)


@pytest.fixture(scope="session")
def exec_flags(singularity: str, busybox_sif: str, user: str) -> list[str]:
    """What `exec` wants here: `--no-privs` for a root that lacks a capability, else nothing."""
    argv = [singularity, "exec", busybox_sif, "true"]
    bare = as_user(argv, user, Path("/"))
    if bare.code == 0:
        return []
    assert LACKS_CAPABILITY in bare.stderr, bare.stderr
    as_user([*argv[:2], "--no-privs", *argv[2:]], user, Path("/")).expect(0)
    return ["--no-privs"]


@pytest.fixture(scope="session")
def sifprov(user: str, shared_folder: Path) -> str:
    """The path of a `sifprov` that the user can run."""
    program = ROOT / ".venv" / "bin" / "sifprov"
    reach = ["sh", "-c", f'test -x "{program}" && test -r "{ROOT}/pytools/sifprov/cli.py"']
    if as_user(reach, user, Path("/")).code == 0:
        return str(program)
    # The checkout is in somebody's private folder: give the user a copy.
    copy = shared_folder / "program"
    if not copy.exists():
        copy_program(copy)
    return str(copy / "sifprov")


def copy_program(folder: Path) -> None:
    """Lay out the packages, their one dependency and a launcher, readable by everybody."""
    library = folder / "lib"
    # Python writes into those while other tests run.
    ours = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "pytools", library, ignore=ours)
    click = find_spec("click")
    assert click is not None and click.origin is not None
    shutil.copytree(Path(click.origin).parent, library / "click", ignore=ours)
    python = Path(sys.base_prefix) / "bin" / "python3"
    launcher = folder / "sifprov"
    launcher.write_text(
        f"#!{python}\nimport sys\n\nsys.path.insert(0, {str(library)!r})\n"
        "from sifprov.__main__ import entry\n\nentry()\n"
    )
    launcher.chmod(0o755)


@pytest.fixture
def nothing_reported(run_as: Runner, sifprov: str) -> None:
    """Takes away what earlier runs have reported in the home that the password database names, by
    which the plugin's helper goes."""
    env = {"HOME": str(run_as.folder), "SIFPROV_CATALOG": str(run_as.folder / "earlier.db")}
    run_as([sifprov, "catalog", "deliver", "-q"], env=env).expect()


@pytest.fixture(scope="session")
def plugin(singularity: str) -> Iterator[str]:
    """SingularityCE with the plugin."""
    with installed_plugin(singularity):
        yield singularity


# The runtimes that had no plugin before the tests installed one.
_added: list[str] = []
# Those where this run of the tests installed the sources as they are.
_current: set[str] = set()
# The compiled plugin, by runtime.
_compiled: dict[str, Path] = {}
_SIFPROV = str(Path(sys.executable).with_name("sifprov"))


def compiled_plugin(runtime: str) -> str:
    """The plugin of the checkout for this runtime, compiled once: for tests that do not test
    compiling, which takes 20 s. It stays in the cache, under a name that its sources and the
    runtime's program make. Wants root."""
    if runtime not in _compiled:
        path = Path(tool("cache-dir")) / f"plugin-{_sources(runtime)}.sif"
        # Tests that run beside these want it too.
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                half = path.with_suffix(f".{os.getpid()}")
                done = _admin([_SIFPROV, "plugin", "compile", "-o", str(half)], runtime)
                assert done.returncode == 0, done.stdout + done.stderr
                half.rename(path)
        _compiled[runtime] = path
    return str(_compiled[runtime])


def _sources(runtime: str) -> str:
    program = Path(runtime).resolve()
    status = program.stat()
    digest = hashlib.sha256(f"{program} {status.st_size} {status.st_mtime_ns}".encode())
    for folder in ("plugin", "pytools/sifprov/pluginadmin"):
        for path in sorted((ROOT / folder).iterdir()):
            if path.suffix in (".go", ".mod", ".sum", ".py"):
                digest.update(b"%s\0%s\0" % (os.fsencode(path.name), path.read_bytes()))
    return digest.hexdigest()[:12]


@contextmanager
def installed_plugin(runtime: str) -> Iterator[None]:
    """Installs the plugin as an administrator does, where that was not done by now, or was
    undone. At the end of the session it is removed where it was not there before."""
    before = _admin([_SIFPROV, "plugin", "status"], runtime)
    if before.returncode == 0 and (runtime in _current or os.getuid() != 0):
        yield
        return
    if os.getuid() != 0:
        pytest.skip(f"the plugin is not installed, and that needs root: {before.stdout}")
    if before.returncode == 3 and runtime not in _current:
        _added.append(runtime)
    install = [_SIFPROV, "plugin", "install", "--object", compiled_plugin(runtime)]
    done = _admin(install, runtime)
    assert done.returncode == 0, done.stdout + done.stderr
    _current.add(runtime)
    yield


def pytest_sessionfinish() -> None:
    for runtime in _added:
        _admin([_SIFPROV, "plugin", "remove"], runtime)


def _admin(argv: list[str], runtime: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*argv, "--runtime", runtime],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.fixture
def job(run_as: Runner, plugin: str, sifprov: str, busybox_sif: str, exec_flags: list[str]) -> Job:
    """A small job with fresh containers, recorded by the plugin."""
    made = Job(run_as, plugin, sifprov, busybox_sif, exec_flags)
    made.create()
    return made


@pytest.fixture(scope="session")
def open_fuse() -> Iterator[None]:
    """Lets ordinary users open /dev/fuse, as on every desktop and cluster."""
    device = Path("/dev/fuse")
    if not device.exists():
        pytest.skip("there is no /dev/fuse")
    mode = stat.S_IMODE(device.stat().st_mode)
    if mode & 0o006 != 0o006:
        if os.getuid() != 0:
            pytest.skip("/dev/fuse is closed to ordinary users, and opening it needs root")
        device.chmod(0o666)
    yield
    device.chmod(mode)


@pytest.fixture(scope="session", params=["singularity", "apptainer"])
def either_runtime(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each runtime with the plugin."""
    ours = request.param == "singularity"
    path = tool("find-runtime") if ours else tool("build-apptainer", "--find") + "/apptainer"
    with installed_plugin(path):
        yield path


@pytest.fixture
def either(
    run_as: Runner,
    either_runtime: str,
    sifprov: str,
    busybox_sif: str,
    request: pytest.FixtureRequest,
) -> Job:
    """A small job with fresh containers, recorded by the plugin of each runtime."""
    if not either_runtime.endswith("apptainer"):
        flags = request.getfixturevalue("exec_flags")
    else:
        request.getfixturevalue("open_fuse")
        flags = ["--no-privs"] if run_as.is_root else ["--userns"]
    made = Job(run_as, either_runtime, sifprov, busybox_sif, flags)
    made.create("4M")
    return made


@pytest.fixture(params=["singularity", "apptainer"])
def wrap_job(
    request: pytest.FixtureRequest, run_as: Runner, sifprov: str, busybox_sif: str
) -> WrapJob:
    """A small job with fresh containers, recorded by `sifprov exec` on either runtime."""
    if request.param == "apptainer":
        request.getfixturevalue("open_fuse")
        runtime = tool("build-apptainer", "--find") + "/apptainer"
        flags = ["--no-privs"] if run_as.is_root else ["--userns"]
    else:
        runtime = request.getfixturevalue("singularity")
        flags = request.getfixturevalue("exec_flags")
    made = WrapJob(run_as, runtime, sifprov, busybox_sif, flags)
    made.create("4M")
    return made
