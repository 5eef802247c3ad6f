"""Every kind of container, odd names, and all that the runtimes refuse."""

from __future__ import annotations

import pytest

from tests.real.exactly.case import COPY, INPUT, OUTPUT, USERS, Case, refused
from tests.real.exactly.conftest import Compare

RUN = ("sh", "-c", COPY)
SAY = ("sh", "-c", "echo x > /Outputs/a; ls /Outputs")
AT = ":/Outputs:image-src=/Outputs"


def named(name: str, typed: str, *, case: str) -> Case:
    """The output has this file name; the bind is typed so, which not both runtimes take."""
    return Case(
        case,
        SAY,
        binds=(typed + AT,),
        output=name,
        env=(("NAME", name),),
        code=None,
        prepare='mv output.sif "./$NAME"',
    )


CASES = (
    Case("sandbox-folder", RUN, image="{site}/sandbox"),
    Case("sandbox-link", RUN, image="box", prepare='ln -s "$SITE/sandbox" box',
         env=(("SITE", "{site}"),)),
    Case("app-link", RUN, image="app link.sif", prepare='ln -s "$1" "app link.sif"'),
    Case("raw-squashfs", ("cat", "/raw/data.txt"), records=0,
         binds=("{site}/raw.sqfs:/raw:image-src=/",), says=b"three"),
    Case("raw-squashfs-part", ("/raw/run.sh", "a"), binds=("{site}/raw.sqfs:/raw:image-src=/sub",
         OUTPUT), says=b"script a"),
    Case("raw-ext3", ("sh", "-c", "cat /raw/data.txt; echo y > /raw/sub/new; ls /raw/sub"),
         binds=("raw.ext3:/raw:image-src=/",), containers=("raw.ext3",), records=0, code=None),
    Case("raw-ext3-ro", RUN, binds=("raw.ext3:/Inputs:image-src=/,ro", OUTPUT),
         containers=("raw.ext3", "output.sif"), code=None),
    Case("sealed", RUN, binds=("{site}/sealed.sif:/Inputs:image-src=/Inputs", OUTPUT)),
    Case("input-link", RUN, binds=("link:/Inputs:image-src=/Inputs,ro", OUTPUT),
         prepare="ln -s input.sif link"),
    Case("output-link", SAY, binds=("link" + AT,), prepare="mkdir d; ln -s ../output.sif d/to;"
         "ln -s d/to link"),
    named("with space.sif", "with space.sif", case="space"),
    named("100%d.sif", "100%d.sif", case="percent"),
    named("a,b.sif", r"a\,b.sif", case="comma"),
    named("a:b.sif", r"a\:b.sif", case="colon"),
    named("a,b.sif", "a,b.sif", case="bare-comma"),
    named("a:b.sif", "a:b.sif", case="bare-colon"),
    named("new\nline.sif", "new\nline.sif", case="newline"),
    named("\udcff\udcfe.sif", "\udcff\udcfe.sif", case="bytes"),
    named("üñí.sif", "./üñí.sif", case="unicode"),
    named(" lead.sif", " lead.sif", case="leading-space"),
    named("-dash.sif", "./-dash.sif", case="dash"),
    named("back\\slash.sif", "back\\slash.sif", case="backslash"),
    named("'q\".sif", "'q\".sif", case="quotes"),
    Case("mount-names", SAY, binds=(), output='a,"b:c.sif', code=None,
         options=("--mount", 'type=bind,"source=a,""b:c.sif",dst=/Outputs,image-src=/Outputs'),
         prepare="mv output.sif 'a,\"b:c.sif'"),
    refused(Case("twice", RUN, binds=(INPUT, OUTPUT, "output.sif:/again:image-src=/Outputs"))),
    Case("twice-ro", RUN, binds=("input.sif:/Inputs:image-src=/Inputs,ro",
         "input.sif:/again:image-src=/Inputs,ro", OUTPUT), code=None),
    refused(Case("missing", RUN, binds=("none.sif:/Inputs:image-src=/Inputs", OUTPUT))),
    refused(Case("folder-as-image", RUN, binds=("home:/Inputs:image-src=/", OUTPUT))),
    refused(Case("text-as-image", RUN, binds=("text:/Inputs:image-src=/", OUTPUT),
         prepare="echo hello > text")),
    refused(Case("empty-as-image", RUN, binds=("text:/Inputs:image-src=/", OUTPUT),
         prepare=">text")),
    refused(Case("truncated", RUN, prepare="truncate -s 40000 input.sif")),
    refused(Case("truncated-header", RUN, prepare="truncate -s 100 input.sif")),
    Case("app-as-data", RUN, binds=("app.sif:/Inputs:image-src=/", OUTPUT), code=None,
         prepare='cp "$1" app.sif'),
    refused(Case("no-such-folder", RUN, binds=(INPUT.replace("=/Inputs", "=/Nowhere"), OUTPUT))),
    refused(Case("unreadable", RUN, prepare="chmod 0 input.sif", sites=USERS)),
    Case("not-writable", SAY, binds=(OUTPUT,), prepare="chmod 0444 output.sif", code=None,
         records=0, sites=USERS),
    Case("no-such-target", RUN, binds=("input.sif:/Inputs/a/b:image-src=/Inputs,ro", OUTPUT),
         code=None),
    refused(Case("missing-app", RUN, image="none.sif")),
    Case("folder-app", RUN, image="home", code=None),
    refused(Case("text-app", RUN, image="text", prepare="echo hello > text")),
    Case("truncated-app", RUN, image="short.sif", prepare='head -c 50000 "$1" > short.sif',
         code=None),
    refused(Case("data-as-app", RUN, image="{site}/sealed.sif")),
    refused(Case("bad-option", RUN, options=("--no-such-option",), code=1)),
    refused(Case("bad-short-option", RUN, options=("-Z",), code=1)),
    refused(Case("option-without-value", (), image="", binds=(), options=("--bind",), code=1)),
    refused(Case("bad-flag-value", RUN, options=("--pid=maybe",), code=1)),
    refused(Case("no-command", ())),
    refused(Case("no-image", (), image="")),
    Case("no-such-command", ("no-such-command", "a"), code=255, outcome="not-started"),
    Case("no-such-path", ("/no/such/command",), code=255, outcome="not-started"),
    Case("not-executable", ("/etc/passwd",), code=255, outcome="not-started"),
    Case("folder-command", ("/etc",), code=255, outcome="not-started"),
    Case("data-command", ("/Inputs/sub/run.sh", "1 2"), says=b"script 1 2"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_containers_are_taken_or_refused_as_without_us(case: Case, compare: Compare) -> None:
    compare(case, CASES)
