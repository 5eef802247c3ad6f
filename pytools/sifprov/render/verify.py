"""What `sifprov verify` found, in lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sifprov.terminal import printable
from sifprov.verify import Check, Report, Verdict

Style = Callable[[Verdict, str], str]
_WIDTH = max(len(v.value) for v in Verdict)
_NAME = 12


def render(
    report: Report,
    *,
    quiet: bool = False,
    verbose: bool = False,
    style: Style = lambda verdict, text: text,
) -> Iterator[str]:
    """Yields a line for each check, and for each problem where there are several; then the verdict.

    `quiet`: only for what is not good, and nothing where all is; `verbose`: for all that was found.
    `style` colours a verdict.
    """
    for check in report.checks:
        if quiet and check.verdict in (Verdict.GOOD, Verdict.NOT_CHECKED):
            continue
        yield from _lines(check, verbose, style)
    bad = [c for c in report.checks if c.verdict in (Verdict.BROKEN, Verdict.MISSING)]
    if quiet and not bad:
        return
    what = f" ({', '.join(c.name for c in bad)})" if bad else ""
    yield f"{printable(report.path)}: {report.verdict}{what}"


def _lines(check: Check, verbose: bool, style: Style) -> Iterator[str]:
    shown = style(check.verdict, f"{check.verdict.value:<{_WIDTH}}")
    yield f"{shown}  {check.name:<{_NAME}}  {printable(check.text)}"
    rest = check.findings if verbose else check.problems
    if not verbose and len(rest) < 2:
        return
    for finding in rest:
        text = (
            finding.text
            if finding.verdict is check.verdict
            else (f"{finding.verdict.value}: {finding.text}")
        )
        yield " " * (_WIDTH + _NAME + 4) + printable(text)
