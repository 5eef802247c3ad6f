"""Looks at a machine and says what of a user's runs will be captured, and what is in the way."""

from sifprov.doctor.check import Check, Level
from sifprov.doctor.report import OfRuntime, Report, diagnose

__all__ = ["Check", "Level", "OfRuntime", "Report", "diagnose"]
