"""What canonical.check accepts is what canonical.dumps can write, and nothing else."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sifprov.model.canonical import check, dumps

_TEXT = st.text(st.characters(exclude_categories=()), max_size=3)
_LEAF = st.one_of(
    st.none(), st.booleans(), _TEXT, st.floats(),
    st.integers(-(2**53) - 2, 2**53 + 2), st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1]),
)  # fmt: skip
_VALUE = st.recursive(
    _LEAF,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_TEXT, inner, max_size=3)),
    max_leaves=12,
)


def _refuses(job: Any, value: object) -> bool:
    try:
        job(value)
    except ValueError:
        return True
    return False


@given(_VALUE)
def test_both_accept_the_same(value: object) -> None:
    assert _refuses(check, value) == _refuses(dumps, value)


@given(st.integers(60, 68), st.sampled_from([1, "x", [], {}, None]))
def test_both_go_as_deep(depth: int, leaf: object) -> None:
    value = leaf
    for _ in range(depth):
        value = [value]
    assert _refuses(check, value) == _refuses(dumps, value)
