"""The tables of the catalog, for SQLite and PostgreSQL alike.

After Figure 1 of ProvDeploy (L. Kunstmann and others, 2024), with the data containers besides:

    entities     workflow  container_image -> configuration  container -> start_command
                 data_container <- state -> content   record   location
    agents       person  environment <- env_partition
    activities   workflow_execution <- execution

    state  <- used <- execution     what a run read, and in which state; the application only where
                                    it carried a record (else `container_image` is all of it)
    state  -> execution             `generated_by`: the run or making that left it so
    state  -> state                 `revision_of`: the same container before
    tag, metric, note -> execution  what users say of a run

A *state* is a container as it stood behind one record, the entity of model/graph.py; its key is
that of `entity_key`. An *execution* is one recorded run, or the making of a container from a
folder. Times are microseconds since 1970 (UTC), lists and objects JSON in a text, digests texts
with their kind before a colon. What the fields mean stands in docs/catalog.md, which a test
compares with this file.

A row that others may name before its own record is read has little more than its key then
(`execution.likeness` is null). So the order in which containers are read does not matter.
"""

from __future__ import annotations

from sqlalchemy import (
    TEXT,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

# Version of the schema; migrations.py has a step from each to the next.
VERSION = 6

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives numbers by itself only to a column of exactly this type.
_Big = BigInteger().with_variant(Integer, "sqlite")
# Compared by bytes, as SQLite does anyway, so that what begins with a text is a range.
_Bytes = Text().with_variant(TEXT(collation="C"), "postgresql")


def _key() -> Column[int]:
    return Column("id", _Big, primary_key=True, autoincrement=True)


def _few(name: str, column: str, condition: str) -> Index:
    """An index of the few rows for which a condition holds."""
    where = text(condition)
    return Index(name, column, sqlite_where=where, postgresql_where=where)


def _to(table: str, name: str = "", *, index: bool = False) -> Column[int]:
    return Column(name or f"{table}_id", _Big, ForeignKey(f"{table}.id"), index=index)


catalog_info = Table(
    "catalog_info",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

content = Table("content", METADATA, _key(), Column("digest", Text, nullable=False, unique=True))

person = Table(
    "person",
    METADATA,
    _key(),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("name", Text, index=True),
    Column("uid", _Big),
)

environment = Table(
    "environment",
    METADATA,
    _key(),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("architecture", Text),
    Column("runtime", Text),
    Column("runtime_version", Text),
    Column("scheduler", Text),
    Column("cluster", Text),
)

env_partition = Table(
    "env_partition",
    METADATA,
    _key(),
    Column("fingerprint", Text, nullable=False, unique=True),
    _to("environment", index=True),
    Column("host", Text),
    Column("queue", Text),
    Column("kernel", Text),
    Column("cpu", Text),
    Column("cpus", Integer),
    Column("memory_bytes", _Big),
    Column("gpus", Text),
)

configuration = Table(
    "configuration",
    METADATA,
    _key(),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("entry_points", Text),
    Column("labels", Text),
    Column("environment", Text),
    Column("networks", Text),
    Column("command", Text),
)

container_image = Table(
    "container_image",
    METADATA,
    _key(),
    # The content digest; where that is not known, UUID or path: see `image_key`.
    Column("fingerprint", Text, nullable=False, unique=True),
    _to("content", index=True),
    Column("uuid", Text, index=True),
    Column("name", Text, index=True),
    Column("path", Text),
    Column("created_us", _Big),
    Column("architecture", Text),
    Column("driver", Text),
    Column("creator", Text, index=True),
    Column("description", Text),
    Column("base_image", Text, index=True),
    Column("original_image", Text),
    Column("config_file", Text),
    _to("configuration"),
)

start_command = Table(
    "start_command",
    METADATA,
    _key(),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("argv", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("cwd", Text, nullable=False),
    Column("environment", Text, nullable=False),
)

# What commands set: a name that none does is not sought in all of them.
setting_name = Table(
    "setting_name", METADATA, _key(), Column("name", Text, nullable=False, unique=True)
)

workflow = Table(
    "workflow", METADATA, _key(), Column("wf_key_name", Text, nullable=False, unique=True)
)

workflow_execution = Table(
    "workflow_execution",
    METADATA,
    _key(),
    Column("uuid", Text, nullable=False, unique=True),
    _to("workflow", index=True),
    # As declared; null: told by how many images its activities have.
    Column("composition", Text),
)

execution = Table(
    "execution",
    METADATA,
    _key(),
    # The record's `id`, which all records of one run share.
    Column("uuid", Text, nullable=False, unique=True),
    # run, making; null: only others name it so far, or a report of a run that goes on.
    Column("kind", Text),
    _to("workflow_execution", index=True),
    Column("activity", Text, index=True),
    _to("container_image", index=True),
    _to("start_command", index=True),
    _to("person", index=True),
    _to("env_partition", index=True),
    Column("scheduler", Text),
    Column("job_id", Text, index=True),
    Column("array_job_id", Text, index=True),
    Column("task_id", Text),
    Column("started_us", _Big, index=True),
    Column("ended_us", _Big),
    Column("elapsed_us", _Big),
    # exited, signaled, not-started, unknown, as a record says; running, lost: by a report alone.
    Column("outcome", Text, index=True),
    Column("exit_code", Integer),
    Column("signal", Integer),
    Column("action", Text),
    Column("captured_by", Text),
    # The digest of the record that this run replays.
    Column("replays", Text),
    # Of a making: the folder that the content came from.
    Column("source", Text),
    Column("cpu_us", _Big),
    Column("max_memory_bytes", _Big),
    # A hash of what all records of one run have in common; null: none of them was read so far.
    Column("likeness", _Big),
)

container = Table(
    "container",
    METADATA,
    _key(),
    Column("execution_id", _Big, ForeignKey("execution.id"), nullable=False, unique=True),
    _to("container_image", index=True),
    _to("start_command"),
    Column("binds", Text),
    Column("isolation", Text),
)

data_container = Table(
    "data_container",
    METADATA,
    _key(),
    # Of a plain folder, which has none, the hash of its path: see `entity_key`.
    Column("uuid", Text, nullable=False, unique=True),
    Column("name", Text, index=True),
    Column("created_us", _Big),
)

state = Table(
    "state",
    METADATA,
    _key(),
    Column("key", Text, nullable=False, unique=True),
    _to("data_container", index=True),
    # The digest of the newest record that the container carried.
    Column("record", Text, index=True),
    _to("content", index=True),
    _to("execution", "generated_by", index=True),
    _to("state", "revision_of", index=True),
    Column("name", Text, index=True),
    Column("path", Text),
    Column("mount", Text),
    Column("files", _Big),
    Column("marks", Text),
)

used = Table(
    "used",
    METADATA,
    Column("execution_id", _Big, ForeignKey("execution.id"), primary_key=True, autoincrement=False),
    Column("state_id", _Big, ForeignKey("state.id"), primary_key=True, autoincrement=False),
    Column("mount", Text, nullable=False, primary_key=True),
    Column("name", Text),
    Column("path", Text),
    Column("marks", Text),
    # The content as this run found it.
    _to("content"),
    # It carried no record: the state is known by its content, from a record that stands elsewhere.
    Column("by_content", Boolean),
    Index("ix_used_state_id_execution_id", "state_id", "execution_id"),
    _few("ix_used_by_content", "state_id", "by_content"),
)

location = Table(
    "location",
    METADATA,
    _key(),
    # Empty on a file system that several machines share.
    Column("host", _Bytes, nullable=False),
    Column("folder", _Bytes, nullable=False),
    Column("name", _Bytes, nullable=False),
    Column("device", _Big),
    Column("inode", _Big),
    Column("size", _Big),
    Column("mtime_ns", _Big),
    Column("ctime_ns", _Big),
    # good, foreign (a SIF without records of ours), unreadable, vanished
    Column("status", Text, nullable=False, index=True),
    Column("reason", Text),
    _to("data_container", index=True),
    _to("container_image", index=True),
    _to("state", index=True),
    Column("seen_us", _Big),
    UniqueConstraint("host", "folder", "name"),
    # A path is asked for whatever the machine.
    Index("ix_location_folder_name", "folder", "name"),
    Index("ix_location_name", "name"),
)

record = Table(
    "record",
    METADATA,
    _key(),
    Column("digest", Text, nullable=False, unique=True),
    # run, origin, annotation, verdict
    Column("kind", Text, nullable=False),
    _to("execution", index=True),
    _to("data_container", index=True),
    Column("previous", Text),
    # The digest of the record that an annotation or a verdict speaks of.
    Column("about", Text, index=True),
    Column("recorded_us", _Big, index=True),
    Column("captured_by", Text),
    Column("version", Text),
    # same, alike, differs: of a verdict
    Column("verdict", Text),
    # Of words: the digest of the record whose state they stand in; null: none is known.
    Column("behind", Text),
    # Whether it was seen in the very container that it speaks of.
    Column("is_inside", Boolean, nullable=False),
    # The file in whose own objects it stands; null: seen only where others embed it.
    _to("location", index=True),
    _few("ix_record_behind", "behind", "behind IS NOT NULL"),
)

# Of several annotations the newest one's value counts (`recorded_us`); all of them stand in the
# containers.
tag = Table(
    "tag",
    METADATA,
    Column("execution_id", _Big, ForeignKey("execution.id"), primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("recorded_us", _Big, nullable=False),
    Index("ix_tag_name_value", "name", "value", "execution_id"),
)

metric = Table(
    "metric",
    METADATA,
    Column("execution_id", _Big, ForeignKey("execution.id"), primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("value", Float),
    # Exactly as it was written.
    Column("text", Text, nullable=False),
    Column("recorded_us", _Big, nullable=False),
    Index("ix_metric_name_value", "name", "value", "execution_id"),
)

note = Table(
    "note",
    METADATA,
    Column("execution_id", _Big, ForeignKey("execution.id"), primary_key=True, autoincrement=False),
    # The `id` of the record that says it.
    Column("said_by", Text, primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
)

# A run that is going on, or whose end only its reporter told: see docs/catalog.md, "Live".
report = Table(
    "report",
    METADATA,
    Column("execution_id", _Big, ForeignKey("execution.id"), primary_key=True, autoincrement=False),
    Column("host", Text),
    Column("boot_id", Text),
    # The runtime's process, and the one that will tell of the end; each with its start in clock
    # ticks since the boot.
    Column("pid", _Big),
    Column("pid_started", _Big),
    Column("recorder_pid", _Big),
    Column("recorder_started", _Big),
    Column("started_us", _Big),
    Column("seen_us", _Big),
    Column("is_ended", Boolean, nullable=False),
    # What became of the record (model/report.py), and why there is none.
    Column("became", Text),
    Column("reason", Text),
    # The containers that were bound: role, name, path, UUID, mount point.
    Column("containers", Text),
)

# PostgreSQL would look up each reference of each row, which takes more time than all else that it
# does. The one writer at a time makes every row, and tests look the references up.
for _table in METADATA.tables.values():
    for _constraint in _table.foreign_key_constraints:
        _constraint.ddl_if(dialect="sqlite")
