"""Which environment variables a record may hold: those that change what a program computes or
prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# A trailing `*` stands for any rest.
DEFAULT = (
    "LANG", "LC_*", "TZ", "OMP_*", "CUDA_VISIBLE_DEVICES",
    # What is handed into the container; by --env it stands in the command line.
    "SINGULARITYENV_*", "APPTAINERENV_*",
)  # fmt: skip
# What the helper looks at and no record holds as it is: the user's words about the run, the
# workflow that it is part of, the batch job, and options of the runtime. The plugin has the same
# list (plugin/stash.go).
FOR_HELPER = (
    "SIFPROV_NOTE", "SIFPROV_TAGS", "SIFPROV_METRICS", "SIFPROV_LOG", "SIFPROV_DIGEST",
    "SIFPROV_CACHE",
    "SIFPROV_WORKFLOW", "SIFPROV_WORKFLOW_ID", "SIFPROV_ACTIVITY", "SIFPROV_COMPOSITION",
    "SIFPROV_TELEMETRY",
    "SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_STEP_ID", "SLURM_PROCID",
    "SLURM_CLUSTER_NAME", "SLURM_JOB_NAME", "SLURM_JOB_PARTITION", "SLURMD_NODENAME",
    "PBS_JOBID", "PBS_ARRAY_INDEX", "PBS_ARRAYID", "LSB_JOBID", "LSB_JOBINDEX",
    "SGE_ROOT", "JOB_ID", "SGE_TASK_ID", "FLUX_JOB_ID",
    "KUBERNETES_SERVICE_HOST", "HOSTNAME", "POD_NAME", "POD_NAMESPACE", "POD_UID",
    "SINGULARITY_CLEANENV", "SINGULARITY_CONTAINALL", "SINGULARITY_COMPAT", "SINGULARITY_NO_MOUNT",
    "APPTAINER_CLEANENV", "APPTAINER_CONTAINALL", "APPTAINER_COMPAT", "APPTAINER_NO_MOUNT",
)  # fmt: skip

_NO = ("", "0", "no", "false")


def allowed(name: str, patterns: Iterable[str] = DEFAULT) -> bool:
    """Whether the variable `name`, an ASCII one, is on the list."""
    return name.isascii() and any(
        name.startswith(p[:-1]) if p.endswith("*") else name == p for p in patterns
    )


def pick(
    environment: Mapping[str, str], patterns: Iterable[str] = DEFAULT
) -> tuple[tuple[str, str], ...]:
    """Returns the listed variables, by name."""
    patterns = tuple(patterns)
    return tuple((n, environment[n]) for n in sorted(environment) if allowed(n, patterns))


def asks_for_log(environment: Mapping[str, str]) -> bool:
    """Whether the environment asks for the application's output to be kept."""
    return environment.get("SIFPROV_LOG", "").lower() not in _NO


def asks_for_telemetry(variables: Iterable[tuple[str, str]]) -> bool:
    """Whether the environment asks for what the run uses to be measured."""
    return dict(variables).get("SIFPROV_TELEMETRY", "").lower() not in _NO
