"""A scan leaves the same in SQLite and in PostgreSQL, pair by pair."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from policyengine.store.store import Store
from policyengine.workflows.executors import PROCESSES
from policyengine.workflows.scan import ScanRequest, scan
from policyengine.workflows.settings import Settings
from policyengine.workflows.sync import unwatched
from tests.store.conftest import ManualClock, _create_database

CLUSTERS = 48


@pytest.fixture
def stores(postgresql: str, tmp_path: Path) -> tuple[str, str]:
    return f"sqlite:///{tmp_path}/store.db", _create_database(postgresql)


def told(url: str, clock: ManualClock, **request: object) -> tuple[object, ...]:
    settings = Settings(policies=["library:", "samples:"], inventory="file:samples/fleet.yaml", database=url)
    asked = ScanRequest(**request)  # type: ignore[arg-type]
    with Store.open(url) as store:
        result = asyncio.run(scan(settings, store, clock, asked, on_sync=unwatched, on_scan=unwatched))
        assert sum(result.clusters.values()) == CLUSTERS
        return (
            list(store.state_matrix()),
            store.findings(),
            set(store.rollups()),
            {(change.policy, change.cluster, change.old, change.new) for change in store.history()},
            result.scan.counts,
            result.effort.pairs,
        )


def test_states_findings_rollups_and_history_are_equal(stores: tuple[str, str]) -> None:
    sqlite, server = stores
    clock = ManualClock()

    assert told(sqlite, clock) == told(server, clock)
    clock.advance(days=40)
    assert told(sqlite, clock) == told(server, clock)


def test_several_processes_share_a_server(stores: tuple[str, str]) -> None:
    sqlite, server = stores
    clock = ManualClock()

    assert told(sqlite, clock) == told(server, clock, executor=PROCESSES, workers=2)
