"""Standard streams, descriptors, environment, and all that a process inherits."""

from __future__ import annotations

import pytest

from tests.real.exactly.case import COPY, Case
from tests.real.exactly.conftest import Compare

# What /proc tells of the application as it was started, before its shell did anything.
INHERITED = r"""
tr '\0' '\n' </proc/$$/environ | sort
grep -E '^(Sig(Pnd|Blk|Ign|Cgt)|Shd|Cap|NoNewPrivs|Seccomp:|Umask|Groups|[UG]id)' /proc/$$/status
cat /proc/$$/limits /proc/$$/oom_score_adj /proc/$$/personality
cd /proc/$$/fd
for fd in *; do echo $fd $(readlink $fd) $(grep flags ../fdinfo/$fd); done
cd - >/dev/null
cut -d' ' -f5,6,7,8,18,19,40,41 /proc/$$/stat
pwd; echo "$0 $#"; umask; nice
echo x >/Outputs/a; mkdir /Outputs/d; ln -s a /Outputs/l
"""
SEE = ("sh", "-c", INHERITED)
# The inode numbers of pipes; the process group and session, which the test itself started.
NAMELESS = ((rb"pipe:\[\d+\]", b"pipe"), (rb"\bPID PID\b", b"own group, own session"))
TIGHT = 'ulimit -n 512 -u 4000 -c 0 -f 800000; umask 027; nice -n 5 "$@" 7<input.sif 9>>log 3<&0'
NUL_FREE = "\udcff\udcfe bytes"
PYTHON = (("PYTHONPATH", "/nowhere"), ("PYTHONHASHSEED", "1"), ("PYTHONSAFEPATH", "1"))
ODD = (("EMPTY", ""), ("LINES2", "a\nb"), ("BYTES", NUL_FREE), ("BASH_FUNC_f%%", "() { :; }"))
BIG = (
    "set -o pipefail; python3 -c 'import sys\nfor i in range(100): "
    "sys.stdout.buffer.write(bytes((i * 7 + j) % 256 for j in range(1009)) * 1000)'"
    ' | "$@" | sha256sum; echo "${PIPESTATUS[@]}"'
)
EARLY = '"$@" | head -1; echo "${PIPESTATUS[0]}"'
WORDS = ("", "a\nb", NUL_FREE, "--bind", "-B", "%s", "$HOME", "*", "--", "q\"'`")
SHOW = ("sh", "-c", f'{COPY}; for a; do printf "<%s>" "$a"; done', "sh", *WORDS)

CASES = (
    Case("inherited", SEE, scrub=NAMELESS),
    Case("tight", SEE, line=TIGHT, scrub=NAMELESS),
    # Python would coerce the locale, and say so in the environment.
    Case("no-locale", SEE, unset=frozenset({"LANG"}), scrub=NAMELESS),
    Case("c-locale", SEE, env=(("LC_ALL", "C"), *PYTHON), scrub=NAMELESS),
    Case("odd-environment", SEE, env=ODD, scrub=NAMELESS),
    Case("empty-environment", SEE, line='exec env -i SIFPROV_RUNTIME="$SIFPROV_RUNTIME" '
         'HOME="$HOME" "$@"', scrub=NAMELESS),
    Case("clean-environment", SEE, options=("--cleanenv",), env=ODD, scrub=NAMELESS),
    Case("ignored-signals", SEE, line='exec env --ignore-signal=HUP,INT,PIPE,CHLD,USR2,TSTP '
         '--block-signal=USR1,WINCH,QUIT "$@"', scrub=NAMELESS),
    Case("stdin", ("tee", "/Outputs/copy"), stdin=b"a\0b\nno newline"),
    Case("stdin-null", ("cat",), line='exec "$@" </dev/null'),
    Case("stdin-closed", SEE, line='exec "$@" <&-', scrub=NAMELESS),
    Case("stdout-closed", SEE, line='exec "$@" >&-', scrub=NAMELESS),
    Case("stderr-closed", SEE, line='exec "$@" 2>&-', scrub=NAMELESS),
    Case("all-closed", ("sh", "-c", INHERITED + ">/Outputs/seen"), line='exec "$@" <&- >&- 2>&-',
         scrub=NAMELESS),
    Case("stderr", ("sh", "-c", f"{COPY}; echo out; echo err >&2; exit 3"), code=3),
    Case("one-file-for-both", ("sh", "-c", "echo a; echo b >&2; echo c"),
         line='"$@" >both 2>&1; echo "$?"'),
    Case("big", ("sh", "-c", "echo x >/Outputs/a; exec cat"), line=BIG),
    Case("reader-gone", ("sh", "-c", "echo x >/Outputs/a; exec yes"), line=EARLY, says=b"141",
         outcome="signaled"),
    Case("full-output", ("sh", "-c", "head -c 4000000 /dev/zero >/Outputs/big"), code=1,
         says=b"output: "),
    Case("words", SHOW),
    Case("double-dash", SHOW, options=("--",), binds=(), records=0),
    Case("other-folder", ("sh", "-c", f"{COPY}; pwd; ls"), line='mkdir "a b"; cd "a b"; exec "$@"',
         binds=("../input.sif:/Inputs:image-src=/Inputs,ro",
                "../output.sif:/Outputs:image-src=/Outputs")),
    Case("no-folder", ("sh", "-c", f"{COPY}; pwd"), code=None,
         line='mkdir gone; cd gone; rmdir ../gone; exec "$@"',
         binds=("{folder}/input.sif:/Inputs:image-src=/Inputs,ro",
                "{folder}/output.sif:/Outputs:image-src=/Outputs")),
    Case("background", ("sh", "-c", f"{COPY}; echo now"), line='"$@" & wait $!; echo $?'),
    Case("no-data", (*SEE[:2], INHERITED.replace("/Outputs", "/tmp/$PPID-$$")), code=None,
         binds=(), records=0, scrub=(*NAMELESS, (rb"/tmp/\d+-\d+", b"/tmp/N"))),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_process_is_given_what_it_is_given_without_us(case: Case, compare: Compare) -> None:
    compare(case, CASES)
