"""Fires: once each, whoever asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from policyengine.store.store import Store

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_a_fire_is_recorded_once(store: Store) -> None:
    assert store.record_fire("edge-baseline", NOON)
    assert not store.record_fire("edge-baseline", NOON)
    assert not store.record_fire("edge-baseline", NOON.astimezone(timezone(timedelta(hours=5))))
    assert store.record_fire("web-baseline", NOON)
    assert store.record_fire("edge-baseline", NOON + timedelta(minutes=1))


def test_the_last_fire_is_the_latest_time_not_the_latest_record(store: Store) -> None:
    assert store.last_fire("edge-baseline") is None

    store.record_fire("edge-baseline", NOON)
    store.record_fire("edge-baseline", NOON - timedelta(hours=1))
    store.record_fire("web-baseline", NOON + timedelta(hours=1))

    assert store.last_fire("edge-baseline") == NOON
    assert store.last_fire("edge-baseline", until=NOON - timedelta(minutes=1)) == NOON - timedelta(hours=1)
    assert store.last_fire("edge-baseline", until=NOON - timedelta(days=1)) is None
