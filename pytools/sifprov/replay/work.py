"""The folder in which a replay builds its containers, so that nothing half-made has a name.

    .NEW.sif.parts/plan.json       locked while a replay is at work (claim.py)
    .NEW.sif.parts/NAME.sif        a finished state: its record is in it, and it is on the disk
    .NEW.sif.parts/NAME.sif.part   one that a step is making; whatever else begins so is its too

At the end the wanted state becomes NEW.sif. What a replay that was killed has left there is taken
up by the next one of the same plan.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from sifprov.errors import FileError
from sifprov.extract import remove_tree
from sifprov.model.canonical import Json, text_to_json
from sifprov.newfile import publish, remove_leftovers, sync, sync_folder
from sifprov.replay.claim import PLAN, Claim, TakenError, claim, is_of
from sifprov.replay.steps import Plan

_PART = ".part"
# Of a name that a record gives, what is kept of it.
_MOST_LETTERS = 60


class Work:
    """The work folder of one replay, held by a lock. `into` is the path that the wanted state gets
    at the end; with `keep` the other states go to `NEW.parts/` then, else they are removed."""

    def __init__(self, plan: Plan, into: str, held: Claim, *, keep: bool = False) -> None:
        self.plan, self.into, self.folder = plan, os.path.abspath(into), held.folder
        self.fresh = held.fresh
        self._keep, self._kept = keep, _free(os.path.splitext(self.into)[0], ".parts", "")
        self._names = file_names(plan, self.into)

    @property
    def states(self) -> tuple[str, ...]:
        """All states of the plan."""
        return tuple(self._names)

    def path(self, state: str) -> str:
        """Returns where a finished state is, or will be."""
        return os.path.join(self.folder, self._names[state])

    def part(self, state: str) -> str:
        """Returns the file in which a step makes a state."""
        return self.path(state) + _PART

    def name_for_good(self, state: str) -> str:
        """Returns the path by which the records of the replay name a state: where it will be in the
        end, if it is kept. Whether it is may be another one's wish than his who made it."""
        if state == self.plan.wanted:
            return self.into
        return os.path.join(self._kept, self._names[state])

    def failed_name(self, state: str, among: Sequence[str]) -> str:
        """Returns the free path `NEW.failed.sif`, or one like it, for what a step that failed has
        made of a state; `among` are all its states."""
        stem, suffix = os.path.splitext(self.into)
        return _free(f"{stem}.failed", "", suffix, list(among).index(state))

    def begin(self, states: Sequence[str]) -> None:
        """Makes room for states: removes what an earlier step has left of them."""
        for state in states:
            _remove(self.path(state))
        self.discard(states)

    def finish(self, states: Sequence[str]) -> None:
        """Gives states that were made their names in the folder, when they are on the disk. Raises
        FileError."""
        try:
            for state in states:
                sync(self.part(state))
            for state in states:
                os.rename(self.part(state), self.path(state))
            sync(self.folder)
        except OSError as error:
            raise FileError(f"{self.folder}: {error.strerror}") from error

    def set_aside(self, state: str, path: str) -> None:
        """Gives what a step that failed has made the name `path`. Raises FileError."""
        try:
            publish(self.part(state), path)
        except OSError as error:
            raise FileError(f"{path}: {error.strerror}") from error

    def discard(self, states: Sequence[str]) -> None:
        """Removes what was made of states that are not finished."""
        for state in states:
            begins = os.path.basename(self.part(state))
            with suppress(OSError):
                for name in os.listdir(self.folder):
                    if name.startswith((begins, f".{begins}")):
                        _remove_all(os.path.join(self.folder, name))

    def publish(self) -> None:
        """Gives the wanted state its name, never replacing another file, and keeps or removes the
        others. Raises FileError; then all stays for the next start."""
        wanted = self.path(self.plan.wanted)
        try:
            publish(wanted, self.into)
        except OSError as error:
            raise FileError(f"{self.into}: {error.strerror}") from error
        _remove(wanted)
        if self._keep and len(self._names) > 1:
            self._keep_in(self._kept)
        for state in self._names:
            _remove(self.path(state))

    def _keep_in(self, folder: str) -> None:
        try:
            os.mkdir(folder)
            for name in self._names.values():
                with suppress(FileNotFoundError):
                    os.rename(os.path.join(self.folder, name), os.path.join(folder, name))
            sync(folder)
            sync_folder(folder)
        except OSError as error:
            raise FileError(
                f"{folder}: {error.strerror}", hint=f"the containers are in {self.folder}"
            ) from error

    def close(self) -> None:
        """Removes what is not finished, and the folder where nothing else is in it."""
        self.discard(self.states)
        remove_leftovers(self.folder)
        with suppress(OSError):
            if set(os.listdir(self.folder)) <= {PLAN}:
                _remove(os.path.join(self.folder, PLAN))
                os.rmdir(self.folder)


