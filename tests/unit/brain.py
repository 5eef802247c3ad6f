"""The workflow of the First Provenance Challenge as records: brain scans that are aligned, averaged
and sliced, in two executions.

    anatomyN, reference -> align_warp -> warpN -> reslice -> reslicedN
    resliced1..4 -> softmean -> atlas -> slicer -> atlas-x|y|z -> convert -> atlas-x|y|z.gif

The first ran on a Monday with a model of twelve parameters; the second on a Tuesday with another,
and two steps in place of the last.
"""

from __future__ import annotations

from uuid import UUID

from tests.unit.graphmaker import Sample

from sifprov.model.annotation import Annotation
from sifprov.model.fact import Fact
from sifprov.model.graph import Entity

FIRST = UUID("11111111-1111-4111-8111-111111111111")
SECOND = UUID("22222222-2222-4222-8222-222222222222")
NUMBERS = (1, 2, 3, 4)
AXES = ("x", "y", "z")
MODALITY = {"x": "speech", "y": "visual", "z": "touch"}
_LABELS = {
    "org.opencontainers.image.authors": "Ada <ada@lab>",
    "org.label-schema.build-arch": "amd64",
    "org.opencontainers.image.description": "image registration",
}


class Brain(Sample):
    """Makes both executions; `of` has what was left, by execution and name."""

    def __init__(self) -> None:
        super().__init__()
        self.air = self.application("air.sif")
        self.fsl = self.application("fsl.sif")
        self.magick = self.application("magick.sif")
        self.reference = self.made("reference.sif", "/scans/reference")
        self.anatomy = [self.made(f"anatomy{n}.sif", f"/scans/{n}") for n in NUMBERS]
        self.say(self.anatomy[0], center="UChicago", global_maximum="4095")
        self.say(self.anatomy[1], center="UChicago")
        self.of: dict[tuple[UUID, str], Entity] = {}
        self.at("2026-06-01T09:00:00Z")
        self._execute(FIRST, "12", ("convert",), "gpu", "701")
        self.at("2026-06-02T09:00:00Z")
        self._execute(SECOND, "8", ("pgmtoppm", "pnmtojpeg"), "cpu", "702")

    def _execute(
        self, which: UUID, model: str, last: tuple[str, ...], queue: str, job: str
    ) -> None:
        def step(
            activity: str,
            app: Entity,
            inputs: tuple[Entity, ...],
            output: str,
            *words: str,
            said: Annotation | None = None,
        ) -> Entity:
            (made,) = self.run(
                app, inputs, output, command=(activity, *words), annotation=said,
                facts=facts(which, activity, app.name, queue, job),
            )  # fmt: skip
            self.of[which, output] = made
            return made

        resliced = []
        for number, anatomy in zip(NUMBERS, self.anatomy, strict=True):
            warp = step(
                "align_warp", self.air, (anatomy, self.reference), f"warp{number}.sif",
                "anatomy.img", "reference.img", "-m", model, "-q",
            )  # fmt: skip
            resliced.append(step("reslice", self.air, (warp,), f"resliced{number}.sif"))
        score = Annotation(metrics=(("overlap", "0.91" if model == "12" else "0.87"),))
        atlas = step("softmean", self.air, tuple(resliced), "atlas.sif", "y", "null", said=score)
        for axis in AXES:
            picture = step("slicer", self.fsl, (atlas,), f"atlas-{axis}.sif", f"-{axis}", ".5")
            for number, activity in enumerate(last):
                tags = (("studyModality", MODALITY[axis]), ("quality", "draft"))
                is_last = number == len(last) - 1
                name = f"atlas-{axis}.{'gif' if len(last) == 1 else activity}.sif"
                picture = step(
                    activity, self.magick, (picture,), name,
                    said=Annotation(tags=tags) if is_last else None,
                )  # fmt: skip

    def records(self) -> list[bytes]:
        """All records, as they are stored."""
        return list(self.store.values())


def facts(
    which: UUID, activity: str, app: str, queue: str, job: str, name: str = "brain"
) -> tuple[Fact, ...]:
    """The facts of one run."""
    labels = _LABELS if app == "air.sif" else {}
    return (
        Fact("workflow", {"name": name, "id": str(which), "activity": activity}, "environment"),
        Fact("user", {"name": "ada", "uid": 1000}, "passwd"),
        Fact("batch", {"system": "slurm", "job": job, "partition": queue}, "environment"),
        Fact(
            "platform",
            {"architecture": "x86_64", "cpu": "EPYC", "cpus": 4, "memory_bytes": 2**34,
             "host": f"{queue}-node"},
            "proc",
        ),
        Fact(
            "application",
            {"labels": dict(labels), "bases": [{"bootstrap": "docker", "from": "debian:12"}]},
            "image",
        ),
        Fact("resources", {"user_us": 2_000_000, "peak_memory_bytes": 2**20}, "cgroup"),
    )  # fmt: skip
