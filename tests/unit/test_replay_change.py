"""What the user wants otherwise than recorded: read at each `=`, marked in what depends on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.graphmaker import Sample
from tests.unit.replays import Shelf, hangs_together, planned

from sifprov.errors import SifprovError
from sifprov.model.graph import Graph
from sifprov.model.record import Run
from sifprov.replay.change import arguments
from sifprov.replay.steps import Change, Found

ARGV = ("singularity", "exec", "-B", "a:/a", "app.sif", "fit", "--seed=1", "seed", "1", "1")


def pipeline() -> Graph:
    """data -> prepare -> two models -> a plot of both."""
    s = Sample()
    (table,) = s.run(s.application("prepare.sif"), (s.made("data.sif"),), "table.sif")
    (knn,) = s.run(s.application("knn.sif"), (table,), "knn-out.sif")
    (forest,) = s.run(s.application("forest.sif"), (table,), "forest-out.sif")
    (plot,) = s.run(
        s.application("plot.sif"), (knn, forest), "plot-out.sif",
        argv=("singularity", "exec", "plot.sif", "plot", "red", "red", "a=b"),
    )  # fmt: skip
    return s.graph(plot)


def uuid_of(graph: Graph, name: str) -> str:
    return next(str(e.uuid) for e in graph.entities.values() if e.name == name)


def changed(graph: Graph, **options: object) -> list[str]:
    """The outputs of the steps that a change reaches, by name."""
    plan = planned(graph, from_origin=True, **options)  # type: ignore[arg-type]
    hangs_together(plan)
    return [s.outputs[0].container.name for s in plan.steps if s.changed]


def test_nothing_is_changed_by_itself() -> None:
    plan = planned(pipeline(), from_origin=True)
    assert not plan.changes
    assert not any(step.changed for step in plan.steps)
    assert len(plan.steps) == 4


def test_what_depends_on_a_change_is_marked() -> None:
    graph = pipeline()
    assert changed(graph, inputs=("data.sif=/new.sif",)) == [
        "table.sif", "knn-out.sif", "forest-out.sif", "plot-out.sif",
    ]  # fmt: skip
    assert changed(graph, applications=("knn.sif=/new.sif",)) == ["knn-out.sif", "plot-out.sif"]
    assert changed(graph, applications=("/new.sif",)) == ["plot-out.sif"]
    assert changed(graph, arguments=("red=blue",)) == ["plot-out.sif"]


def test_a_container_by_name_or_uuid_wherever_it_is_read() -> None:
    """And the run that made it is not needed any more."""
    graph = pipeline()
    whole = uuid_of(graph, "table.sif")
    for key in ("table.sif", whole, whole.upper()):
        plan = planned(graph, from_origin=True, inputs=(f"{key}=/new.sif",))
        assert [s.outputs[0].container.name for s in plan.steps] == [
            "knn-out.sif", "forest-out.sif", "plot-out.sif",
        ]  # fmt: skip
        read = [step.inputs[0] for step in plan.steps[:2]]
        assert all(isinstance(i, Found) and i.path == "/new.sif" for i in read)
        assert plan.changes == (Change("input table.sif", "/home/ada/table.sif", "/new.sif"),)


def test_a_mount_point_is_of_the_replayed_run_alone() -> None:
    s = Sample()
    data = s.made("data.sif")
    (first,) = s.run(s.application("one.sif"), (data,), "first.sif")
    (end,) = s.run(s.application("two.sif"), (data,), first)
    plan = planned(s.graph(end), from_origin=True, inputs=("/Inputs/=/new.sif",))
    assert [i.path for step in plan.steps for i in step.inputs if isinstance(i, Found)] == [
        "/home/ada/data.sif", "/new.sif",
    ]  # fmt: skip
    assert plan.changes == (Change("input /Inputs", "/home/ada/data.sif", "/new.sif"),)


def test_a_file_with_the_recorded_content_changes_nothing() -> None:
    plan = planned(pipeline(), Shelf(same=("/moved.sif",)), inputs=("knn-out.sif=/moved.sif",))
    assert not plan.changes
    assert not plan.last.changed
    assert isinstance(plan.last.inputs[0], Found)
    assert plan.last.inputs[0].path == "/moved.sif"


def test_a_lost_container_is_given() -> None:
    """It is not looked for."""
    shelf = Shelf(lost=("data.sif", "knn.sif"))
    plan = planned(
        pipeline(), shelf, from_origin=True,
        inputs=("data.sif=/d.sif",), applications=("knn.sif=/k.sif",),
    )  # fmt: skip
    assert len(plan.steps) == 4
    assert not {"data.sif", "knn.sif"} & set(shelf.asked)


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = planned(pipeline(), applications=("new.sif",))
    assert plan.last.application.path == str(tmp_path / "new.sif")
    assert plan.changes[0].after == str(tmp_path / "new.sif")


def test_names_with_equals_signs() -> None:
    s = Sample()
    (end,) = s.run(s.application("a=b.sif"), (s.made("x=y.sif"),), "output.sif")
    graph = s.graph(end)
    plan = planned(graph, inputs=("x=y.sif=/n=w.sif",), applications=("a=b.sif=/v=2.sif",))
    assert [plan.last.inputs[0].path, plan.last.application.path] == ["/n=w.sif", "/v=2.sif"]  # type: ignore[union-attr]


def test_an_application_file_whose_name_looks_like_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("v=2.sif").touch()
    assert planned(pipeline(), applications=("v=2.sif",)).last.application.path.endswith("/v=2.sif")
    Path("plot.sif=2").touch()
    with pytest.raises(SifprovError, match="can be read in two ways"):
        planned(pipeline(), applications=("plot.sif=2",))


WRONG: dict[str, tuple[dict[str, tuple[str, ...]], str, str]] = {
    "no key": ({"inputs": ("/new.sif",)}, "no container that is used", "/Inputs (knn-out.sif, "),
    "another mount point": ({"inputs": ("/Elsewhere=/n",)}, "names no", "one of: /Inputs ("),
    "no such name": ({"inputs": ("nosuch.sif=/n",)}, "names no container", "KEY is one of"),
    "no file": ({"inputs": ("data.sif=",)}, "names no container", "KEY=FILE"),
    "too short": ({"inputs": ("0000000=/n",)}, "names no container", "KEY is one of"),
    "many begin so": ({"inputs": ("00000000=/n",)}, "00000000 is the name of", "by its UUID"),
    "twice": ({"inputs": ("data.sif=/n", "data.sif=/m")}, "data.sif=/n was given", ""),
    "no application": ({"applications": ("data.sif=/n",)}, "names no", "is one of: plot.sif ("),
    "no argument": ({"arguments": ("green=blue",)}, "no argument of the command", "1 plot, 2 red"),
    "no sign": ({"arguments": ("red",)}, "no argument of the command is that", "4 a=b"),
    "part of one": ({"arguments": ("re=blue",)}, "no argument of the command is that", ""),
    "an argument twice": ({"arguments": ("red=a", "red=b")}, "red was given twice", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_fits_nothing_lists_what_there_is(name: str) -> None:
    options, text, hint = WRONG[name]
    with pytest.raises(SifprovError, match=text) as caught:
        planned(pipeline(), from_origin=True, **options)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    assert hint in (caught.value.hint or "")


def test_what_the_replay_does_not_read() -> None:
    """Its name is known, but the run that reads it is not replayed."""
    with pytest.raises(SifprovError, match="names no container that is used"):
        planned(pipeline(), inputs=("data.sif=/n",))
    with pytest.raises(SifprovError, match="no run that is replayed reads that from outside"):
        planned(pipeline(), inputs=("plot-out.sif=/n",))
    with pytest.raises(SifprovError, match="no run that is replayed reads that from outside"):
        planned(pipeline(), inputs=("table.sif=/n", "data.sif=/m"), from_origin=True)


def test_a_long_list_is_cut() -> None:
    s = Sample()
    (end,) = s.run(s.application(), tuple(s.plain(f"{n}.sif") for n in range(500)), "output.sif")
    with pytest.raises(SifprovError) as caught:
        planned(s.graph(end), inputs=("nosuch=/n",))
    assert "and 481 more" in (caught.value.hint or "")
    assert len(caught.value.hint or "") < 1000


def test_two_containers_of_one_name() -> None:
    s = Sample()
    (end,) = s.run(s.application(), (s.plain("in.sif"), s.plain("in.sif")), "output.sif")
    graph = s.graph(end)
    with pytest.raises(SifprovError, match=r"in\.sif is the name of 2 containers") as caught:
        planned(graph, inputs=("in.sif=/n",))
    uuids = [str(e.uuid) for e in graph.entities.values() if e.name == "in.sif"]
    assert all(uuid[:8] in (caught.value.hint or "") for uuid in uuids)
    plan = planned(graph, inputs=(f"{uuids[1]}=/n",))
    assert [i.path for i in plan.last.inputs if isinstance(i, Found)] == ["/home/ada/in.sif", "/n"]


def a_run(argv: tuple[str, ...] = ARGV, redacted: tuple[int, ...] = ()) -> Run:
    plan = planned(pipeline())
    values = {**plan.last.run.__dict__, "argv": argv, "redacted": redacted}
    return Run(**{**values, "command": ("/.singularity.d/actions/exec", *argv[5:])})


def test_every_argument_that_is_just_that() -> None:
    run, changes = arguments(("1=2",), a_run())
    assert run.argv == (*ARGV[:8], "2", "2")
    assert run.command == ("/.singularity.d/actions/exec", *ARGV[5:8], "2", "2")
    assert changes == (Change("argument 4", "1", "2"), Change("argument 5", "1", "2"))


def test_arguments_are_swapped_and_emptied() -> None:
    run, _ = arguments(("1=seed", "seed=1", "fit="), a_run())
    assert run.argv[5:] == ("", "--seed=1", "1", "seed", "seed")


def test_an_argument_that_holds_an_equals_sign() -> None:
    run, changes = arguments(("--seed=1=--seed=2",), a_run())
    assert run.argv[6] == "--seed=2"
    assert changes == (Change("argument 2", "--seed=1", "--seed=2"),)
    both = (*ARGV, "--seed")
    with pytest.raises(SifprovError, match="can be read in two ways") as caught:
        arguments(("--seed=1=x",), a_run(both))
    assert "1 fit, 2 --seed=1" in (caught.value.hint or "")


def test_options_of_the_runtime_are_no_arguments() -> None:
    with pytest.raises(SifprovError, match="no argument of the command is that"):
        arguments(("a:/a=b:/b",), a_run())


def test_a_hidden_argument_can_be_given_again_and_is_not_told() -> None:
    hidden = (*ARGV, "--password", "[redacted]")
    run, changes = arguments(("[redacted]=s3cret",), a_run(hidden, redacted=(11,)))
    assert run.argv[11] == "s3cret"
    assert run.redacted == ()
    assert changes == (Change("argument 7", "[redacted]", "[redacted]"),)


def test_a_run_without_a_command_line() -> None:
    run = a_run(())
    again, changes = arguments(("red=blue",), Run(**{**run.__dict__, "command": ("plot", "red")}))
    assert (again.argv, again.command) == ((), ("plot", "blue"))
    assert changes == (Change("argument 2", "red", "blue"),)
