"""The command line of a step and its environment: as recorded, on the files and the runtime of the
replay."""

from __future__ import annotations

import shlex

import pytest
from tests.unit.graphmaker import Sample
from tests.unit.graphs import chain
from tests.unit.replays import APPTAINER, CE, planned

from sifprov.errors import MissingError
from sifprov.frozen import replace
from sifprov.model.fact import Fact
from sifprov.model.record import Run
from sifprov.replay.line import command, host_binds, recorded
from sifprov.replay.line import writes_elsewhere as written
from sifprov.replay.steps import Step
from sifprov.replay.variables import environment, hidden, left_out
from sifprov.runtime.argv import parse
from sifprov.runtime.find import Runtime

EXEC = "singularity exec"


def step(typed: str = "", runtime: Runtime = CE, **fields: object) -> Step:
    """A step with one input and one output, and this recorded command line."""
    (only,) = planned(chain(1)).steps
    values = {**only.run.__dict__, **({"argv": tuple(shlex.split(typed))} if typed else {})}
    return replace(only, run=Run(**{**values, **fields}), runtime=runtime)


def again(it: Step) -> str:
    return shlex.join(command(it, {it.outputs[0].state: "/new/out.sif"}))


BINDS = (
    "--bind /home/ada/input.sif:/Inputs:image-src=/Inputs,ro "
    "--bind /new/out.sif:/Outputs:image-src=/Outputs /home/ada/app.sif"
)
LINES = {
    # Image binds go, and those of the replay come; everything else stays as it was typed.
    "singularity exec -B i.sif:/Inputs:image-src=/Inputs -B o.sif:/Outputs:image-src=/Outputs "
    "app.sif sh -c 'cat /Inputs/*'": f"/usr/bin/singularity exec {BINDS} sh -c 'cat /Inputs/*'",
    "singularity -q --config /c exec -e --env A=b -B /data:/d,i.sif:/I:image-src=/ a.sif x -e":
        f"/usr/bin/singularity -q --config /c exec -e --env A=b --bind /data:/d {BINDS} x -e",
    "/opt/bin/singularity run --pwd /w app.sif": f"/usr/bin/singularity run --pwd /w {BINDS}",
    "singularity exec --mount type=bind,source=/d,destination=/d app.sif x":
        f"/usr/bin/singularity exec --mount type=bind,source=/d,destination=/d {BINDS} x",
    "singularity exec -- app.sif x -- y": f"/usr/bin/singularity exec {BINDS} x -- y",
}  # fmt: skip


@pytest.mark.parametrize("typed", LINES)
def test_a_command_line_is_made_again(typed: str) -> None:
    it = step(typed)
    assert again(it) == LINES[typed]
    line = parse(command(it, {it.outputs[0].state: "/new/out.sif"}))
    assert line
    assert line.image == "/home/ada/app.sif"
    assert line.args == recorded(it.run).args


def test_what_earlier_steps_made_is_bound() -> None:
    plan = planned(chain(2), from_origin=True)
    first, second = plan.steps
    files = {first.outputs[0].state: "/w/one.sif", second.outputs[0].state: "/w/two.sif"}
    assert "/w/one.sif:/Inputs:image-src=/Inputs,ro" in command(second, files)
    assert "/w/two.sif:/Outputs:image-src=/Outputs" in command(second, files)
    with pytest.raises(KeyError):
        command(second, {second.outputs[0].state: "/w/two.sif"})


def test_names_that_a_bind_cannot_hold() -> None:
    it = step(f"{EXEC} app.sif x")
    argv = command(it, {it.outputs[0].state: "/new/a,b:c.sif"})
    assert "--mount" in argv
    assert any('"source=/new/a,b:c.sif"' in word for word in argv)


