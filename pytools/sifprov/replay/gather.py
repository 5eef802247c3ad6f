"""Goes from the replayed run back to those that it needs; finds what each reads and starts from.

What is missing or in the way is collected, so that the user is told all of it at once.
"""

from __future__ import annotations

import os

from sifprov.errors import MissingError, SifprovError
from sifprov.frozen import replace
from sifprov.model.canonical import record_digest
from sifprov.model.container import APPLICATION, INPUT, OUTPUT, Container
from sifprov.replay import refusal
from sifprov.replay.ancestry import Ancestry, Past, Read, Written, content
from sifprov.replay.change import Changes, Given, who
from sifprov.replay.draft import Draft, in_order
from sifprov.replay.find import Finder
from sifprov.replay.problems import Problems
from sifprov.replay.refusal import Refusal
from sifprov.replay.runtimes import Runtimes
from sifprov.replay.start import Lists, choose
from sifprov.replay.steps import (
    Change,
    Continued,
    Copied,
    Found,
    Kept,
    Made,
    Rebuilt,
    Start,
    Step,
    Target,
)
from sifprov.replay.variables import hidden, left_out


class Gather:
    """Makes the steps of one plan. Takes time in proportion to the runs and their containers."""

    def __init__(
        self,
        ancestry: Ancestry,
        wanted: Past,
        changes: Changes,
        finder: Finder,
        lists: Lists,
        runtimes: Runtimes,
        *,
        from_origin: bool,
        force: bool,
    ) -> None:
        self.notes: list[str] = []
        self.changes: list[Change] = list(changes.arguments)
        self._ancestry, self._wanted, self._changes = ancestry, wanted, changes
        self._finder, self._lists, self._runtimes = finder, lists, runtimes
        self._from_origin, self._force = from_origin, force
        self._todo = [wanted]
        self._found: dict[tuple[str, str, str, str | None], Found | Start | None] = {}
        self._given: dict[tuple[str, str, str | None], Found] = {}
        self._used: set[str] = set()
        self._problems = Problems()

    def steps(self) -> tuple[Step, ...]:
        """Returns the steps, each behind those that it needs. Raises MissingError for all that is
        missing, SifprovError for a change that has no place."""
        drafts: dict[str, Draft] = {}
        while self._todo:
            past = self._todo.pop()
            if past.key not in drafts:
                drafts[past.key] = self._draft(past)
        self._check_changes()
        self._problems.check()
        return in_order(drafts, self._ancestry.in_order(drafts))

    def _draft(self, past: Past) -> Draft:
        replayed = past is self._wanted
        run = self._changes.run if replayed else past.run
        runtime = self._runtimes.of(run)
        before = len(self.changes)
        refused = list(refusal.of_run(past, run, runtime, force=self._force))
        self._problems.refuse(*refused)
        if not refused:
            self.notes += refusal.notes(past, run, runtime)
            self.notes += (
                f"a variable of today's environment binds the host's {where}, which the recorded "
                "run is not known to have had: left out"
                for where in left_out(run, os.environ)
            )
            self.notes += (
                f"the variable {name} held a secret, which was not recorded: what it holds today "
                "is used"
                for name in hidden(run, os.environ)
            )
        application = self._application(past)
        inputs = [self._input(read, past) for read in past.inputs]
        outputs = [self._target(written, replayed=replayed) for written in past.outputs]
        changed = len(self.changes) > before or (replayed and bool(self._changes.arguments))
        return Draft(
            past,
            run,
            runtime,
            application,
            tuple(i for i in inputs if i),
            tuple(o for o in outputs if o),
            changed,
        )

    def _application(self, past: Past) -> Found | None:
        it = past.application
        if it is None:
            text = f"the run {past.key[:8]}: its record names no application container"
            self._problems.refuse(Refusal(text, refusal.BY_HAND))
            return None
        given = self._changes.application(it)
        if given:
            what = "application" if past is self._wanted else f"application {it.name}"
            return self._take(given, it, APPLICATION, what)
        refused = list(refusal.of_application(it))
        self._problems.refuse(*refused)
        found = None if refused else self._find(it, APPLICATION)
        return found if isinstance(found, Found) else None

    def _input(self, read: Read, past: Past) -> Found | Made | Rebuilt | None:
        it, replayed = read.container, past is self._wanted
        given = self._changes.container(it, replayed=replayed)
        if given:
            what = f"input {it.mount if replayed and it.mount else it.name}"
            return self._take(given, it, INPUT, what)
        refused = list(refusal.of_input(it))
        self._problems.refuse(*refused)
        if refused:
            return None
        if read.state and self._from_origin:
            return Made(it, self._need(read.state))
        found = self._find(it, INPUT, read)
        if found is None or isinstance(found, Found):
            return found
        return self._rebuilt(read, found, past)

    @staticmethod
    def _rebuilt(read: Read, start: Start, past: Past) -> Rebuilt | None:
        if read.origin is None:
            return None
        digest, record = read.origin
        # Each step makes its own, so that steps side by side are in nobody's way.
        state = record_digest(f"{digest} {past.key}".encode())
        return Rebuilt(read.container, state, replace(record, previous=digest), start)

    def _target(self, written: Written, *, replayed: bool) -> Target | None:
        start = self._start(written, replayed=replayed)
        if start is None:
            return None
        return Target(written.container, written.state, written.record, start)

    def _start(self, written: Written, *, replayed: bool) -> Start | None:
        it, before = written.container, written.before
        unknown = list(refusal.of_start(written))
        given = self._changes.container(it, replayed=replayed)
        # By its name it is the output of one run and the input of others: those are meant.
        if given and (given.mounted or unknown or (before and before.origin)):
            what = f"output {it.mount if replayed and it.mount else it.name}"
            told = content(before) if before and not unknown else None
            found = self._take(given, replace(it, digest=told), OUTPUT, what)
            return Copied(found, self._finder.layout_of(it))
        if unknown and not (self._force and before):
            self._problems.refuse(*unknown)
            return None
        if before is None or before.origin or not self._from_origin:
            run = written.record.run
            start = choose(
                it,
                before,
                self._finder,
                self._lists,
                from_origin=self._from_origin,
                began=run.started if run else None,
            )
            if isinstance(start, Kept) and start.untold:
                self.notes.append(
                    f"{it.name} held files before the run that no record tells; the replay begins "
                    "with those that nobody changed since"
                )
            if start:
                return start
        if before and before.run and written.before_state:
            return Continued(self._need(written.before_state))
        source = before.origin.source if before and before.origin else ""
        self._problems.refuse(
            Refusal(
                f"{it.name}: it began with what {source} held; that is another content by now, and "
                "no container with it is found",
                f"say where one is with --search DIR, or name it: {refusal.with_file(it)}",
            )
        )
        return None

    def _need(self, state: str) -> str:
        """Wants the run that made a state to be replayed; returns the state."""
        maker = self._ancestry.maker(state)
        if maker:
            self._todo.append(maker)
        return state

    def _take(self, given: Given, it: Container, role: str, what: str) -> Found:
        """What the user named: a change, unless it has the recorded content."""
        self._used.add(given.text)
        key = (given.path, who(it), it.digest)
        if key not in self._given:
            found = self._finder.given(it, given.path, role=role)
            self._given[key] = replace(found, path=os.path.abspath(found.path))
        found = self._given[key]
        if found.changed or it.digest is None:
            self.changes.append(Change(what, it.path, found.path))
        return replace(found, container=it)

    def _find(self, it: Container, role: str, read: Read | None = None) -> Found | Start | None:
        """A container that is found, or, of an input, what it can be made of again."""
        key = (role, who(it), it.name, it.digest)
        if key not in self._found:
            self._found[key] = self._look(it, role, read)
        found = self._found[key]
        return replace(found, container=it) if isinstance(found, Found) else found

    def _look(self, it: Container, role: str, read: Read | None) -> Found | Start | None:
        found, problem = None, None
        try:
            found = self._finder.find(it, role=role)
            problem = found.changed
        except MissingError as error:
            problem = str(error)
        if problem is not None:
            start = self._again(it, read)
            if start and self._from_origin:
                return start
            if found is None or not self._force:
                rebuilt = start is not None or (read is not None and read.state is not None)
                untracked = found is None and read is not None and read.untracked
                there = found is not None
                self._problems.miss(it, problem, there=there, rebuilt=rebuilt, untracked=untracked)
                return None
            self.notes.append(problem)
        elif found and it.digest is None:
            self.notes.append(
                f"{it.name}: its content was not recorded ({it.reason or 'not read'}), so nothing "
                f"proves that {found.path} holds it"
            )
        return replace(found, path=os.path.abspath(found.path)) if found else None

    def _again(self, it: Container, read: Read | None) -> Start | None:
        """What an input as it was made can be made of once more: the folder, or its files in the
        container, to which others came."""
        if read is None or read.origin is None:
            return None
        return choose(it, read.origin[1], self._finder, self._lists, from_origin=True)

    def _check_changes(self) -> None:
        for given in self._changes.all:
            if given.text not in self._used:
                raise SifprovError(
                    f"{given.option} {given.text}: no run that is replayed reads that from outside",
                    hint="'sifprov rerun --dry-run' without it shows what they read",
                )
