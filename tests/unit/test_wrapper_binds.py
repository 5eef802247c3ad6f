"""Binds as the two runtimes read them; the tables follow those of their own tests."""

from __future__ import annotations

import pytest

from sifprov.runtime.argv import parse
from sifprov.runtime.binds import Bind, binds, holders

S, A = False, True
Row = tuple[str, str, dict[str, str]]

BOTH: dict[str, list[Row]] = {
    "/opt": [("/opt", "/opt", {})],
    "/opt,/tmp": [("/opt", "/opt", {}), ("/tmp", "/tmp", {})],
    "/opt:/a,/tmp:/b": [("/opt", "/a", {}), ("/tmp", "/b", {})],
    "/opt:/a:ro,/tmp:/b:ro": [("/opt", "/a", {"ro": ""}), ("/tmp", "/b", {"ro": ""})],
    "/opt:/a:ro,rw,/tmp:/b:rw": [("/opt", "/a", {"ro": "", "rw": ""}), ("/tmp", "/b", {"rw": ""})],
    "a.sif:/a:image-src=/x": [("a.sif", "/a", {"image-src": "/x"})],
    "a.sif:/a:image-src=/x,id=2": [("a.sif", "/a", {"image-src": "/x", "id": "2"})],
    "a.sif:/a:image-src=/x,id=2,ro,/b": [
        ("a.sif", "/a", {"image-src": "/x", "id": "2", "ro": ""}), ("/b", "/b", {})],
    "a b.sif:/x y:image-src=/z z": [("a b.sif", "/x y", {"image-src": "/z z"})],
    " a.sif:/a:image-src=/x , /b": [("a.sif", "/a", {"image-src": "/x"}), ("/b", "/b", {})],
    "a.sif:/a:image-src=": [("a.sif", "/a", {"image-src": "/"})],
}  # fmt: skip
ONE: dict[tuple[bool, str], list[Row]] = {
    (A, r"a\,b:/x:ro"): [("a,b", "/x", {"ro": ""})],
    (A, r"a\:b:/x"): [("a:b", "/x", {})],
    (A, r"a\:b.sif:/x:image-src=/,c:/d"): [("a:b.sif", "/x", {"image-src": "/"}), ("c", "/d", {})],
    (S, '"a:/b:ro",c'): [("a", "/b", {"ro": ""}), ("c", "c", {})],
}
REFUSED = ["/opt:/a:bad", "/opt:/a:rw:bad", "a.sif:/a:image-src", ":/a:ro"]


def read(value: str, apptainer: bool) -> tuple[Bind, ...]:
    line = parse(["runtime", "exec", "--bind", value, "app.sif", "true"])
    assert line
    return binds(holders(line, {}, apptainer=apptainer), apptainer=apptainer)


def rows(found: tuple[Bind, ...]) -> list[Row]:
    return [(b.source, b.destination, dict(b.options)) for b in found]


@pytest.mark.parametrize("apptainer", [S, A])
@pytest.mark.parametrize("value", BOTH)
def test_what_both_read_alike(value: str, apptainer: bool) -> None:
    assert rows(read(value, apptainer)) == BOTH[value]


@pytest.mark.parametrize(("apptainer", "value"), ONE)
def test_what_one_reads_so(value: str, apptainer: bool) -> None:
    assert rows(read(value, apptainer)) == ONE[apptainer, value]


@pytest.mark.parametrize("apptainer", [S, A])
@pytest.mark.parametrize("value", REFUSED[:3])
def test_what_both_refuse(value: str, apptainer: bool) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read(value, apptainer)


@pytest.mark.parametrize("apptainer", [S, A])
@pytest.mark.parametrize("value", [v for v in BOTH if "," not in v.rpartition("id=")[0]])
def test_another_option_fits_where_a_bind_ends(value: str, apptainer: bool) -> None:
    for bind in read(value, apptainer):
        if not bind.options:
            continue
        longer = value[: bind.end] + ",ro" + value[bind.end :]
        same = [b for b in read(longer, apptainer) if b.source == bind.source]
        assert "ro" in same[0].options


MOUNTS = {
    "type=bind,source=a.sif,destination=/a,image-src=/x": ("a.sif", "/a", {"image-src": "/x"}),
    "src=a.sif,dst=/a,id=3,readonly": ("a.sif", "/a", {"id": "3", "ro": ""}),
    'type=bind,"src=a,b:c.sif",target=/a,image-src=/,ro': (
        "a,b:c.sif", "/a", {"image-src": "/", "ro": ""}),
}  # fmt: skip


@pytest.mark.parametrize("value", MOUNTS)
def test_mounts(value: str) -> None:
    line = parse(["runtime", "exec", "--mount", value, "app.sif", "true"])
    assert line
    (found,) = binds(holders(line, {}, apptainer=S), apptainer=S)
    assert (found.source, found.destination, dict(found.options)) == MOUNTS[value]
    assert found.end == len(value)


@pytest.mark.parametrize("value", ["type=tmpfs,src=a,dst=/b", "src=a", "src=a,dst=/b,what", 'a"b'])
def test_mounts_that_are_refused(value: str) -> None:
    line = parse(["runtime", "exec", "--mount", value, "app.sif", "true"])
    assert line
    with pytest.raises(ValueError, match=r"\S"):
        binds(holders(line, {}, apptainer=S), apptainer=S)


def sources(words: list[str], environ: dict[str, str], apptainer: bool) -> list[str]:
    line = parse(["runtime", "exec", *words, "app.sif", "true"])
    assert line
    return [
        b.source for b in binds(holders(line, environ, apptainer=apptainer), apptainer=apptainer)
    ]


def test_the_environment_comes_behind_the_command_line() -> None:
    environ = {"SINGULARITY_BINDPATH": "/3", "SINGULARITY_BIND": "/2", "SINGULARITY_MOUNT": " "}
    assert sources(["-B", "/1", "--mount", "src=/4,dst=/m"], environ, S) == ["/1", "/2", "/3", "/4"]
    assert sources(["-B", "/1"], {"APPTAINER_BIND": "/2"}, S) == ["/1"]


def test_apptainer_prefers_its_own_variables() -> None:
    environ = {"SINGULARITY_BIND": "/s", "APPTAINER_BIND": "/a", "SINGULARITY_BINDPATH": "/p"}
    assert sources([], environ, A) == ["/a", "/p"]


def test_singularity_reads_all_values_as_one_text() -> None:
    words = ["-B", "a.sif:/a:image-src=/x", "-B", "ro", "-B", "/b"]
    line = parse(["runtime", "exec", *words, "app.sif", "true"])
    assert line
    found = binds(holders(line, {}, apptainer=S), apptainer=S)
    assert rows(found) == [("a.sif", "/a", {"image-src": "/x", "ro": ""}), ("/b", "/b", {})]


def test_data_of_oci_mode() -> None:
    assert sources(["--data", "a.sif:/a,b.sif:/b"], {}, S) == ["a.sif", "b.sif"]
