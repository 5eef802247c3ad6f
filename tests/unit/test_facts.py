"""The facts of a run: each is read where it stands, and null says why."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spython.main.parse.parsers import SingularityParser  # type: ignore[import-untyped]
from tests.unit.schemas import problems
from tests.unit.sifs import add_object, make_sif, run, run_record

from sifprov.capture.facts import collect, early
from sifprov.capture.facts.binds import binds, host_path, parse_mounts
from sifprov.capture.facts.deffile import entry_point, environment
from sifprov.capture.facts.image import application, bases
from sifprov.capture.facts.isolation import isolation, of_command_line, with_names
from sifprov.capture.facts.platform import _gpus, cpu_model, platform
from sifprov.capture.facts.resources import of_usage, resources
from sifprov.capture.facts.who import _outside, batch, user
from sifprov.model.environment import FOR_HELPER
from sifprov.model.fact import Fact
from sifprov.model.record import EXITED, NOT_STARTED, PLUGIN, UNKNOWN, WRAPPER
from sifprov.model.request import Bind, CaptureEnd, CaptureRequest
from sifprov.render.words import _batch
from sifprov.runtime.conf import find_conf
from sifprov.sif import DataType

ROOT = Path(__file__).parents[2]
NAMES = ["application", "batch", "binds", "isolation", "platform", "resources", "started", "user"]
TABLE = rb"""92 63 0:40 / / rw,nodev,relatime unbindable - overlay overlay ro,lowerdir=/x
94 92 0:6 / /dev rw,relatime master:16 - devtmpfs devtmpfs rw
104 92 254:0 /home/me/a\040b /home/me rw,nosuid master:1 - ext4 /dev/vda rw
105 92 254:3 / /scratch ro,relatime - xfs /dev/vdb rw
107 92 0:39 /etc/passwd /etc/passwd rw master:21 - tmpfs tmpfs rw
111 92 7:1 /Inputs /Inputs ro,relatime - ext3 /dev/loop1 ro
112 92 0:50 /Outputs /Outputs rw - fuse.fuse2fs fuse2fs rw,user_id=1001
113 92 0:51 / /More rw - fuse.fuse2fs fuse2fs rw,user_id=1001
nonsense
"""
HOST = rb"""43 42 254:0 / / rw shared:1 - ext4 /dev/vda rw
58 43 0:6 / /dev rw shared:16 - devtmpfs devtmpfs rw
60 43 254:0 /srv/home /home rw - ext4 /dev/vda rw
61 43 254:3 / /mnt/fast rw - xfs /dev/vdb rw
"""


def request(**changes: Any) -> CaptureRequest:
    made = CaptureRequest(
        captured_by=PLUGIN,
        version="0.1.0",
        runtime_name="singularity-ce",
        runtime_version="4.3.3",
        argv=("singularity", "exec", "app.sif", "true"),
        command=("true",),
        cwd="/data",
        started="2026-11-21T14:00:00.000000001Z",
        environment=(),
        image="/data/app.sif",
        binds=(
            Bind("in.sif", "/Inputs", "/Inputs", None, True, False),
            Bind("/data/out.sif", "/Outputs/", None, None, False, False),
            Bind("/data/more.sif", "/More", "/x", None, True, True),
        ),
        images=(),
        timeout=60,
    )
    return replace(made, **changes)


END = CaptureEnd("2026-11-21T14:00:02.5Z", EXITED, 0, None)


def test_every_fact_is_there_by_name_and_fits_the_schema() -> None:
    for end in (END, replace(END, mounts=TABLE), CaptureEnd(None, UNKNOWN, None, None)):
        facts = collect(request(), end, early(request(), host=True))
        assert [f.name for f in facts] == NAMES
        for fact in facts:
            assert (fact.value is None) == (fact.source is None) == (fact.reason is not None)
        record = replace(run_record(), run=replace(run(), facts=facts))
        assert problems("sifprov.record/1", json.loads(record.to_bytes())) == []


def test_a_collector_that_fails_costs_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> os.uname_result:
        raise OSError("no such thing")

    monkeypatch.setattr(os, "uname", fail)
    facts = {f.name: f for f in early(request())}
    assert facts["platform"] == Fact("platform", None, reason="could not be read: no such thing")
    assert facts["user"].value is not None


def test_binds_tell_where_everything_came_from(tmp_path: Path) -> None:
    own = tmp_path / "mountinfo"
    own.write_bytes(HOST)
    fact = binds(request(), replace(END, mounts=TABLE), str(own))
    assert fact.value == [
        {"destination": "/", "read_only": True, "type": "overlay"},
        {"destination": "/dev", "read_only": False, "type": "devtmpfs", "source": "/dev"},
        {"destination": "/home/me", "read_only": False, "type": "ext4", "source": "/home/me/a b"},
        {"destination": "/scratch", "read_only": True, "type": "xfs", "source": "/mnt/fast"},
        {"destination": "/etc/passwd", "read_only": False, "type": "tmpfs"},
        {
            "destination": "/Inputs", "read_only": True, "type": "ext3",
            "source": "/Inputs", "image": "/data/in.sif",
        },
        {
            "destination": "/Outputs", "read_only": False, "type": "fuse.fuse2fs",
            "source": "/", "image": "/data/out.sif",
        },
        {
            "destination": "/More", "read_only": True, "type": "fuse.fuse2fs",
            "source": "/x", "image": "/data/more.sif",
        },
    ]  # fmt: skip


def test_the_deepest_mount_of_the_host_counts() -> None:
    host = parse_mounts(HOST)
    (mount,) = parse_mounts(b"1 1 254:0 /srv/home/me /x rw - ext4 /dev/vda rw")
    assert host_path(mount, host) == b"/home/me"
    (mount,) = parse_mounts(b"1 1 254:0 /srv/homes /x rw - ext4 /dev/vda rw")
    assert host_path(mount, host) == b"/srv/homes"
    (mount,) = parse_mounts(b"1 1 9:9 / /x rw - ext4 /dev/vda rw")
    assert host_path(mount, host) is None


def test_binds_are_bounded_and_say_why_they_are_unknown() -> None:
    many = b"".join(b"1 1 0:9 / /%d rw - tmpfs tmpfs rw\n" % n for n in range(600))
    fact = binds(request(), replace(END, mounts=many))
    assert isinstance(fact.value, list)
    assert len(fact.value) == 500
    assert "the first 500 of 600" in (fact.source or "")
    reasons = [
        binds(request(), replace(END, outcome=o)).reason for o in (EXITED, UNKNOWN, NOT_STARTED)
    ]
    assert len(set(reasons)) == 3


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (["--contain"], "contain"), (["-c"], "contain"), (["-C"], "contain"), (["-C"], "cleanenv"),
        (["--containall"], "cleanenv"), (["-ceB", "a:b"], "cleanenv"), (["-e"], "cleanenv"),
        (["--compat"], "writable_tmpfs"), (["--no-home"], "no_home"), (["--nv"], "nvidia"),
        (["--fakeroot"], "fakeroot"), (["-w"], "writable"), (["--rocm"], "rocm"),
    ],
)  # fmt: skip
def test_isolation_by_the_command_line(options: list[str], field: str) -> None:
    value = of_command_line(["singularity", "exec", *options, "app.sif", "-e", "-C"], {}).value
    assert isinstance(value, dict)
    assert value[field] is True
    plain = of_command_line(["singularity", "exec", "app.sif", "-e", "-C"], {}).value
    assert isinstance(plain, dict)
    assert plain[field] is False
    assert plain["namespaces"] == ["mount"]


VARIABLES = [
    ("CONTAIN", "1", "contain"), ("CONTAINALL", "true", "contain"), ("COMPAT", "t", "cleanenv"),
    ("CLEANENV", " TRUE ", "cleanenv"), ("NO_HOME", "1", "no_home"), ("NV", "1", "nvidia"),
    ("NVCCLI", "yes", "nvidia"), ("ROCM", "1", "rocm"), ("FAKEROOT", "1", "fakeroot"),
    ("WRITABLE", "1", "writable"), ("WRITABLE_TMPFS", "1", "writable_tmpfs"),
    ("PID", "1", "pid"), ("UNSHARE_PID", "1", "pid"), ("UNSHARE_IPC", "1", "ipc"),
    ("NET", "1", "network"), ("UTS", "1", "uts"), ("HOSTNAME", "box", "uts"),
    ("USERNS", "1", "user"), ("FAKEROOT", "1", "user"), ("NO_MOUNT", "tmp, home", "home"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "field"), VARIABLES)
def test_isolation_by_the_runtimes_variables(name: str, text: str, field: str) -> None:
    def told(environ: dict[str, str], *, apptainer: bool) -> bool:
        argv = ["x", "exec", "app.sif", "true"]
        value = of_command_line(argv, environ, apptainer=apptainer).value
        assert isinstance(value, dict)
        assert value["writable"] is (name == "WRITABLE" and field == "writable" and found(value))
        return found(value)

    def found(value: dict[str, Any]) -> bool:
        return field in value["namespaces"] + value["not_mounted"] or value.get(field) is True

    ours, other = {f"SINGULARITY_{name}": text}, {f"APPTAINER_{name}": text}
    assert told(ours, apptainer=False)
    assert told(ours, apptainer=True)
    assert told(other, apptainer=True)
    assert not told(other, apptainer=False), "SingularityCE does not know it"
    for off in ("", " ", *(() if name in ("HOSTNAME", "NO_MOUNT") else ("0", "false", "F"))):
        assert not told({f"SINGULARITY_{name}": off}, apptainer=False)
    # Apptainer's own comes first.
    if name not in ("HOSTNAME", "NO_MOUNT"):
        assert not told({**ours, f"APPTAINER_{name}": "false"}, apptainer=True)


def test_what_is_typed_counts_more_than_a_variable() -> None:
    environ = {"SINGULARITY_CONTAIN": "1", "SINGULARITY_NO_MOUNT": "home", "SINGULARITY_PID": "1"}
    options = ["--contain=false", "--no-mount", "tmp", "--no-mount=sys,proc"]
    value = of_command_line(["singularity", "exec", *options, "app.sif", "true"], environ).value
    assert isinstance(value, dict)
    assert value["contain"] is False
    assert value["not_mounted"] == ["proc", "sys", "tmp"]
    assert value["namespaces"] == ["mount", "pid"]


def test_isolation_by_the_runtimes_configuration(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "apptainer").touch()
    (tmp_path / "bin" / "singularity").symlink_to("apptainer")
    program = str(tmp_path / "bin" / "singularity")
    assert find_conf(program) == ("", {})
    conf = tmp_path / "etc" / "apptainer" / "apptainer.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text("# mount sys = no\nmount home = no\nmount tmp = yes\nalways use nv = yes\n")

    def told(*options: str) -> Fact:
        argv = ["singularity", "exec", *options, "app.sif", "true"]
        return of_command_line(argv, {}, apptainer=True, conf=find_conf(program))

    value = told("--no-mount", "cwd").value
    assert isinstance(value, dict)
    assert value["not_mounted"] == ["cwd", "home"]
    assert (value["nvidia"], value["rocm"]) == (True, False)
    without = told("--no-nv").value
    assert isinstance(without, dict)
    assert without["nvidia"] is False
    assert told().source == f"command line, environment, {conf}"


def test_isolation_by_namespaces_variables_and_names() -> None:
    argv = ["singularity", "exec", "-p", "--net", "--no-mount", "tmp,home", "app.sif", "sh"]
    value = of_command_line(argv, {"APPTAINER_CLEANENV": "true"}, apptainer=True).value
    assert isinstance(value, dict)
    assert value["namespaces"] == ["mount", "network", "pid"]
    assert (value["not_mounted"], value["cleanenv"]) == (["home", "tmp"], True)
    names = [
        "PATH",
        "MY_TOKEN",
        "SINGULARITYENV_X",
        "APPTAINER_BIND",
        "SINGULARITY_SIFPROV_CAPTURED",
    ]
    environ = dict.fromkeys(names, "")
    fact = with_names(of_command_line(argv, environ), environ)
    assert isinstance(fact.value, dict)
    assert fact.value["environment"] == ["MY_TOKEN", "PATH", "X"]
    environ = {"A": "", "SINGULARITYENV_B": "", "APPTAINERENV_C": ""}
    clean = with_names(of_command_line([*argv[:2], "-e", *argv[2:]], environ), environ)
    assert isinstance(clean.value, dict)
    assert clean.value["environment"] == ["B", "C"]
    assert of_command_line([], {}).reason == "the command line is not known"


def test_what_the_engine_says_counts_more() -> None:
    given = Fact(
        "isolation", {"contain": True, "environment": ["A"]}, source="engine configuration"
    )
    argv = ("singularity", "exec", "--env", "D=1,E=2", "--no-mount", "tmp", "app.sif", "true")
    made = isolation(
        request(
            facts=(given,),
            argv=argv,
            environment=(("SINGULARITYENV_C", "x"), ("LANG", "C")),
            variables=(("SINGULARITY_CONTAINALL", "1"),),
        )
    )
    assert made.value == {
        "contain": True, "cleanenv": True, "environment": ["A", "C", "D", "E"],
        "not_mounted": ["tmp"],
    }  # fmt: skip
    facts = {
        f.name: f for f in collect(request(facts=(given,)), END, early(request(facts=(given,))))
    }
    assert facts["isolation"].source == "engine configuration, command line, environment"


def test_the_lists_of_variables_are_alike() -> None:
    text = (ROOT / "plugin" / "stash.go").read_text()
    body = text[text.index("var forHelper") : text.index("// newStash")]
    assert tuple(re.findall(r'"(\w+)"', body)) == FOR_HELPER


def test_platform() -> None:
    plain = platform().value
    assert isinstance(plain, dict)
    assert plain["architecture"] == os.uname().machine
    assert plain["cpus"] == len(os.sched_getaffinity(0))
    assert "host" not in plain
    named = platform(host=True).value
    assert isinstance(named, dict)
    assert named["host"] == os.uname().nodename
    assert cpu_model("processor\t: 0\nmodel name\t: X 1\n\nmodel name\t: Y\n") == "X 1"
    assert cpu_model("CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n") == "0x41 0xd0c"
    assert cpu_model("") is None


def test_gpus_are_found_without_a_program(tmp_path: Path) -> None:
    card = tmp_path / "nvidia" / "0000:01:00.0"
    card.mkdir(parents=True)
    (card / "information").write_text("Model: \t\t NVIDIA A100\nIRQ:   \t\t 4\n")
    for name, files in {
        "card0": {"vendor": "0x10de\n", "device": "0x20b0\n"},
        "card1": {"vendor": "0x1002\n", "device": "0x740f\n", "product_name": "Instinct MI210\n"},
        "card2": {"vendor": "0x8086\n", "device": "0x56c0\n"},
        "card1-DP-1": {"vendor": "0xffff\n"},
    }.items():
        (tmp_path / "drm" / name / "device").mkdir(parents=True)
        for file, text in files.items():
            (tmp_path / "drm" / name / "device" / file).write_text(text)
    found = _gpus(str(tmp_path / "nvidia"), str(tmp_path / "drm"))
    assert found == ["NVIDIA A100", "Instinct MI210", "PCI 0x8086:0x56c0"]
    assert _gpus(str(tmp_path / "no"), str(tmp_path / "no")) == []


def test_user_is_the_one_outside_of_a_user_namespace() -> None:
    assert (
        _outside(0, "         0       1001          1\n         1     100000      65536\n") == 1001
    )
    assert _outside(5, "0 1001 1\n1 100000 65536\n") == 100004
    assert _outside(7, "") == 7
    value = user().value
    assert isinstance(value, dict)
    assert value["uid"] == os.getuid()


@pytest.mark.parametrize(
    ("variables", "value"),
    [
        (
            {"SLURM_JOB_ID": "7", "SLURM_ARRAY_JOB_ID": "5", "SLURM_ARRAY_TASK_ID": "2"},
            {"system": "slurm", "job": "7", "array_job": "5", "task": "2"},
        ),
        (
            {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "fit", "SLURM_JOB_PARTITION": "short"}
            | {"SLURMD_NODENAME": "n17"},
            {"system": "slurm", "job": "7", "name": "fit", "partition": "short"},
        ),
        ({"PBS_JOBID": "9.x", "PBS_ARRAYID": "3"}, {"system": "pbs", "job": "9.x", "task": "3"}),
        ({"LSB_JOBID": "4", "LSB_JOBINDEX": "0"}, {"system": "lsf", "job": "4"}),
        (
            {"SGE_ROOT": "/sge", "JOB_ID": "4", "SGE_TASK_ID": "undefined"},
            {"system": "sge", "job": "4"},
        ),
        ({"JOB_ID": "4"}, None),
        ({"FLUX_JOB_ID": "ab"}, {"system": "flux", "job": "ab"}),
        (
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "pod-1", "POD_NAMESPACE": "lab"},
            {"system": "kubernetes", "job": "pod-1", "namespace": "lab"},
        ),
        ({}, None),
    ],
)  # fmt: skip
def test_batch(variables: dict[str, str], value: dict[str, str] | None) -> None:
    fact = batch(variables)
    assert fact.value == value
    assert (fact.reason is None) == (value is not None)


def test_the_node_is_a_machines_name_which_is_asked_for() -> None:
    variables = {"SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n17"}
    assert batch(variables, host=True).value == {"system": "slurm", "job": "7", "node": "n17"}


def test_a_task_is_shown_as_slurm_names_it() -> None:
    value = {"system": "slurm", "job": "14", "array_job": "12", "task": "7", "partition": "short"}
    assert list(_batch(value)) == ["12_7", "partition short"]
    assert list(_batch({"job": "9.x", "task": "3", "name": "a\x1b"})) == [
        "9.x, task 3", "name a\\x1b",
    ]  # fmt: skip
    assert list(_batch({"task": "3"})) == []


def test_long_texts_are_cut() -> None:
    value = batch({"PBS_JOBID": "x" * 5000}).value
    assert isinstance(value, dict)
    assert len(str(value["job"])) == 1024


def test_resources() -> None:
    usage = SimpleNamespace(
        ru_utime=1.25, ru_stime=0.000007, ru_maxrss=2, ru_inblock=3, ru_oublock=4
    )
    given = of_usage(usage, "runtime")
    made = resources(request(), replace(END, facts=(given,)))
    assert made.value == {
        "wall_us": 2_499_999, "user_us": 1_250_000, "system_us": 7, "peak_memory_bytes": 2048,
        "storage_read_bytes": 1536, "storage_write_bytes": 2048, "scope": "runtime",
    }  # fmt: skip
    assert resources(request(), END).value == {"wall_us": 2_499_999}
    assert resources(request(), CaptureEnd(None, UNKNOWN, None, None)).value is None
    assert resources(request(), replace(END, outcome=NOT_STARTED)).value is None


DEFINITION = """# a comment
Bootstrap: docker
From: python:3.12-slim@sha256:{digest}
Stage: build

