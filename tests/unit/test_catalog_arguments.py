"""Settings in commands, and what is remembered of them so that not all are looked through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.catalogs import Opened
from tests.unit.asking import Asking
from tests.unit.graphmaker import Sample

from sifprov.catalog import arguments
from sifprov.catalog.arguments import MORE, names_set, settings
from sifprov.catalog.texts import short

WORDS = st.text(st.sampled_from("-=ab\\é\0"), max_size=6)


@given(st.lists(WORDS, max_size=5), WORDS)
def test_no_setting_is_missed(command: list[str], name: str) -> None:
    if list(settings(command, name)):
        bare = short(name.lstrip("-"))
        assert bare == "" or bare in names_set(command)


def test_a_command_with_very_many_stands_for_all() -> None:
    assert names_set([f"a{n}=1" for n in range(256)]) == {f"a{n}" for n in range(256)}
    assert names_set([f"a{n}=1" for n in range(257)]) == {MORE}
    assert names_set(["-", "--", "x", "=1"]) == set()


@pytest.mark.parametrize("many", [False, True])
def test_commands_are_looked_through_only_for_what_one_sets(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, many: bool
) -> None:
    sample = Sample()
    app = sample.application()
    sample.run(app, (), "out.sif", command=("train", "--lr", "0.1", "depth=3"))
    if many:
        sample.run(app, (), "out.sif", command=tuple(f"a{n}=1" for n in range(300)))
    asking = Asking(opened, sample.store.values())
    looked: list[str] = []

    def seen(command: list[str], name: str) -> list[str]:
        looked.append(name)
        return list(settings(command, name))

    monkeypatch.setattr(arguments, "settings", seen)
    assert len(asking.find("arg.lr>0.05").rows) == len(asking.find("arg.depth=3").rows) == 1
    assert looked == ["lr", "depth"]
    assert not asking.find("arg.r=1").rows
    assert looked[2:] == (["r"] if many else [])
