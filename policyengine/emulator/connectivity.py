"""What Azure says of an Arc agent, from its last heartbeat and its certificate alone (G39)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from policyengine.emulator.clock import parse_stamp, stamp
from policyengine.emulator.settings import Settings
from policyengine.emulator.state import ClusterHead, EmulatedCluster
from policyengine.model.values import JSON, get_folded

HEARTBEAT: Final = timedelta(minutes=5)
EXPIRED: Final = "Expired"
CERTIFICATE: Final = "managedIdentityCertificateExpirationTime"


def connectivity(cluster: ClusterHead, at: datetime, settings: Settings) -> dict[str, JSON]:
    """Offline once it has been silent for 15 minutes, Expired once its certificate ran out."""
    if cluster.last_seen is None:
        beat = cluster.first_poll + ((at - cluster.first_poll) // HEARTBEAT) * HEARTBEAT
        return {
            "connectivityStatus": "Connected",
            "lastConnectivityTime": stamp(beat),
            **_renewed(cluster, at, settings),
        }
    status = _status(cluster, cluster.last_seen, at, settings)
    return {"connectivityStatus": status, "lastConnectivityTime": stamp(cluster.last_seen)}


def has_expired(cluster: ClusterHead, at: datetime, settings: Settings) -> bool:
    """True for an Arc agent that will never be let in again: its cluster is to be deleted and connected anew."""
    if not cluster.is_arc or cluster.last_seen is None:
        return False
    return _status(cluster, cluster.last_seen, at, settings).casefold() == EXPIRED.casefold()


def fall_silent(cluster: EmulatedCluster, at: datetime, settings: Settings) -> None:
    """The last heartbeat. From now on nobody renews the certificate."""
    cluster.last_seen = at
    if cluster.is_arc:
        cluster.document["properties"].update(_renewed(cluster, at, settings))


def _status(cluster: ClusterHead, seen: datetime, at: datetime, settings: Settings) -> str:
    if cluster.given_status:
        return cluster.given_status
    if at >= (_expires(cluster) or seen + settings.identity_lifetime):
        return EXPIRED
    return "Offline" if at - seen >= settings.heartbeat_timeout else "Connected"


def _renewed(cluster: ClusterHead, at: datetime, settings: Settings) -> dict[str, JSON]:
    """A connected agent has a new certificate before the old one has run out; nothing where none is told of."""
    expires = _expires(cluster)
    return {CERTIFICATE: stamp(at + settings.identity_lifetime)} if expires is not None and expires <= at else {}


def _expires(cluster: ClusterHead) -> datetime | None:
    """As its document says, if it does."""
    return parse_stamp(get_folded(cluster.document.get("properties") or {}, CERTIFICATE))
