"""A capture request is written and read alike, and holds no secret where it lies on disk."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.unit.schemas import problems
from tests.unit.test_facts import TABLE, request

from sifprov.capture.run import describe_run, word_problems, words_of
from sifprov.errors import RecordError
from sifprov.model.annotation import make
from sifprov.model.fact import Fact
from sifprov.model.redact import HIDDEN
from sifprov.model.request import BoundImage, CaptureEnd, dump_request, parse_end, parse_request


def test_a_request_comes_back() -> None:
    made = request(
        environment=(("LANG", "C\udcff"),),
        variables=(("SIFPROV_NOTE", "x"), ("SLURM_JOB_ID", "4")),
        annotation=make(["a note"], ["a=b"], ["r2=0.5"]),
        facts=(Fact("isolation", {"contain": True}, source="engine configuration"),),
        metadata="/data/meta.sif",
        images=(BoundImage("/data/in.sif", False),),
    )
    line = dump_request(made)
    assert problems("sifprov.capture-request/1", json.loads(line)) == []
    assert parse_request(line) == made


def test_what_lies_on_disk_holds_no_secret() -> None:
    argv = (
        "singularity",
        "exec",
        "--env",
        "DB_TOKEN=canary",
        "app.sif",
        "x",
        "--password",
        "canary",
    )
    made = request(
        argv=argv,
        command=("x", "--password", "canary"),
        environment=(("SINGULARITYENV_TOKEN", "canary"), ("LANG", "https://u:canary@h/")),
    )
    line = dump_request(made)
    back = parse_request(line)
    assert "canary" not in repr(back)
    run = describe_run(back, CaptureEnd("2026-11-21T14:00:02Z", "exited", 0, None))
    # So a replay refuses it, as one whose secrets were hidden at once.
    assert run.redacted == describe_run(made, CaptureEnd(None, "unknown", None, None)).redacted
    assert run.argv[-1] == HIDDEN
    assert dict(run.environment) == {"LANG": "https://u:[redacted]@h/"}


def test_the_last_line_may_tell_of_mounts() -> None:
    line = {
        "event": "end", "ended": "2026-11-21T14:00:02Z", "started_process": True, "exit_code": 0,
        "signal": None, "mounts": None, "facts": {"resources": {"source": "wait4", "value": {}}},
    }  # fmt: skip
    assert parse_end(json.dumps(line).encode()).mounts is None
    assert problems("sifprov.capture-request/1", line) == []
    import base64

    line["mounts"] = base64.b64encode(TABLE + b"\xff").decode()
    assert parse_end(json.dumps(line).encode()).mounts == TABLE + b"\xff"
    line["mounts"] = "!"
    with pytest.raises(RecordError, match="mounts"):
        parse_end(json.dumps(line).encode())


def test_words_come_from_the_environment_and_from_options() -> None:
    made = request(variables=(("SIFPROV_TAGS", "a=1,b"), ("SIFPROV_NOTE", "one")))
    words = words_of(replace(made, annotation=make(["two"], ["a=2"])))
    assert words == make(["one", "two"], ["a=2"])
    assert len(word_problems(made)) == 1
    assert words_of(request()) is None


@pytest.mark.parametrize("field", ["variables", "annotation", "environment"])
def test_odd_fields_are_refused(field: str) -> None:
    document = json.loads(dump_request(request()))
    odd: object
    for odd in (5, [], {"x": 5}):
        with pytest.raises(RecordError):
            parse_request(json.dumps({**document, field: odd}).encode())


def test_secrets_are_recorded_only_when_a_setting_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from sifprov.capture import run as module
    from sifprov.settings import Settings

    made = request(argv=("x", "--password", "canary"), environment=(("LC_TOKEN", "canary"),))
    end = CaptureEnd("2026-11-21T14:00:02Z", "exited", 0, None)
    assert "canary" not in repr(describe_run(made, end))
    monkeypatch.setattr(module, "load_or_default", lambda: Settings(redact=False))
    shown = describe_run(made, end)
    assert (shown.argv, shown.redacted) == (("x", "--password", "canary"), ())
    assert shown.environment == (("LC_TOKEN", "canary"),)
