"""The user, and the batch job that the run was part of."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sifprov.capture.facts.text import bounded, read_text
from sifprov.model.canonical import Json
from sifprov.model.fact import Fact

# By batch system: the variable that tells of a job, then what to take from which variable.
_SYSTEMS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("slurm", "SLURM_JOB_ID", {
        "job": "SLURM_JOB_ID", "array_job": "SLURM_ARRAY_JOB_ID", "task": "SLURM_ARRAY_TASK_ID",
        "step": "SLURM_STEP_ID", "process": "SLURM_PROCID", "cluster": "SLURM_CLUSTER_NAME",
        "name": "SLURM_JOB_NAME", "partition": "SLURM_JOB_PARTITION", "node": "SLURMD_NODENAME",
    }),
    ("pbs", "PBS_JOBID", {"job": "PBS_JOBID", "task": "PBS_ARRAY_INDEX"}),
    ("lsf", "LSB_JOBID", {"job": "LSB_JOBID", "task": "LSB_JOBINDEX"}),
    ("sge", "SGE_ROOT", {"job": "JOB_ID", "task": "SGE_TASK_ID"}),
    ("flux", "FLUX_JOB_ID", {"job": "FLUX_JOB_ID"}),
    ("kubernetes", "KUBERNETES_SERVICE_HOST", {
        "job": "HOSTNAME", "pod": "POD_NAME", "namespace": "POD_NAMESPACE", "uid": "POD_UID",
    }),
)  # fmt: skip
# What a job that is no array has in place of a task.
_NO_TASK = {"", "undefined"}


def user(id_map: str = "/proc/self/uid_map") -> Fact:
    """Returns the user's name and number, as the host knows them."""
    number = _outside(os.getuid(), read_text(id_map, 4096))
    # Imported here, and asked while the application runs: it may ask a server.
    import pwd

    try:
        return Fact(
            "user", {"name": bounded(pwd.getpwuid(number).pw_name), "uid": number}, source="passwd"
        )
    except KeyError:  # a user may have no entry there, as in some containers
        return Fact("user", {"uid": number}, source="getuid")


def _outside(number: int, id_map: str) -> int:
    """Returns the user id outside of our user namespace (user_namespaces(7))."""
    for line in id_map.splitlines():
        inside, outside, count = map(int, line.split())
        if inside <= number < inside + count:
            return outside + number - inside
    return number


def batch(variables: Mapping[str, str], *, host: bool = False) -> Fact:
    """Returns the batch job by the variables that batch systems set. `host`: the name of its node
    too, which is a machine's."""
    for system, sign, fields in _SYSTEMS:
        if not variables.get(sign):
            continue
        value: dict[str, Json] = {"system": system}
        for name, variable in fields.items():
            text = variables.get(variable, "")
            # LSF calls the task of what is no array 0.
            if text in _NO_TASK or (system, name, text) == ("lsf", "task", "0"):
                continue
            if host or name != "node":
                value[name] = bounded(text)
        if system == "pbs" and variables.get("PBS_ARRAYID"):
            value.setdefault("task", bounded(variables["PBS_ARRAYID"]))
        if len(value) > 1:
            return Fact("batch", value, source="environment")
    return Fact("batch", None, reason="no batch system is named in the environment")
