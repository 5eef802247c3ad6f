"""Frozen dataclasses, made in a fraction of the time.

`dataclasses` compiles six methods for each class and imports `inspect`. That was half of what the
helper needed to start, which happens on the user's clock at every run. Here all classes share their
methods; everything else, `dataclasses.replace` and `fields` included, is as it is there, and type
checkers take it for the same. Plain fields with plain defaults only, no inheritance of fields.
"""

from __future__ import annotations

from pyext2fs._named import NamedTuple as NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import replace as replace
    from typing import Any
else:

    def dataclass(*, frozen):
        """As `dataclasses.dataclass(frozen=True)`."""
        if not frozen:
            raise TypeError("only frozen classes are made here")
        return _make

    def replace(record, /, **changes):
        """As `dataclasses.replace`."""
        return type(record)(**{**record.__dict__, **changes})


def _make(cls: Any) -> Any:
    names = tuple(cls.__annotations__)
    setattr(cls, "__match_args__", names)  # noqa: B010 - mypy knows better
    cls._frozen = frozenset(names), {n: cls.__dict__[n] for n in names if n in cls.__dict__}
    cls.__dataclass_fields__ = _Fields()
    for name, method in _METHODS.items():
        if name not in cls.__dict__:
            setattr(cls, name, method)
    return cls


class _Fields:
    """What `dataclasses` keeps in a class, made when somebody asks for it."""

    def __get__(self, record: object, cls: Any) -> Any:
        from dataclasses import make_dataclass

        made: Any = make_dataclass(cls.__name__, cls.__match_args__)
        # Takes this object's place: making it takes a millisecond.
        cls.__dataclass_fields__ = made.__dataclass_fields__
        return cls.__dataclass_fields__


def _init(self: Any, /, *positional: Any, **named: Any) -> None:
    wanted, defaults = self._frozen
    values = named
    # Most are made by all of their names, thousands of them at a time.
    if positional or named.keys() != wanted:
        names: tuple[str, ...] = self.__match_args__
        given = dict(zip(names, positional, strict=False))
        values = {**defaults, **given, **named}
        if len(positional) > len(names) or values.keys() != wanted or given.keys() & named:
            wrong = ", ".join(sorted((values.keys() ^ wanted) | (given.keys() & named)))
            raise TypeError(f"{type(self).__name__}(): missing, unknown or given twice: {wrong}")
    self.__dict__.update(values)
    if hasattr(self, "__post_init__"):
        self.__post_init__()


def _eq(self: Any, other: object) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self.__dict__ == other.__dict__


def _hash(self: Any) -> int:
    return hash(tuple(self.__dict__[name] for name in self.__match_args__))


def _repr(self: Any) -> str:
    fields = ", ".join(f"{name}={self.__dict__[name]!r}" for name in self.__match_args__)
    return f"{type(self).__qualname__}({fields})"


def _refuse(self: Any, name: str, value: object = None) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot change the field {name!r}")


_METHODS = {
    "__init__": _init,
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
}
