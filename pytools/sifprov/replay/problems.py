"""All that is missing or in the way of a replay, told at once. No I/O."""

from __future__ import annotations

from collections.abc import Iterable

from sifprov.errors import MissingError
from sifprov.model.container import APPLICATION, Container
from sifprov.replay.refusal import Refusal, with_file

FORCE = "--force runs it all the same"


class Problems:
    """Collects what would make a replay fail, in the order in which it is met."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}
        self._hints: dict[str, None] = {}
        self._missing: list[Container] = []
        self._rebuilt: list[Container] = []

    def refuse(self, *refusals: Refusal) -> None:
        """Adds why a run cannot be replayed."""
        for each in refusals:
            self._texts[each.text] = None
            self._hints[each.hint] = None

    def miss(
        self, it: Container, text: str, *, there: bool, rebuilt: bool, untracked: bool
    ) -> None:
        """Adds a container that is not found, or is `there` with other content, as `text` says.
        `rebuilt`: what it was made of is known; `untracked`: but it had been changed since."""
        if untracked:
            text += "; it had been changed by no recorded run before it was read, so none makes it"
        self._texts[text] = None
        if there:
            self._hints[FORCE] = None
        else:
            self._missing.append(it)
        if rebuilt:
            self._rebuilt.append(it)

    def check(self) -> None:
        """Raises MissingError where there is anything."""
        texts = list(self._texts)
        if not texts:
            return
        if len(texts) > 1:
            numbered = "; ".join(f"({n}) {text}" for n, text in enumerate(texts, start=1))
            text = f"cannot be replayed, for {len(texts)} reasons: {numbered}"
        else:
            (text,) = texts
        raise MissingError(text, hint="; ".join(self._all_hints()))

    def _all_hints(self) -> Iterable[str]:
        if self._missing:
            it = self._missing[0]
            option = "--app" if it.role == APPLICATION else "--with"
            which = "it is" if len(self._missing) == 1 else "they are"
            yield f"say where {which} with --search DIR, or name a file: {with_file(it, option)}"
        if self._rebuilt:
            names = ", ".join(dict.fromkeys(c.name for c in self._rebuilt))
            yield f"--from-origin makes {names} again from what is recorded"
        yield from self._hints