@contextmanager
def work_folder(plan: Plan, into: str | None = None, *, keep: bool = False) -> Iterator[Work]:
    """Yields the folder of a replay: the one that an earlier, interrupted one of the same plan has
    left, else a new one. Without `into` the new container is `OUT.rerun-N.sif`. Raises FileError;
    TakenError where another replay has the folder of `into`."""
    key = key_of(plan)
    path, held = _chosen(plan.original, key) if into is None else (into, _of(into, key))
    try:
        work = Work(plan, path, held, keep=keep)
        try:
            yield work
        finally:
            work.close()
    finally:
        held.release()


def next_name(plan: Plan) -> str:
    """Returns the path that a replay of this plan would have now, without `into`. Makes nothing."""
    stem, suffix = os.path.splitext(plan.original)
    for number in _begun(stem, suffix):
        into = f"{stem}.rerun-{number}{suffix}"
        if not os.path.lexists(into) and is_of(_parts(into), key_of(plan)):
            return into
    number = 1
    while any(map(os.path.lexists, (into := f"{stem}.rerun-{number}{suffix}", _parts(into)))):
        number += 1
    return into


def key_of(plan: Plan) -> Json:
    """Returns what makes two replays one and the same: the record that is replayed, what the user
    wants otherwise, and where its records go."""
    return {
        "changes": [
            {k: text_to_json(getattr(c, k)) for k in ("what", "before", "after")}
            for c in plan.changes
        ],
        "metadata": text_to_json(plan.metadata),
        "wanted": plan.wanted,
    }


def _of(into: str, key: Json) -> Claim:
    if os.path.lexists(into):
        raise FileError(f"{into}: exists already", hint="choose another name, or remove it first")
    held = claim(_parts(into), key)
    if held is None:  # it is made where it is not
        raise FileError(f"{_parts(into)}: cannot be made")
    return held


def _chosen(original: str, key: Json) -> tuple[str, Claim]:
    """The first `OUT.rerun-N.sif` of which a replay of this plan was interrupted, else the first
    that is free."""
    stem, suffix = os.path.splitext(original)
    for number in _begun(stem, suffix):
        into = f"{stem}.rerun-{number}{suffix}"
        with suppress(TakenError):
            held = None if os.path.lexists(into) else claim(_parts(into), key, make=False)
            if held:
                return into, held
    number = 1
    while True:
        into = f"{stem}.rerun-{number}{suffix}"
        number += 1
        if os.path.lexists(into):
            continue
        with suppress(TakenError):
            held = claim(_parts(into), key)
            if held and not os.path.lexists(into):  # nor has it appeared meanwhile
                return into, held
            if held:
                held.release()


def _begun(stem: str, suffix: str) -> list[int]:
    """The numbers of the work folders that are there."""
    folder, name = os.path.split(stem)
    form = re.compile(re.escape(f".{name}.rerun-") + r"([1-9][0-9]{0,8})" + re.escape(suffix))
    with suppress(OSError):
        names = os.listdir(folder or ".")
        found = (form.fullmatch(n.removesuffix(".parts")) for n in names if n.endswith(".parts"))
        return sorted(int(match[1]) for match in found if match)
    return []


def _parts(into: str) -> str:
    folder, name = os.path.split(os.path.abspath(into))
    return os.path.join(folder, f".{name}.parts")


def file_names(plan: Plan, into: str) -> dict[str, str]:
    """Returns the name that each state's file has in the work folder, and with `keep` in
    `NEW.parts/`; the wanted one has that of `into`."""
    wanted = os.path.basename(into)
    found, taken = {plan.wanted: wanted}, {wanted, PLAN}
    for step in plan.steps:
        for target in step.outputs:
            if target.state in found:
                continue
            stem = _plain(target.container.name)
            number, name = 1, f"{stem}.sif"
            while name in taken or wanted.startswith(name + _PART):
                number += 1
                name = f"{stem}-{number}.sif"
            found[target.state] = name
            taken.add(name)
    return found


def _plain(name: str) -> str:
    """What of a recorded name, which may hold anything, can be a file's."""
    stem = os.path.splitext(os.path.basename(name))[0]
    return re.sub(r"[^\w+-]", "_", stem).lstrip("-")[:_MOST_LETTERS] or "output"


def _free(stem: str, word: str, suffix: str, skip: int = 0) -> str:
    """The first path of `STEM WORD SUFFIX` and `STEM WORD-N SUFFIX` where nothing is, but for
    `skip` such ones."""
    number, path = 1, f"{stem}{word}{suffix}"
    while os.path.lexists(path) or skip:
        skip -= not os.path.lexists(path)
        number += 1
        path = f"{stem}{word}-{number}{suffix}"
    return path


def _remove_all(path: str) -> None:
    with suppress(OSError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            remove_tree(path)
        else:
            os.unlink(path)


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
