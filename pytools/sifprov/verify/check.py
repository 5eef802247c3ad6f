"""What a check says."""

from __future__ import annotations

from enum import Enum

from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, text_to_json

# A hostile container must not make a report without end.
MAX_FINDINGS = 100


class Verdict(Enum):
    """How it stands; the value is the word that is shown."""

    GOOD = "good"
    BROKEN = "broken"
    MISSING = "missing"
    """Nothing is wrong, but what would prove it is not there, or cannot be read."""
    NOT_CHECKED = "not checked"
    """Left out, for the reason in the text."""


@dataclass(frozen=True)
class Finding:
    """One thing that a check found, good or not."""

    verdict: Verdict
    text: str

    def to_json(self) -> Json:
        """Returns the JSON object."""
        return {"text": text_to_json(self.text), "verdict": self.verdict.value}


@dataclass(frozen=True)
class Check:
    """One check: `text` says how it is in one line, `findings` what was found one by one, the first
    MAX_FINDINGS of them."""

    name: str
    verdict: Verdict
    text: str
    findings: tuple[Finding, ...] = ()

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that are broken or missing."""
        return tuple(f for f in self.findings if f.verdict in (Verdict.BROKEN, Verdict.MISSING))

    def to_json(self) -> Json:
        """Returns one row of the document that `sifprov verify --json` prints."""
        return {
            "findings": [f.to_json() for f in self.findings],
            "name": self.name,
            "text": text_to_json(self.text),
            "verdict": self.verdict.value,
        }


class Findings:
    """Collects what one check finds. The worst of it is the check's verdict."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._kept: dict[Verdict, list[Finding]] = {v: [] for v in Verdict}
        self._count = dict.fromkeys(Verdict, 0)

    def add(self, verdict: Verdict, text: str) -> None:
        """Adds one finding."""
        self._count[verdict] += 1
        if len(self._kept[verdict]) < MAX_FINDINGS:
            self._kept[verdict].append(Finding(verdict, text))

    def good(self, text: str) -> None:
        """What is in order, or worth a remark."""
        self.add(Verdict.GOOD, text)

    def broken(self, text: str) -> None:
        """What is wrong."""
        self.add(Verdict.BROKEN, text)

    def missing(self, text: str) -> None:
        """What would prove it and is not there."""
        self.add(Verdict.MISSING, text)

    def left_out(self, text: str) -> None:
        """What was not looked at, and why."""
        self.add(Verdict.NOT_CHECKED, text)

    def take(self, other: Findings, prefix: str) -> None:
        """Adds what is wrong or missing in another's findings, each behind `prefix`."""
        for verdict in (Verdict.BROKEN, Verdict.MISSING):
            for finding in other._kept[verdict]:
                self.add(verdict, prefix + finding.text)

    def texts(self, verdict: Verdict) -> list[str]:
        """Returns what was found with this verdict."""
        return [f.text for f in self._kept[verdict]]

    def check(self, text: str, *, partly: bool = True) -> Check:
        """Returns the check; `text` says what is in order where nothing is wrong or missing.

        Where something was left out, the check still is good, unless not `partly`.
        """
        for verdict in (Verdict.BROKEN, Verdict.MISSING):
            if self._count[verdict]:
                return self._made(verdict, self._first(verdict))
        if self._count[Verdict.NOT_CHECKED] and not partly:
            return self._made(Verdict.NOT_CHECKED, self._first(Verdict.NOT_CHECKED))
        return self._made(Verdict.GOOD, text)

    def _first(self, verdict: Verdict) -> str:
        more = self._count[verdict] - 1
        return self._kept[verdict][0].text + (f" (and {more} more)" if more else "")

    def _made(self, verdict: Verdict, text: str) -> Check:
        order = (Verdict.BROKEN, Verdict.MISSING, Verdict.NOT_CHECKED, Verdict.GOOD)
        kept = [f for v in order for f in self._kept[v]]
        return Check(self.name, verdict, text, tuple(kept[:MAX_FINDINGS]))
