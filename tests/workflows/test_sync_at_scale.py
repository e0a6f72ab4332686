"""Syncs that go batch by batch: what they write, and what one that is killed leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from policyengine.errors import InventoryError
from policyengine.inventory.reading import BATCH
from policyengine.model.resource import Cluster
from policyengine.model.synthetic import SyntheticFleet
from policyengine.store.database import Database
from policyengine.store.store import Store
from policyengine.workflows.settings import Settings
from policyengine.workflows.sync import Intake, OnProgress, SyncResult, sync, unwatched

SIZE = BATCH + 40


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Place:
    store: Store
    url: str

    def sync(self, inventory: str, on_progress: OnProgress = unwatched) -> SyncResult:
        return asyncio.run(sync(Settings(inventory=inventory), self.store, Clock(), on_progress))

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Asked in plain SQL, as a user would."""
        database = Database(self.url)
        with database.read() as session:
            found = [tuple(row) for row in session.execute(text(query))]
        database.close()
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    url = f"sqlite:///{tmp_path}/x.db"
    with Store.open(url) as store:
        yield Place(store, url)


def counts(result: SyncResult) -> tuple[int, int, int, int, int]:
    return result.clusters, result.added, result.changed, result.unchanged, result.removed


def killed_after_one_batch(done: int, total: int | None) -> None:
    if done:
        raise KeyboardInterrupt


def test_it_is_told_of_before_the_first_batch_is_there(place: Place) -> None:
    """A file of millions of lines is read once before it gives out the first of its clusters."""
    told: list[tuple[int, int | None]] = []
    place.sync(f"synthetic:{SIZE}", lambda done, total: told.append((done, total)))

    assert (told[0], told[-1]) == ((0, None), (SIZE, SIZE))


def test_an_unchanged_fleet_writes_nothing_but_the_sync(place: Place) -> None:
    first = place.sync(f"synthetic:{SIZE}")
    before, syncs = place.rows("SELECT * FROM cluster"), place.rows("SELECT seq FROM sync")
    again = place.sync(f"synthetic:{SIZE}")

    assert counts(first) == (SIZE, SIZE, 0, 0, 0)
    assert counts(again) == (SIZE, 0, 0, SIZE, 0)
    assert place.rows("SELECT * FROM cluster") == before
    assert len(place.rows("SELECT seq FROM sync")) == len(syncs) + 1


def test_only_what_changed_gets_a_new_sequence_number(place: Place, tmp_path: Path) -> None:
    fleet, file = list(SyntheticFleet(SIZE)), tmp_path / "fleet.ndjson"

    def write(clusters: list[Cluster], **changed: str) -> None:
        documents = (
            {**r.document, **(changed if c is fleet[7] else {})} for c in clusters for r in (c.resource, *c.children)
        )
        file.write_text("\n".join(map(json.dumps, documents)))

    write(fleet)
    place.sync(f"file:{file}")
    last = max(place.rows("SELECT seq FROM sync"))
    write([*fleet[:3], *fleet[4:]], kind="written")
    again = place.sync(f"file:{file}")

    assert counts(again) == (SIZE - 1, 0, 1, SIZE - 2, 1)
    stirred = place.rows(f"SELECT name, removed IS NULL FROM cluster WHERE seq > {last[0]} ORDER BY key")
    assert stirred == [(fleet[3].name, 0), (fleet[7].name, 1)]


def test_a_first_sync_that_is_killed_leaves_what_it_read_and_does_not_look_whole(place: Place) -> None:
    with pytest.raises(KeyboardInterrupt):
        place.sync(f"synthetic:{SIZE}", killed_after_one_batch)

    assert [c.id for c in place.store.clusters()] == [c.id for c in SyntheticFleet(SIZE)][:BATCH]
    left = place.store.last_sync()
    assert left is not None
    assert (left.complete, left.clusters) == (False, BATCH)

    again = place.sync(f"synthetic:{SIZE}")
    assert counts(again) == (SIZE, SIZE - BATCH, 0, BATCH, 0)
    whole = place.store.last_sync()
    assert whole is not None
    assert (whole.complete, whole.clusters) == (True, SIZE)


def test_a_later_sync_that_is_killed_retires_nobody_and_is_not_the_last_reading(place: Place) -> None:
    place.sync(f"synthetic:{SIZE}")
    before = place.store.last_sync()
    with pytest.raises(KeyboardInterrupt):
        place.sync(f"synthetic:{SIZE}?seed=8", killed_after_one_batch)

    assert place.store.last_sync() == before
    assert {c.id for c in SyntheticFleet(SIZE)} <= {c.id for c in place.store.clusters()}

    again = place.sync(f"synthetic:{SIZE}?seed=8")
    assert again.clusters == SIZE
    assert [c.id for c in place.store.clusters()] == [c.id for c in SyntheticFleet(SIZE, 8)]


def test_numbers_are_given_in_order_of_ids_and_kept(place: Place) -> None:
    place.sync(f"synthetic:{SIZE}")

    numbers = place.rows("SELECT number FROM cluster ORDER BY key")
    assert numbers == [(number,) for number in range(SIZE)]


def test_a_source_that_repeats_itself_is_not_believed(place: Place) -> None:
    """What comes again, or out of its turn, would be taken for new, and what was passed by for gone."""
    clusters = list(SyntheticFleet(3))
    intake = Intake(place.store, "file:x", Clock())
    intake.take(clusters[:2])

    for batch in (clusters[:1], clusters[1:], [clusters[2], clusters[2]]):
        with pytest.raises(InventoryError, match="once and in the order of their ids"):
            intake.take(batch)
