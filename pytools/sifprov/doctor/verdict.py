"""In words: what of a user's runs will be captured, in which way, and what to do."""

from __future__ import annotations

from sifprov.doctor.check import Check
from sifprov.doctor.runtimes import Examined
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json

PLUGIN, WRAPPER, NOT = "plugin", "wrapper", "not"


@dataclass(frozen=True)
class Verdict:
    """`way` is `plugin`, `wrapper` or `not`."""

    way: str
    text: str
    hint: str | None

    def to_json(self) -> Json:
        """Returns the object `capture` of the document."""
        return {"hint": self.hint, "text": self.text, "way": self.way}


def judge(word: str, examined: Examined, machine: list[Check]) -> Verdict:
    """Says how runs of the runtime `word` are captured; `machine` are the common checks."""
    status, obstacle = examined.status, examined.obstacle
    common = {check.name: check for check in machine if not check.good}
    if status is not None and status.runs_fail:
        return Verdict(
            NOT, f"every run of {word} fails because of the plugin",
            "as root: sifprov plugin install, or sifprov plugin remove",
        )  # fmt: skip
    if obstacle:
        return Verdict(
            NOT, f"{word} cannot bind data containers for you: {obstacle.text}", obstacle.hint
        )
    if "environment" in common:
        return Verdict(
            NOT, f"no run is recorded: {common['environment'].text}", common["environment"].hint
        )
    if "locks" in common:
        return Verdict(
            NOT, f"no container can take a record {common['locks'].text}", common["locks"].hint
        )
    if status is not None and status.records:
        return Verdict(
            PLUGIN, f"plain '{word} exec', run and shell are recorded by the plugin", None
        )
    return Verdict(
        WRAPPER,
        f"plain '{word} exec' is not recorded; 'sifprov exec', run and shell are",
        "type 'sifprov exec' instead, or once in a shell: eval \"$(sifprov shell-init bash)\"",
    )