%post
    echo "From: nowhere"
    pip install x

Bootstrap: localimage
From: base.sif
Stage: final

%labels
    From: me
""".format(digest="a" * 64)


def test_the_bases_are_the_headers_of_each_stage() -> None:
    found = bases(DEFINITION)
    assert [b["from"] for b in found] == ["python:3.12-slim@sha256:" + "a" * 64, "base.sif"]
    assert [b["bootstrap"] for b in found] == ["docker", "localimage"]
    assert [b["stage"] for b in found] == ["build", "final"]
    assert bases("") == bases("From: x\n%post\n") == []
    assert len(bases("Bootstrap: docker\n" * 100)) == 16


@pytest.mark.parametrize(
    "header",
    [
        "Bootstrap: docker\nFrom: alpine:3.20",
        "bootstrap: docker\nfrom: quay.io/a/b@sha256:" + "a" * 64,
        "# built by hand\nBootStrap:docker\nFrom:  python:3.12-slim",
    ],
)
def test_spython_reads_the_same_base(tmp_path: Path, header: str) -> None:
    file = tmp_path / "app.def"
    file.write_text(f"{header}\n\n%post\n    true\n\n%labels\n    a b\n")
    recipe = SingularityParser(str(file)).parse()
    stage = recipe[max(recipe)] if isinstance(recipe, dict) else recipe
    assert stage.fromHeader
    assert bases(file.read_text()) == [{"bootstrap": "docker", "from": stage.fromHeader}]


def labelled(path: Path, labels: object, definition: str = "") -> Path:
    make_sif(path, partition=None)
    if definition:
        add_object(path, definition.encode(), datatype=DataType.DEFFILE)
    document = {"data": {"attributes": {"labels": labels}}, "type": "container"}
    add_object(path, json.dumps(document).encode())
    return path


def test_the_application_tells_what_it_was_built_from(tmp_path: Path) -> None:
    labels = {"maintainer": "lab", "API_TOKEN": "canary", "url": "https://u:canary@host/", "n": 5}
    path = labelled(tmp_path / "app.sif", labels, DEFINITION)
    fact = application(request(image=str(path)))
    assert isinstance(fact.value, dict)
    assert fact.value["labels"] == {"maintainer": "lab", "url": "https://u:[redacted]@host/"}
    assert "canary" not in json.dumps(fact.value)
    assert str(fact.value["definition_digest"]).startswith("sha256:")


def test_a_definition_file_tells_how_its_image_runs(tmp_path: Path) -> None:
    text = """Bootstrap: docker
