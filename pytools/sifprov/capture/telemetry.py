"""Puts what a run used over time beside its record, as an object of its own."""

from __future__ import annotations

from uuid import UUID

from sifprov.capture.beside import append_beside
from sifprov.groups import TELEMETRY_NAME
from sifprov.model.canonical import record_digest
from sifprov.model.fact import Fact
from sifprov.placement import Place
from sifprov.telemetry.sampler import Sampler


def store(place: Place, container: UUID, sampler: Sampler | None) -> Fact:
    """Appends what was measured to the place of the records of `container`; returns the fact that
    names it, or says why there is none."""
    if sampler is None:
        return Fact("telemetry", None, reason="nobody measured this run")
    found, why = sampler.result()
    if found is None:
        return Fact("telemetry", None, reason=why)
    data = found.to_bytes()
    problem = append_beside(place, container, TELEMETRY_NAME, data, spare=2)
    if problem:
        return Fact("telemetry", None, reason=problem)
    return Fact(
        "telemetry",
        {
            "columns": [name for name, _ in found.columns],
            "cost_us": sampler.cost_us,
            "digest": record_digest(data),
            "interval_us": found.interval_us,
            "network": found.network,
            "object": TELEMETRY_NAME,
            "samples": found.samples,
            **found.peaks(),
        },
        source=found.source,
    )
