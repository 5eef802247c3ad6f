"""Checks a container against all that its records say, as far as that can be told."""

from sifprov.verify.check import Check, Finding, Verdict
from sifprov.verify.report import BROKEN, GOOD, INCOMPLETE, Report, verify

__all__ = [
    "BROKEN",
    "GOOD",
    "INCOMPLETE",
    "Check",
    "Finding",
    "Report",
    "Verdict",
    "verify",
]
