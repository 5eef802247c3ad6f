"""The list of files in a record is that of the files which a run left: by both ways, on either
runtime, as `find` and `sha256sum` see them."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from tests.real.job import Job
from tests.real.wrapjob import WrapJob

# Names that a line-based tool would break on, bits that the tree digest does not see, and more
# files than a record takes.
FIRST = r"""
cd /Outputs
mkdir -p d/empty; chmod 750 d
i=0; while [ $i -lt 1000 ]; do echo $i > d/$i; i=$((i+1)); done
printf x > "$(printf 'a\nb \377')"; chmod 640 a*
printf '#!' > tool; chmod 755 tool
ln -s ../elsewhere link
chmod 1777 d/empty
"""
SECOND = "cd /Outputs; echo more > d/1000; echo other > d/5; rm d/7; chmod 600 d/9; rm link"
# Of each entry its type, mode, size and path; and of each file its SHA-256.
FIND = "find . -mindepth 1 -printf '%y %m %s %l\\0%P\\0' > ../found"
SUMS = "find . -type f -print0 | xargs -0 sha256sum -z > ../sums"


def recorded(job: Job, number: int) -> bytes:
    """The list in one of the output's records, as the tools above print it."""
    ident = job.records()[number]["id"]
    done = job.cli("data", "ls", "-R", "--json", "--record", ident, "output.sif").expect()
    lines = []
    for e in json.loads(done.stdout)["entries"]:
        mode = "-" if e["mode"] is None else f"{int(e['mode'], 8):o}"
        size = "-" if e["size"] is None else e["size"]
        lines.append(f"{e['type']} {mode} {size} {e['value'] or '-'} ".encode() + path_of(e))
    return b"".join(line + b"\0" for line in lines)


def path_of(entry: dict[str, Any]) -> bytes:
    path = entry["path"]
    raw = base64.b64decode(path["base64"]) if isinstance(path, dict) else path.encode()
    return bytes(raw[1:])


def there(job: Job, number: int) -> bytes:
    """The list of the files that are in the container now, by `find` and `sha256sum`."""
    job.cli("data", "extract", "-q", "output.sif", f"extracted{number}/files").expect()
    folder = job.path(f"extracted{number}")
    job.run(["sh", "-c", f"cd files && {FIND} && {SUMS}"], cwd=folder).expect()
    sums = {}
    for line in folder.joinpath("sums").read_bytes().split(b"\0")[:-1]:
        sums[line[66 + len("./") :]] = line[:64]
    words = folder.joinpath("found").read_bytes().split(b"\0")[:-1]
    lines = {}
    for head, path in zip(words[::2], words[1::2], strict=True):
        kind, mode, size, target = head.split(b" ", 3)
        value = sums.get(path, b"-")
        if kind == b"l":
            mode, value = b"-", hashlib.sha256(target).hexdigest().encode()
        if kind == b"d":
            size = b"-"
        if kind == b"f" and int(mode, 8) & 0o100:
            kind = b"x"
        lines[path] = b" ".join((kind, mode, size, value, path)) + b"\0"
    return b"".join(lines[path] for path in sorted(lines))


def check(job: Job) -> None:
    job.cli("data", "create", "-q", "new.sif", "--free", "24M", "--mount", "/Outputs").expect()
    job.run(["mv", "new.sif", "output.sif"]).expect()
    sizes, lists = [], []
    for number, script in enumerate((FIRST, SECOND, "true", "rm -rf /Outputs/*")):
        job.shell(script).expect()
        sizes.append(job.path("output.sif").stat().st_size)
        job.run(["mkdir", f"extracted{number}"]).expect()
        now = there(job, number)
        assert recorded(job, number) == now
        lists.append(now)
        # The lists of earlier runs stay what they were.
        for earlier in range(number):
            assert recorded(job, earlier) == lists[earlier]
    whole, delta, nothing, empty = (json.dumps(r) for r in job.records())
    assert json.loads(whole)["containers"][-1]["files"]["count"] == 1006
    assert json.loads(empty)["containers"][-1]["files"] == {
        "lines": ["d 755 - - Outputs"] if "d 755" in empty else ["d 750 - - Outputs"],
    }
    # Told against the first: five lines. And nothing is stored twice.
    assert sizes[1] - sizes[0] < 10_000
    assert sizes[2] - sizes[1] < len(nothing) + 2_000
    # What was made of a folder lists its files itself; so a run says nothing of an input's.
    assert all("files" not in c for c in json.loads(delta)["containers"] if c["role"] == "input")
    inputs = json.loads(delta)["containers"][1]
    found = job.cli("data", "ls", "-R", "--record", inputs["record"], "output.sif").expect()
    assert found.stdout == "/Inputs\n/Inputs/data.txt\n"


# It takes long, and is no matter of rights.
@pytest.mark.not_for(user="root")
def test_by_the_plugin(either: Job) -> None:
    check(either)


@pytest.mark.not_for(user="root")
def test_by_the_wrapper(wrap_job: WrapJob) -> None:
    check(wrap_job)
