"""What cannot be replayed is refused in plain words, all at once; what is doubtful is told."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from tests.unit.graphmaker import Sample
from tests.unit.lineages import carrier, read, record_of
from tests.unit.replays import APPTAINER, Shelf, hangs_together, planned

from sifprov.errors import MissingError
from sifprov.frozen import replace
from sifprov.model.container import (
    APPLICATION,
    CHANGED_OUTSIDE,
    FOLDER,
    INPUT,
    OUTPUT,
    PROVISIONAL,
    SOURCE_OUTSIDE,
    Container,
)
from sifprov.model.record import NOT_STARTED, UNKNOWN, Record, Run
from sifprov.replay.steps import Continued, Copied, Found, Fresh
from sifprov.trail import Trail


def one_run(change: Callable[[Record], Record] = lambda r: r) -> Trail:
    """A trail of one run that reads input.sif and writes output.sif, its record changed."""
    s = Sample()
    (end,) = s.run(s.application(), (s.made("input.sif"),), "output.sif")
    return read(replace(carrier(end, change(record_of(s, end))), embedded=s.store))


def with_run(**fields: object) -> Callable[[Record], Record]:
    def change(record: Record) -> Record:
        assert record.run
        run: Run = replace(record.run, **fields)  # type: ignore[arg-type]
        return replace(record, run=run)

    return change


def with_container(role: str, **fields: object) -> Callable[[Record], Record]:
    def change(record: Record) -> Record:
        changed = tuple(
            replace(c, **fields) if c.role == role else c  # type: ignore[arg-type]
            for c in record.containers
        )
        return replace(record, containers=changed)

    return change


EXEC = ("singularity", "exec")
REFUSED = {
    "an output folder": (
        with_container(OUTPUT, marks=(FOLDER,), path="/home/ada/results"),
        "a folder of the host took", "with another folder",
    ),
    "a secret": (
        with_run(argv=(*EXEC, "app.sif", "login", "[redacted]"), redacted=(4,)),
        "argument 5 of the recorded command held a secret", "by hand",
    ),
    "a link out of the container": (
        with_container(INPUT, marks=(SOURCE_OUTSIDE,), reason="/Inputs leads to /etc"),
        "did not read this container: /Inputs leads to /etc", "no symbolic link",
    ),
    "no end": (
        with_run(outcome=UNKNOWN, exit_code=None, ended=None),
        "its runtime was killed", "--force",
    ),
    "a remote image": (
        with_container(APPLICATION, path="docker://alpine:3", name="alpine:3", uuid=None),
        "docker://alpine:3: the run took its application from there", "--app FILE",
    ),
    "joined an instance": (
        with_run(argv=(*EXEC, "instance://web", "true")), "ran in an instance", "by hand",
    ),
    "started an instance": (
        with_run(argv=(), action="instance"), "ran in an instance", "by hand",
    ),
    "no command at all": (
        with_run(argv=(), command=()), "holds no command line", "by hand",
    ),
    "no application": (
        lambda r: replace(r, containers=tuple(c for c in r.containers if c.role != APPLICATION)),
        "names no application", "by hand",
    ),
    "a writable application": (
        with_run(argv=(*EXEC, "-ew", "-B", "/a", "box/", "true")),
        "it ran with --writable, and a replay would write", "on a copy",
    ),
    "an overlay": (
        with_run(argv=(*EXEC, "-o", "a.img:ro,b.img", "app.sif", "true")),
        r"it ran with --overlay b\.img, and", "on a copy",
    ),
    "a relative bind in a folder that is gone": (
        with_run(argv=(*EXEC, "-B", "data:/data", "app.sif", "true"), cwd="/gone/for/good"),
        "it bound data of the working directory /gone/for/good", "make that folder again",
    ),
    "an earlier record that is missing": (
        with_container(OUTPUT, record="sha256:" + "7" * 64),
        r"output\.sif: it held earlier content", "--metadata PATH",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    change, text, hint = REFUSED[name]
    with pytest.raises(MissingError, match=text) as caught:
        planned(one_run(change))
    assert hint in (caught.value.hint or "")
    assert "\n" not in str(caught.value)


def test_force_makes_up_no_content() -> None:
    change, text, _ = REFUSED["an earlier record that is missing"]
    with pytest.raises(MissingError, match=text):
        planned(one_run(change), force=True)


def test_the_same_in_an_ancestor() -> None:
    """It matters only when that is replayed."""
    s = Sample()
    app = s.application()
    (middle,) = s.run(app, (s.made("input.sif"),), "middle.sif")
    killed = with_run(outcome=UNKNOWN, exit_code=None)(record_of(s, middle))
    it = replace(middle.container, record=s.put(killed))
    (end,) = s.run(app, (replace(middle, container=it),), "output.sif")
    trail = read(replace(carrier(end, record_of(s, end)), embedded=s.store))
    assert len(planned(trail).steps) == 1
    with pytest.raises(MissingError, match="its runtime was killed"):
        planned(trail, from_origin=True)
    assert len(planned(trail, from_origin=True, force=True).steps) == 2


def test_all_reasons_at_once() -> None:
    change = with_run(outcome=UNKNOWN, argv=(*EXEC, "instance://web", "true"))
    with pytest.raises(MissingError, match="for 4 reasons") as caught:
        planned(one_run(change), Shelf(lost=("input.sif", "app.sif")))
    for number in range(1, 5):
        assert f"({number}) " in str(caught.value)


def test_a_relative_bind_in_a_folder_that_is_there() -> None:
    plan = planned(one_run(with_run(argv=(*EXEC, "-B", "data:/data", "a", "b"), cwd=os.getcwd())))
    assert plan.last.cwd == os.getcwd()


def test_a_command_that_never_started_is_tried_again() -> None:
    plan = planned(one_run(with_run(outcome=NOT_STARTED, exit_code=None)))
    hangs_together(plan)


def twice(change: Callable[[Record], Record], first: Callable[[Record], Record]) -> Trail:
    """Two runs that write into one container, with a change of each record."""
    s = Sample()
    app, data = s.application(), s.made("input.sif")
    (one,) = s.run(app, (data,), "output.sif")
    earlier = first(record_of(s, one))
    it = replace(one.container, record=s.put(earlier))
    before = replace(one, container=it, record=it.record)
    (two,) = s.run(app, (data,), before)
    return read(replace(carrier(two, earlier, change(record_of(s, two))), embedded=s.store))


def same(record: Record) -> Record:
    return record


UNTRACKED = {
    "changed outside": (twice, with_container(OUTPUT, marks=(CHANGED_OUTSIDE,)), same,
                        "changed it before the run began, by no recorded run"),
    "provisional": (twice, same, with_container(OUTPUT, marks=(PROVISIONAL,), reason="sleep"),
                    "could still write into it after its earlier record"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNTRACKED)
@pytest.mark.parametrize("from_origin", [False, True])
def test_what_an_output_held_is_not_known(name: str, from_origin: bool) -> None:
    make, change, first, text = UNTRACKED[name]
    trail = make(change, first)
    with pytest.raises(MissingError, match=text) as caught:
        planned(trail, from_origin=from_origin)
    assert "--force" in (caught.value.hint or "")
    assert "--with output.sif=FILE" in (caught.value.hint or "")
    plan = planned(trail, from_origin=from_origin, force=True)
    hangs_together(plan)
    assert isinstance(plan.last.outputs[0].start, Continued)
    assert not plan.last.changed


def test_the_user_gives_what_an_output_held() -> None:
    trail = twice(with_container(OUTPUT, marks=(CHANGED_OUTSIDE,)), same)
    for key in ("/Outputs", "output.sif"):
        # Nothing tells whether that is what it held.
        plan = planned(
            trail, Shelf(same=("/archive/then.sif",)), inputs=(f"{key}=/archive/then.sif",)
        )
        (start,) = (t.start for t in plan.last.outputs)
        assert isinstance(start, Copied)
        assert (start.found.path, start.like) == ("/archive/then.sif", "/home/ada/output.sif")
        assert plan.last.changed
        assert [c.what for c in plan.changes] == ["output /Outputs"]
    lost = one_run(with_container(OUTPUT, record="sha256:" + "7" * 64))
    plan = planned(lost, inputs=("output.sif=/archive/then.sif",))
    assert isinstance(plan.last.outputs[0].start, Copied)


def test_an_origin_folder_that_is_another_by_now() -> None:
    s = Sample()
    (end,) = s.run(s.application(), (), s.made("output.sif", "/home/ada/start"))
    trail = read(replace(carrier(end, record_of(s, end)), embedded=s.store))
    with pytest.raises(MissingError, match="it began with what /home/ada/start held") as caught:
        planned(trail)
    assert "--with output.sif=FILE" in (caught.value.hint or "")
    start = Fresh(None)
    assert planned(trail, Shelf(starts={"output.sif": start})).last.outputs[0].start == start
    plan = planned(trail, inputs=("output.sif=/archive/start.sif",), from_origin=True)
    assert isinstance(plan.last.outputs[0].start, Copied)


def test_an_input_that_was_changed_by_no_run() -> None:
    """Nothing makes it again, so it must be found."""
    s = Sample()
    app = s.application()
    (middle,) = s.run(app, (s.made("input.sif"),), "middle.sif")
    changed = replace(middle.container, marks=(CHANGED_OUTSIDE,), digest="tree-v1:" + "5" * 64)
    (end,) = s.run(app, (replace(middle, container=changed),), "output.sif")
    trail = read(replace(carrier(end, record_of(s, end)), embedded=s.store))
    plan = planned(trail, from_origin=True)
    assert len(plan.steps) == 1
    assert isinstance(plan.last.inputs[0], Found)
    with pytest.raises(MissingError, match="by no recorded run before it was read") as caught:
        planned(trail, Shelf(lost=("middle.sif",)))
    assert "--from-origin" not in (caught.value.hint or "")


def notes(trail: Trail, **options: object) -> str:
    return "\n".join(planned(trail, **options).notes)  # type: ignore[arg-type]


def test_notes() -> None:
    then = with_run(argv=(*EXEC, "-B", "/data/refs:/refs", "-B", "i.sif:/Inputs:image-src=/",
                          "--mount", "type=bind,source=/opt,destination=/o", "app.sif", "true"),
                    runtime_version="4.1.0")  # fmt: skip
    said = notes(one_run(then))
    assert "/data/refs of the host was bound at /refs" in said
    assert "/opt of the host was bound at /o" in said
    assert "i.sif" not in said
    assert "runtime: singularity-ce 4.1.0 then, singularity-ce 4.3.3 now" in said
    assert f"/home/ada is not there; using {os.getcwd()}" in said
    here = notes(one_run(with_run(cwd=os.getcwd())))
    assert "working directory" not in here
    assert "runtime" not in here
    provisional = notes(one_run(with_container(OUTPUT, marks=(PROVISIONAL,), reason="sleep")))
    assert "could write into output.sif after it was recorded" in provisional
    unread = notes(one_run(with_container(INPUT, digest=None, reason="not read in time")))
    assert "input.sif: its content was not recorded (not read in time)" in unread
    no_line = notes(one_run(with_run(argv=())))
    assert "what ran in the container is run" in no_line


def test_binds_of_todays_environment_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SINGULARITY_BIND", "/scratch")
    assert "binds the host's /scratch" in notes(one_run())


def test_another_runtime_that_lacks_an_option() -> None:
    oci = one_run(with_run(argv=(*EXEC, "--oci", "app.sif", "true")))
    with pytest.raises(MissingError, match=r"apptainer 1\.4\.5 has no --oci") as caught:
        planned(oci, runtime=APPTAINER)
    assert "it was singularity-ce 4.3.3" in (caught.value.hint or "")
    assert len(planned(oci).steps) == 1
    said = notes(
        one_run(with_run(argv=(*EXEC, "--tmp-sandbox", "--oci=false", "app.sif", "true"))),
        runtime=APPTAINER,
    )
    assert "apptainer has no --tmp-sandbox, --oci: left out" in said


def test_a_container_that_is_named_as_nothing() -> None:
    """A hostile record: no name, no path, no UUID."""
    blank: dict[str, object] = {"name": "", "path": "", "uuid": None, "digest": None}
    plan = planned(one_run(with_container(INPUT, **blank)))
    assert isinstance(plan.last.inputs[0], Found)
    container: Container = plan.last.inputs[0].container
    assert container.name == ""