From: debian:12
%environment
    export LC_ALL=C.UTF-8
    OMP_NUM_THREADS="4"
    export API_TOKEN=canary
    echo not a variable
%runscript
    exec old
%post
    export HIDDEN=1
%runscript
    # what runs
    exec gnuplot --password=canary "$@"
"""
    fact = application(request(image=str(labelled(tmp_path / "app.sif", {}, text))))
    assert isinstance(fact.value, dict)
    assert fact.value["environment"] == {"LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "4"}
    assert fact.value["entry_point"] == '# what runs\nexec gnuplot --password=[redacted] "$@"'
    assert "canary" not in json.dumps(fact.value)


@given(st.text(alphabet="%runscript evom=\n\"'Ax", max_size=200))
def test_any_definition_file_is_read(text: str) -> None:
    assert len(entry_point(text)) <= len(text)
    assert all(name.isidentifier() for name in environment(text))
    many = "%environment\n" + "".join(f"A{n}=x\n" for n in range(1000))
    assert len(environment(many)) == 64


@pytest.mark.parametrize(
    "labels", [None, [], "x", {"a": {"b": 1}}, {"x" * 300: "y"}, {str(n): "v" for n in range(999)}]
)
def test_odd_labels_are_bounded(tmp_path: Path, labels: object) -> None:
    fact = application(request(image=str(labelled(tmp_path / "app.sif", labels))))
    assert isinstance(fact.value, dict)
    assert len(fact.value["labels"]) <= 256


def test_other_images(tmp_path: Path) -> None:
    assert application(request(image="docker://alpine")).value is None
    assert application(request(image="/nowhere/app.sif")).reason is not None
    box = tmp_path / "box" / ".singularity.d"
    box.mkdir(parents=True)
    (box / "labels.json").write_text('{"a": "b"}')
    (box / "Singularity").write_text("Bootstrap: docker\nFrom: alpine:3\n")
    value = application(request(image=str(tmp_path / "box"))).value
    assert isinstance(value, dict)
    assert (value["labels"], value["bases"]) == (
        {"a": "b"}, [{"bootstrap": "docker", "from": "alpine:3"}],
    )  # fmt: skip


def test_an_oci_image_is_named_by_its_manifest(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "app.sif", partition=None)
    index = {"manifests": [{"digest": "sha256:" + "d" * 64}]}
    add_object(path, json.dumps(index).encode(), datatype=DataType.OCI_ROOT_INDEX)
    value = application(request(image=str(path))).value
    assert isinstance(value, dict)
    assert value["source_digest"] == "sha256:" + "d" * 64


def test_the_plugin_says_that_it_keeps_no_output() -> None:
    asked = request(variables=(("SIFPROV_LOG", "1"),))
    log = {f.name: f for f in collect(asked, END)}["log"]
    assert log.value is None
    assert "sifprov exec --log" in (log.reason or "")
    assert "log" not in {f.name for f in collect(replace(asked, captured_by=WRAPPER), END)}
    assert "log" not in {f.name for f in collect(request(), END)}


@pytest.mark.parametrize("value", [{"source": "", "value": 1}, {"reason": "", "value": None}])
def test_what_was_read_is_written_as_it_was(value: dict[str, Any]) -> None:
    assert Fact.from_json("x", value, "x").to_json() == value
