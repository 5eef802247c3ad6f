"""The runtimes' options: the same effect, bare and captured."""

from __future__ import annotations

import pytest

from tests.real.exactly.case import COPY, INPUT, OUTPUT, Case, refused
from tests.real.exactly.conftest import Compare

SEE = "env | sort; pwd; id; hostname; ls -a /; cut -d' ' -f2,3 /proc/mounts"
LOOK = ("sh", "-c", f"{COPY}; {SEE}")
MOUNT_IN = 'type=bind,source=input.sif,"destination=/in, put",image-src=/Inputs,ro'
BOTH = f"{INPUT},{OUTPUT}"
ENV_FILE = "printf 'FROM_FILE=1\\nPATH_LIKE=\"a b\"\\n' > vars"
HANDED = tuple(
    (f"{name}ENV_{key}", value)
    for name in ("SINGULARITY", "APPTAINER")
    for key, value in (("X", "1"), ("APPEND_PATH", "/opt"), ("LD_LIBRARY_PATH", "/l"))
)


def bound(name: str, value: str, other: str = "") -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"{prefix}_{name}", value if prefix == "SINGULARITY" or not other else other)
        for prefix in ("SINGULARITY", "APPTAINER")
    )


OVERLAY = '"$0" overlay create --size 64 over.img'
WRITES = ("sh", "-c", f"{COPY}; cat /etc/new; echo new >> /etc/new && cat /etc/new")

CASES = (
    Case("cleanenv", LOOK, options=("-e",), env=HANDED),
    Case("contain", LOOK, options=("--contain",)),
    Case("containall", LOOK, options=("-C",), binds=(INPUT, OUTPUT)),
    Case("no-home", LOOK, options=("--no-home",)),
    Case("home", LOOK, options=("-H", "{folder}/home:/home/other"), code=None, records=1),
    Case("pwd", LOOK, options=("--pwd", "/etc")),
    Case("cwd", LOOK, options=("--cwd", "/tmp"), code=None),
    Case("pwd-missing", LOOK, options=("--pwd", "/no/such"), code=None),
    Case("env", LOOK, options=("--env", "A=1,B=2", "--env", "C=a b,D=")),
    Case("env-file", LOOK, options=("--env-file", "vars"), prepare=ENV_FILE),
    refused(Case("env-file-missing", LOOK, options=("--env-file", "vars"))),
    Case("handed", LOOK, env=HANDED),
    Case("pid", ("sh", "-c", f"{COPY}; test $$ -lt 100 && echo low; exit 5"), options=("--pid",),
         code=5, says=b"low"),
    Case("ipc-uts", LOOK, options=("--ipc", "--uts"), code=None),
    Case("hostname", LOOK, options=("--hostname", "h"), code=None),
    Case("writable-tmpfs", WRITES, options=("--writable-tmpfs",)),
    Case("read-only-root", WRITES, code=1),
    Case("writable", WRITES, options=("--writable",), code=None),
    Case("overlay-image", WRITES, options=("--overlay", "over.img"), prepare=OVERLAY, records=2,
         line='"$@"; "$@"', says=b"new\nnew\nnew\n", sites=("singularity-root", "singularity-user",
         "apptainer-root")),
    # It wants a program that is not here.
    refused(Case("overlay-image", WRITES, options=("--overlay", "over.img"), prepare=OVERLAY,
         sites=("apptainer-user",))),
    Case("overlay-folder", WRITES, options=("--overlay", "over"), prepare="mkdir over", code=None),
    Case("workdir", LOOK, options=("--contain", "-W", "work", "-S", "/scr"), prepare="mkdir work"),
    Case("no-mount", LOOK, options=("--no-mount", "tmp,home")),
    Case("userns", LOOK, options=("--userns",), code=None, records=1),
    Case("fakeroot", LOOK, options=("--fakeroot",), code=None),
    Case("compat", LOOK, options=("--compat",), code=None),
    Case("nv", options=("--nv",)),
    Case("one-list", LOOK, binds=(BOTH,)),
    Case("list-with-folder", ("sh", "-c", f"{COPY}; ls /mnt/h"), binds=(f"{BOTH},home:/mnt/h:ro",),
         prepare="touch home/f"),
    Case("long-option", LOOK, binds=(), options=(f"--bind={INPUT}", "--bind", OUTPUT)),
    Case("cluster", LOOK, binds=(), options=("-eB", INPUT, f"-B={OUTPUT}")),
    Case("mount", ("sh", "-c", "cat '/in, put/data.txt' > /Outputs/a"), binds=(OUTPUT,),
         options=("--mount", MOUNT_IN)),
    Case("mount-only", LOOK, binds=(), options=(
         "--mount", "type=bind,src=input.sif,dst=/Inputs,image-src=/Inputs,ro",
         "--mount", "type=bind,src=output.sif,dst=/Outputs,image-src=/Outputs")),
    refused(Case("mount-broken", LOOK, options=("--mount", 'type=bind,"source=x'))),
    refused(Case("bind-broken", LOOK, binds=(INPUT, OUTPUT, "x:"))),
    Case("from-environment", LOOK, binds=(), env=bound("BIND", BOTH)),
    Case("bindpath", LOOK, binds=(), env=bound("BINDPATH", BOTH), code=None),
    Case("both-environments", LOOK, binds=(), env=bound("BIND", BOTH, OUTPUT), code=None),
    Case("environment-and-option", LOOK, binds=(OUTPUT,), env=bound("BIND", INPUT)),
    Case("mount-environment", LOOK, binds=(OUTPUT,), code=None,
         env=bound("MOUNT", "type=bind,src=input.sif,dst=/Inputs,image-src=/Inputs,ro")),
    Case("read-only-output", ("sh", "-c", "echo x > /Outputs/a"), code=1, records=0,
         binds=(f"{OUTPUT},ro",), says=b"Read-only"),
    Case("id", LOOK, binds=("input.sif:/Inputs:id=1,image-src=/Inputs,ro", OUTPUT)),
    refused(Case("id-missing", LOOK, binds=("input.sif:/Inputs:id=7,ro", OUTPUT))),
    Case("run", ("a b", "", "-x"), action="run", code=None),
    Case("run-list", ("sh", "-c", COPY), action="run", options=("--pwd", "/tmp"), code=None),
    Case("shell", ("-c", COPY), action="shell", code=None),
    Case("shell-typed", (), action="shell", options=("-s", "/bin/sh"), code=6,
         stdin=b"cat /Inputs/data.txt | tee /Outputs/b\nexit 6\n"),
    Case("test", (), action="test", code=None, ways=("plugin",)),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_options_do_what_they_do_without_us(case: Case, compare: Compare) -> None:
    compare(case, CASES)
