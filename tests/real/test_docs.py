"""The commands that the documents show work, in the order in which they stand there, and print what
is shown."""

from __future__ import annotations

import re
from pathlib import Path

from tests.real.harness import ROOT, SYSTEM_PATH, Runner
from tests.real.pages import lasting, not_printed

EXITS = re.compile(r"\s+# exits with (\d+(?: or \d+)*)$")


def commands(document: str) -> list[tuple[str, set[int], list[str]]]:
    """The `$` lines of a document's console blocks, each with the exit codes that it may have, and
    the lines that it is shown to print."""
    found: list[tuple[str, set[int], list[str]]] = []
    text = (ROOT / document).read_text(encoding="utf-8")
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                code = EXITS.search(line)
                codes = code.group(1).split(" or ") if code else ["0"]
                found.append((EXITS.sub("", line[2:]), set(map(int, codes)), []))
            else:
                found[-1][2].append(line)
    assert found, f"{document} shows no command"
    return found


def test_the_tutorial_can_be_typed(
    run_as: Runner, plugin: str, sifprov: str, busybox_sif: str, exec_flags: list[str]
) -> None:
    (run_as.folder / "app.sif").symlink_to(busybox_sif)
    path = f"{Path(sifprov).parent}:{Path(plugin).parent}:{SYSTEM_PATH}"
    for command, codes, shown in commands("docs/tutorial.md"):
        typed = command
        for start in ("singularity exec", "sifprov exec"):
            typed = typed.replace(start, " ".join([start, *exec_flags]))
        done = run_as(["bash", "-c", typed], env={"PATH": path, "HOME": str(run_as.folder)})
        assert done.code in codes, f"{command}\n{done.stdout}{done.stderr}"
        printed = done.stdout + done.stderr
        lines = lasting("\n".join(shown))
        assert not_printed(lines, printed) == [], f"{command}\n{printed}"
    assert (run_as.folder / "output.rerun-2.sif").exists()
