"""Frozen classes behave as those of `dataclasses` do."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import pickle
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError
from typing import Any, NamedTuple

import pytest

import sifprov
from sifprov import frozen


class Point:
    """Made twice, by each of the two."""

    x: int
    y: int = 2
    names: tuple[str, ...] = ()

    def total(self) -> int:
        return self.x + self.y


def make(decorator: Callable[..., Any]) -> Any:
    body = {k: v for k, v in vars(Point).items() if k not in ("__dict__", "__weakref__")}
    return decorator(frozen=True)(type("Point", (), body))


Ours, Theirs = make(frozen.dataclass), make(dataclasses.dataclass)


@frozen.dataclass(frozen=True)
class Checked:
    """One with a check of its own."""

    value: int

    def __post_init__(self) -> None:
        if self.value < 0:
            raise ValueError


@pytest.mark.parametrize(
    ("positional", "named"),
    [
        ((), {}), ((1,), {}), ((1, 3), {}), ((), {"x": 1}), ((1,), {"y": 5}), ((1, 2, ("a",)), {}),
        ((1, 2, (), 4), {}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((), {"y": 1}),
    ],
)  # fmt: skip
def test_making_one(positional: tuple[Any, ...], named: dict[str, Any]) -> None:
    try:
        theirs = Theirs(*positional, **named)
    except TypeError:
        with pytest.raises(TypeError):
            Ours(*positional, **named)
        return
    ours = Ours(*positional, **named)
    assert repr(ours) == repr(theirs)
    assert hash(ours) == hash(theirs)
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert ours.total() == theirs.total()
    assert ours == Ours(*positional, **named)
    assert ours != theirs
    assert ours != Ours(7, 7)


def test_it_cannot_be_changed_but_replaced() -> None:
    one = Ours(1)
    with pytest.raises(FrozenInstanceError):
        one.x = 2
    with pytest.raises(FrozenInstanceError):
        del one.x
    for replace in (frozen.replace, dataclasses.replace):
        assert replace(one, y=9) == Ours(1, 9)
        with pytest.raises(TypeError):
            replace(one, z=9)
    assert one == Ours(1)


def test_what_else_python_does_with_one() -> None:
    one = Checked(1)
    assert copy.copy(one) == copy.deepcopy(one) == one
    match one:
        case Checked(value):
            assert value == 1
    with pytest.raises(ValueError):
        frozen.replace(one, value=-1)
    assert [f.name for f in dataclasses.fields(Ours)] == ["x", "y", "names"]
    with pytest.raises(TypeError):
        frozen.dataclass(frozen=False)


def classes() -> Iterator[type]:
    """Every frozen class of the package."""
    for module in pkgutil.walk_packages(sifprov.__path__, "sifprov."):
        if not module.name.endswith("__main__"):
            for thing in vars(importlib.import_module(module.name)).values():
                if isinstance(thing, type) and "_frozen" in vars(thing):
                    yield thing


def test_no_class_of_ours_asks_for_more_than_there_is() -> None:
    found = set(classes())
    assert len(found) > 30
    for cls in found:
        assert cls.__mro__[1:] == (object,), cls
        assert not any(
            word in str(t) for t in cls.__annotations__.values() for word in ("ClassVar", "InitVar")
        ), cls
        assert not any(
            isinstance(v, (list, dict, set, dataclasses.Field))
            for v in vars(cls)["_frozen"][1].values()
        ), cls


def test_the_helper_starts_without_dataclasses() -> None:
    code = "import sys, sifprov.helper; print({'dataclasses', 'inspect'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "set()\n"


def named(base: Any, name: str) -> Any:
    class Made(base):  # type: ignore[misc]
        x: int
        y: int = 2
        names: tuple[str, ...] = ()

        @property
        def total(self) -> int:
            return int(self.x + self.y)

    Made.__name__ = Made.__qualname__ = name
    return Made


OurTuple, TheirTuple = named(frozen.NamedTuple, "OurTuple"), named(NamedTuple, "TheirTuple")


def test_named_tuples_are_as_those_of_typing() -> None:
    ours, theirs = OurTuple(1, names=("a",)), TheirTuple(1, names=("a",))
    assert tuple(ours) == tuple(theirs) and ours == theirs and hash(ours) == hash(theirs)
    assert (ours.x, ours.y, ours.names, ours.total) == (1, 2, ("a",), 3)
    assert repr(ours) == repr(theirs).replace("Their", "Our")
    assert ours._replace(y=5) == theirs._replace(y=5) and type(ours._replace(y=5)) is OurTuple
    assert ours._asdict() == theirs._asdict() and ours._fields == theirs._fields
    assert OurTuple._field_defaults == TheirTuple._field_defaults
    assert sys.getsizeof(ours) == sys.getsizeof(theirs)
    assert pickle.loads(pickle.dumps(ours)) == copy.deepcopy(ours) == ours  # noqa: S301
    with pytest.raises(AttributeError):
        ours.x = 3
    with pytest.raises(AttributeError):
        ours.z = 3
    match ours:
        case OurTuple(x, _, (name,)):
            assert (x, name) == (1, "a")


def test_a_class_below_a_named_tuple_has_its_fields() -> None:
    class Below(OurTuple):  # type: ignore[misc, valid-type]
        def twice(self) -> int:
            return int(2 * self.total)

    assert (Below(1).twice(), Below(x=1, names=(), y=4).twice(), Below._fields) == (
        6, 10, ("x", "y", "names"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((), {}),
        ((1, 2, (), 4), {}),
        ((1,), {"x": 1}),
        ((1,), {"z": 1}),
        ((), {"y": 1}),
        ((1, 2), {"x": 1}),
        ((1, 2), {"z": 1}),
    ],
)
def test_named_tuples_refuse_what_those_of_typing_refuse(
    values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    for cls in (OurTuple, TheirTuple):
        with pytest.raises(TypeError):
            cls(*values, **named)
    with pytest.raises(TypeError):
        OurTuple(1)._replace(z=1)
