"""What Azure says of an Arc agent, from its last heartbeat alone (G39)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from policyengine.emulator.clock import stamp
from policyengine.emulator.settings import Settings
from policyengine.emulator.state import ClusterHead
from policyengine.model.values import JSON

HEARTBEAT: Final = timedelta(minutes=5)
EXPIRED: Final = "Expired"


def connectivity(cluster: ClusterHead, at: datetime, settings: Settings) -> dict[str, JSON]:
    """Offline once it has been silent for 15 minutes, Expired once its certificate ran out."""
    if cluster.last_seen is None:
        beat = cluster.first_poll + ((at - cluster.first_poll) // HEARTBEAT) * HEARTBEAT
        return {"connectivityStatus": "Connected", "lastConnectivityTime": stamp(beat)}
    status = status_of(cluster, at - cluster.last_seen, settings)
    return {"connectivityStatus": status, "lastConnectivityTime": stamp(cluster.last_seen)}


def status_of(cluster: ClusterHead, silence: timedelta, settings: Settings) -> str:
    if cluster.given_status:
        return cluster.given_status
    if silence >= settings.identity_lifetime:
        return EXPIRED
    return "Offline" if silence >= settings.heartbeat_timeout else "Connected"


def has_expired(cluster: ClusterHead, at: datetime, settings: Settings) -> bool:
    """True for an Arc agent that will never be let in again: its cluster is to be deleted and connected anew."""
    if not cluster.is_arc or cluster.last_seen is None:
        return False
    return status_of(cluster, at - cluster.last_seen, settings).casefold() == EXPIRED.casefold()