def test_a_run_whose_command_line_was_not_recorded() -> None:
    """What ran in the container is run, by the action that it was run by."""
    for script, action in (("exec", "exec"), ("run", "run"), ("shell", "shell"), ("start", "exec")):
        ran = (f"/.singularity.d/actions/{script}", "a", "b")
        it = step(argv=(), command=ran)
        assert again(it) == f"/usr/bin/singularity {action} {BINDS} a b"
    plain = step(argv=(), command=("sh", "-c", "true"))
    assert again(plain) == f"/usr/bin/singularity exec {BINDS} sh -c true"
    with pytest.raises(MissingError, match="holds no command line"):
        recorded(step(argv=(), command=()).run)


def test_options_for_apptainer() -> None:
    it = step(
        f"{EXEC} -e --contain --nv -B /d --pwd /w --tmp-sandbox --no-oci app.sif x", APPTAINER
    )
    assert again(it) == (f"/usr/bin/apptainer exec -e --contain --nv --bind /d --pwd /w {BINDS} x")
    kept = step(f"{EXEC} --tmp-sandbox app.sif x")
    assert "--tmp-sandbox" in again(kept)


def test_options_for_singularity() -> None:
    it = step(
        "apptainer exec -e --unsquash --sharens --ignore-subuid --underlay app.sif x",
        runtime_name="apptainer", runtime_version="1.4.5",
    )  # fmt: skip
    assert again(it) == f"/usr/bin/singularity exec -e {BINDS} x"


VARIABLES = (
    ("APPTAINERENV_A", "a"), ("APPTAINERENV_B", "a"), ("LANG", "C"), ("SINGULARITYENV_B", "s"),
    ("SINGULARITYENV_C", "s"),
)  # fmt: skip


def test_variables_for_the_other_runtime() -> None:
    """SingularityCE never read Apptainer's; Apptainer reads both, its own first."""
    ce = step(environment=VARIABLES)
    assert environment(ce, {}) == dict(VARIABLES)
    there = replace(ce, runtime=APPTAINER)
    assert environment(there, {}) == {
        "LANG": "C", "APPTAINERENV_B": "s", "APPTAINERENV_C": "s",
    }  # fmt: skip
    apptainer = step(environment=VARIABLES, runtime_name="apptainer")
    assert environment(apptainer, {}) == {
        "LANG": "C", "SINGULARITYENV_A": "a", "SINGULARITYENV_B": "a", "SINGULARITYENV_C": "s",
    }  # fmt: skip


def test_what_was_recorded_is_as_it_was_and_the_rest_as_today() -> None:
    today = {
        "PATH": "/usr/bin", "LANG": "de_DE", "OMP_NUM_THREADS": "64", "SINGULARITYENV_X": "1",
        "HOME": "/home/ada", "SINGULARITY_CACHEDIR": "/c", "APPTAINER_WRITABLE": "1",
        "SINGULARITY_OVERLAY": "o.img",
    }  # fmt: skip
    assert environment(step(environment=(("LANG", "C.UTF-8"),)), today) == {
        "PATH": "/usr/bin", "LANG": "C.UTF-8", "HOME": "/home/ada", "SINGULARITY_CACHEDIR": "/c",
    }  # fmt: skip


def test_secrets_are_those_of_today() -> None:
    """A record has neither the value nor, where its name tells, the variable."""
    went_in = Fact(
        "isolation", {"environment": ["DB_PASSWORD", "API_TOKEN", "URL", "X"]}, "environment"
    )
    then = (("SINGULARITYENV_URL", "https://me:[redacted]@host"), ("TZ", "[redacted]"))
    it = step(environment=then, facts=(went_in,))
    today = {
        "SINGULARITYENV_URL": "https://me:pw@host", "SINGULARITYENV_DB_PASSWORD": "pw",
        "SINGULARITYENV_OTHER_PASSWORD": "pw", "SINGULARITYENV_X": "1", "SECRET": "host's",
    }  # fmt: skip
    assert environment(it, today) == {
        "SINGULARITYENV_URL": "https://me:pw@host", "SINGULARITYENV_DB_PASSWORD": "pw",
        "SECRET": "host's",
    }  # fmt: skip
    assert hidden(it.run, today) == ("SINGULARITYENV_URL", "TZ", "SINGULARITYENV_DB_PASSWORD")
    assert hidden(step().run, today) == ()


