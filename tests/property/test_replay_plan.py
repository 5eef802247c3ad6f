"""Any history of runs is planned so that each step stands behind those that it needs, every state
is made once, and nothing that is needed is missing; whatever is lost of it is told."""

from __future__ import annotations

import random
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from sifprov.errors import MissingError
from sifprov.frozen import replace
from sifprov.model.graph import Entity
from sifprov.model.record import Record
from sifprov.replay.steps import Continued, Found, Made, Plan
from sifprov.trail import Trail
from tests.unit.graphmaker import Sample
from tests.unit.lineages import carrier, read, record_of
from tests.unit.replays import Shelf, hangs_together, planned


class History:
    """Random runs: `made` are all states that they left, by record digest, with the run."""

    def __init__(self, rng: random.Random) -> None:
        s = self.sample = Sample()
        apps = [s.application(f"app-{n}.sif") for n in range(3)]
        pool: list[Entity] = [s.made(f"data-{n}.sif") for n in range(3)] + [s.plain("bare.sif")]
        self.made: dict[str, tuple[str, list[Entity], list[Entity]]] = {}
        self.last: list[Entity] = []
        for number in range(rng.randint(1, 25)):
            inputs = rng.sample(pool, rng.randint(0, min(4, len(pool))))
            inputs = list({e.uuid: e for e in inputs}.values())
            taken = {e.uuid for e in inputs}
            free = [e for e in pool if e.record and e.uuid not in taken]
            outputs: list[str | Entity] = [
                f"out-{number}-{n}.sif" for n in range(rng.randint(1, 3))
            ]
            if free and rng.random() < 0.5:
                # Mostly the newest state; of an older one when the file had been copied.
                again = rng.choice(free)
                outputs[0] = next(e for e in reversed(pool) if e.uuid == again.uuid)
                if rng.random() < 0.2:
                    outputs[0] = again
            before = [o for o in outputs if isinstance(o, Entity)]
            states = s.run(rng.choice(apps), tuple(inputs), *outputs)
            for state in states:
                old = [e for e in before if e.uuid == state.uuid]
                self.made[state.record or ""] = (state.generated_by or "", inputs, old)
            pool += [self.said(rng, e) for e in states]
            self.last = list(states)
        self.target = rng.choice(self.last)

    def said(self, rng: random.Random, entity: Entity) -> Entity:
        """Sometimes somebody adds words, and the container carries them from then on."""
        if rng.random() < 0.8:
            return entity
        digest = self.sample.put(self.sample.say(entity, "checked"))
        it = replace(entity.container, record=digest)
        return replace(entity, container=it, record=digest)

    def state(self, entity: Entity) -> str:
        """The state of a container that carries words: the one before them."""
        digest = entity.record or ""
        while digest in self.sample.store and digest not in self.made:
            digest = Record.from_bytes(self.sample.store[digest]).previous or ""
        return digest

    def needed(self) -> set[str]:
        """The states behind the target, found in another way: by what the history itself knows."""
        found: set[str] = set()
        todo = [self.target.record or ""]
        while todo:
            digest = todo.pop()
            if digest in found or digest not in self.made:
                continue
            found.add(digest)
            key, inputs, before = self.made[digest]
            todo += [self.state(e) for e in (*inputs, *before)]
            # All outputs of a run are made, and go on from what they held.
            todo += [d for d, (other, _, _) in self.made.items() if other == key]
        return found

    def trail(self, lost: Iterable[str] = ()) -> Trail:
        """The trail of the target, which embeds all documents but those that are lost."""
        gone = set(lost)
        kept = {d: b for d, b in self.sample.store.items() if d not in gone}
        it = carrier(self.target, record_of(self.sample, self.target))
        return read(replace(it, embedded=kept))


def starts(plan: Plan) -> set[str]:
    made = [i.state for s in plan.steps for i in s.inputs if isinstance(i, Made)]
    made += [t.start.state for s in plan.steps for t in s.outputs if isinstance(t.start, Continued)]
    return set(made)


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_all_that_is_needed_and_nothing_else(rng: random.Random) -> None:
    history = History(rng)
    plan = planned(history.trail(), Shelf(origins=True), from_origin=True)
    hangs_together(plan)
    made = {t.state for step in plan.steps for t in step.outputs}
    assert made == history.needed()
    assert starts(plan) <= made
    for step in plan.steps:
        _, inputs, _ = history.made[step.outputs[0].state]
        for item, entity in zip(step.inputs, inputs, strict=True):
            state = history.state(entity)
            assert item.container.uuid == entity.uuid
            if state in history.made:
                assert item == Made(item.container, state)
            else:
                assert isinstance(item, Found)


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_whatever_records_are_lost(rng: random.Random) -> None:
    """What is planned hangs together, of what is known; else it is said what is missing."""
    history = History(rng)
    there = sorted(set(history.sample.store) - {history.target.record or ""})
    lost = set(rng.sample(there, rng.randint(0, len(there))))
    trail = history.trail(lost)
    for from_origin in (False, True):
        try:
            plan = planned(trail, from_origin=from_origin)
        except MissingError as error:
            assert str(error)
            assert error.hint
            continue
        hangs_together(plan)
        assert plan.wanted == history.target.record


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_whatever_containers_are_lost(rng: random.Random) -> None:
    """All that are missing are named, and nothing else is."""
    history = History(rng)
    trail = history.trail()
    everything = {e.name for e in history.sample.entities.values()}
    lost = set(rng.sample(sorted(everything), rng.randint(0, len(everything))))
    shelf = Shelf(lost=lost)
    try:
        plan = planned(trail, shelf)
    except MissingError as error:
        text = str(error)
        for name in set(shelf.asked) & lost:
            assert name in text
        for name in set(shelf.asked) - lost:
            assert f"container {name} is" not in text
    else:
        hangs_together(plan)
        assert not set(shelf.asked) & lost
