"""Who and what a run was associated with: the user, the environment (runtime, scheduler,
architecture), its partition (the machine)."""

from __future__ import annotations

from itertools import pairwise

from prov.constants import (
    PROV_ASSOCIATION,
    PROV_ATTR_ACTIVITY,
    PROV_ATTR_AGENT,
    PROV_ATTR_DELEGATE,
    PROV_ATTR_PLAN,
    PROV_ATTR_RESPONSIBLE,
    PROV_DELEGATION,
)

from sifprov.export.attributes import environment
from sifprov.export.facts import Facts
from sifprov.export.statements import Statements
from sifprov.export.vocabulary import by_value, text
from sifprov.model.canonical import Json
from sifprov.model.record import Record, Run


def add_agents(
    s: Statements, activity: str, key: str, run: Run, facts: Facts, plan: str
) -> str | None:
    """States the agents of a run, and who acted for whom. Returns the user, None when not known."""
    user = _user(s, facts)
    surrounding = _environment(s, run, facts)
    partition = _partition(s, facts, surrounding)
    chain = [agent for agent in (user, surrounding, partition) if agent]
    for place, agent in enumerate(chain):
        associate(
            s, activity, agent, f"association-{key}-{place + 1}", plan if place == 0 else None
        )
    for place, (responsible, delegate) in enumerate(pairwise(chain)):
        formal = {
            PROV_ATTR_DELEGATE: delegate,
            PROV_ATTR_RESPONSIBLE: responsible,
            PROV_ATTR_ACTIVITY: activity,
        }
        s.relation(PROV_DELEGATION, formal, name=f"delegation-{key}-{place + 1}")
    return user


def associate(
    s: Statements, activity: str, agent: str | None, name: str, plan: str | None = None
) -> None:
    """States that an agent was responsible for an activity, which went by a plan.

    Each has a name, also where there is no plan: read from RDF, the library takes a nameless
    one for the plain form of another of the same activity.
    """
    formal = {PROV_ATTR_ACTIVITY: activity, PROV_ATTR_AGENT: agent, PROV_ATTR_PLAN: plan}
    s.relation(PROV_ASSOCIATION, formal, name=name)


def recorder(s: Statements, record: Record) -> str:
    """States the program that wrote a record."""
    value: Json = {"kind": record.captured_by, "version": record.version}
    return s.agent(
        by_value("recorder", value),
        "Recorder prov:SoftwareAgent",
        text(f"sifprov {record.captured_by} {record.version}"),
        {"captured_by": text(record.captured_by), "version": text(record.version)},
    )


def _user(s: Statements, facts: Facts) -> str | None:
    """The user by name and number. Where a machine's name is recorded, it tells users of the same
    name apart."""
    fields = facts.fields("user")
    if not fields:
        return None
    host = facts.fields("platform").get("host")
    return s.agent(
        by_value("user", {"host": host, "user": fields}),
        "User prov:Person",
        text(facts.word("user", "name") or ""),
        facts.attributes("user"),
    )


def _environment(s: Statements, run: Run, facts: Facts) -> str:
    value = environment(run, facts)
    shown = {name: text(word) for name, word in value.items() if isinstance(word, str)}
    label = " ".join(shown[n] for n in ("runtime", "runtime_version"))
    return s.agent(by_value("environment", value), "Environment prov:SoftwareAgent", label, shown)


def _partition(s: Statements, facts: Facts, surrounding: str) -> str | None:
    fields = facts.fields("platform")
    if not fields:
        return None
    return s.agent(
        by_value("partition", {"environment": surrounding, "platform": fields}),
        "EnvironmentPartition",
        text(facts.word("platform", "cpu") or ""),
        facts.attributes("platform", "architecture"),
    )