def test_no_more_of_the_host_is_bound_than_recorded() -> None:
    mounted: list[object] = [
        {"destination": "/scratch", "source": "/scratch", "type": "ext4", "read_only": False},
        {"destination": "/refs", "type": "nfs", "read_only": True}, "nonsense", {"destination": 3},
    ]  # fmt: skip
    known = step(facts=(Fact("binds", mounted, "mountinfo"),))  # type: ignore[arg-type]
    today = {
        "SINGULARITY_BIND": "/scratch,/home/eve:/secret,/data/refs:/refs/:ro,i.sif:/I:image-src=/",
        "APPTAINER_BINDPATH": "/etc/shadow", "SINGULARITY_MOUNT": "type=bind,src=/x,dst=/scratch",
        "APPTAINER_MOUNT": "type=bind,src=/x,dst=/y",
    }  # fmt: skip
    assert environment(known, today) == {
        "LANG": "C.UTF-8", "SINGULARITY_BIND": "/scratch,/data/refs:/refs/:ro",
        "SINGULARITY_MOUNT": "type=bind,src=/x,dst=/scratch",
    }  # fmt: skip
    assert left_out(known.run, today) == ("/secret", "/etc/shadow", "/y")
    for fact in (Fact("binds", None, reason="the run was too short"), Fact("user", {}, "x")):
        unknown = step(facts=(fact,))
        assert environment(unknown, today) == {"LANG": "C.UTF-8"}
        assert "/scratch" in left_out(unknown.run, today)
    assert left_out(known.run, {"SINGULARITY_BIND": "a:b:c:d:e"}) == ("a:b:c:d:e",)


def test_binds_of_the_host_in_a_command_line() -> None:
    it = step(f"{EXEC} -B /a:/b:ro,i.sif:/I:image-src=/ -B /c --mount type=bind,src=/d,dst=/e a x")
    assert [(b.source, b.destination) for b in host_binds(it.run)] == [
        ("/a", "/b"), ("/c", "/c"), ("/d", "/e"),
    ]  # fmt: skip
    assert host_binds(step(f"{EXEC} -B ':::' a.sif x").run) == ()


WRITTEN = {
    "-w": ("--writable",), "-ew": ("--writable",), "-weB /a": ("--writable",),
    "--writable": ("--writable",), "--writable=false": (), "--writable-tmpfs": (),
    "-B /w": (), "-W /w": (), "--overlay o.img": ("--overlay o.img",), "-o o.img:ro": (),
    "-o a.img,b:ro -ew": ("--overlay a.img", "--writable"),
}  # fmt: skip


@pytest.mark.parametrize("typed", WRITTEN)
def test_what_a_run_wrote_beside_its_outputs(typed: str) -> None:
    assert written(step(f"{EXEC} {typed} app.sif x").run) == WRITTEN[typed]


def test_an_application_that_was_writable_by_the_environment() -> None:
    fact = Fact("isolation", {"writable": True}, "environment")
    assert written(step(f"{EXEC} app.sif x", facts=(fact,)).run) == ("--writable",)
    fact = Fact("isolation", {"writable": False}, "environment")
    assert written(step(f"{EXEC} app.sif x", facts=(fact,)).run) == ()


def test_an_application_whose_name_begins_with_a_dash() -> None:
    """Its path is absolute, so it is no option."""
    s = Sample()
    (end,) = s.run(s.application("--help"), (s.plain("-n"),), "-rf")
    plan = planned(s.graph(end))
    argv = command(plan.last, {plan.wanted: "/new/-rf"})
    line = parse(argv)
    assert line
    assert line.image == "/home/ada/--help"
