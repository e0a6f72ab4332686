"""FluxConfigs, and what their controller makes from them: sources and Kustomizations with their conditions. Only data.

G-numbers are the statements of the GitOps behaviour reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from policyengine.emulator.clock import stamp
from policyengine.model.values import JSON

COMPLIANT: Final = "Compliant"
NON_COMPLIANT: Final = "Non-Compliant"
PENDING: Final = "Pending"
SUSPENDED: Final = "Suspended"
UNKNOWN: Final = "Unknown"
SHORTEST_INTERVAL: Final = timedelta(seconds=60)
"""Flux reconciles nothing more often (G26)."""
DEFAULT_INTERVAL: Final = 600
LONGEST_INTERVAL: Final = timedelta(days=36_525)
"""More is allowed, and as good as never."""

ObjectKey = tuple[str, str, str]
"""Kind, namespace (empty for a cluster-scoped kind), name."""


@dataclass(frozen=True, slots=True)
class ObjectCondition:
    type: str
    status: str
    reason: str
    message: str
    since: datetime

    def document(self) -> dict[str, JSON]:
        return {
            "lastTransitionTime": stamp(self.since),
            "message": self.message,
            "reason": self.reason,
            "status": self.status,
            "type": self.type,
        }


def conditions_of(
    before: tuple[ObjectCondition, ...],
    status: str,
    reason: str,
    message: str,
    at: datetime,
    *also: str,
    retried: bool = False,
) -> tuple[ObjectCondition, ...]:
    """The conditions that take the place of ``before``; the transition time moves only when the status does.

    ``also`` are types that say the same as Ready does, or, of a failure (`FetchFailed`), that it is so. ``retried``:
    the attempt failed, and another will follow (G37).
    """
    since = _since(before, "Ready", status, at)
    extra = [ObjectCondition(t, "True" if t.endswith("Failed") else status, reason, message, since) for t in also]
    progress = "Progressing" if status == "Unknown" else "ProgressingWithRetry" if retried else None
    if progress is not None:
        extra.append(
            ObjectCondition("Reconciling", "True", progress, message, _since(before, "Reconciling", "True", at))
        )
    return (*extra, ObjectCondition("Ready", status, reason, message, since))


def _since(before: tuple[ObjectCondition, ...], type: str, status: str, at: datetime) -> datetime:
    was = next((c for c in before if c.type == type), None)
    return was.since if was is not None and was.status == status else at


def state_of(conditions: tuple[ObjectCondition, ...]) -> str:
    """Our reading of the conditions (G35); the mapping is not published."""
    status = next((c.status for c in conditions if c.type == "Ready"), UNKNOWN)
    return {"True": COMPLIANT, "False": NON_COMPLIANT}.get(status, PENDING)


@dataclass(eq=False, slots=True)
class FluxObject:
    """A source or a Kustomization. ``key`` is the kustomization's key in the configuration; None for a source.

    ``spec`` is the part of the configuration it was made from. ``inventory`` are the objects a Kustomization applied
    last, ``deadline`` the instant until which it waits for their health. ``sync_due`` is when it is next looked at,
    None while that would change nothing.
    """

    kind: str
    namespace: str
    name: str
    owner: str
    key: str | None = None
    spec: Mapping[str, JSON] = field(default_factory=dict)
    suspended: bool = False
    generation: int = 1
    conditions: tuple[ObjectCondition, ...] = ()
    last_attempt: datetime | None = None
    sync_due: datetime | None = None
    inventory: tuple[ObjectKey, ...] = ()
    applied_revision: str = ""
    deadline: datetime | None = None

    @property
    def ready(self) -> ObjectCondition | None:
        return next((c for c in self.conditions if c.type == "Ready"), None)

    @property
    def is_ready(self) -> bool:
        return self.ready is not None and self.ready.status == "True"

    @property
    def depends_on(self) -> tuple[str, ...]:
        return tuple(self.spec.get("dependsOn") or ())

    @property
    def interval(self) -> timedelta:
        """Until it is looked at again: after a failure the retry interval, if there is one (G26)."""
        seconds = self.spec.get("syncIntervalInSeconds") or DEFAULT_INTERVAL
        if not self.is_ready:
            seconds = self.spec.get("retryIntervalInSeconds") or seconds
        return max(SHORTEST_INTERVAL, _length(seconds))

    @property
    def timeout(self) -> timedelta:
        return _length(self.spec.get("timeoutInSeconds") or DEFAULT_INTERVAL)

    @property
    def compliance_state(self) -> str:
        return SUSPENDED if self.suspended else state_of(self.conditions)

    def set_ready(self, status: str, reason: str, message: str, at: datetime) -> None:
        """Replace all conditions."""
        self.conditions = conditions_of(self.conditions, status, reason, message, at)

    def fail(self, reason: str, message: str, at: datetime, *also: str) -> None:
        """An attempt has failed; there will be another."""
        self.conditions = conditions_of(self.conditions, "False", reason, message, at, *also, retried=True)

    def status(self) -> dict[str, JSON]:
        """One entry of a configuration's `statuses`."""
        return {
            "name": self.name,
            "namespace": self.namespace,
            "kind": self.kind,
            "complianceState": self.compliance_state,
            "appliedBy": None,
            "statusConditions": [c.document() for c in self.conditions],
            "helmReleaseProperties": None,
        }

    def document(self) -> dict[str, JSON]:
        return {
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "owner": {"kind": "FluxConfig", "name": self.owner},
            "generation": self.generation,
            "suspend": self.suspended,
            "complianceState": self.compliance_state,
            "conditions": [c.document() for c in self.conditions],
        }


@dataclass(eq=False, slots=True)
class FluxConfigObject:
    """The FluxConfig custom resource with all that its controller made from it (G16, G17).

    ``spec`` is the configuration as the agent fetched it last. ``attempt`` counts reconciliations begun, so that what
    belongs to an earlier one can be told apart. ``secret_keys`` are those of the authentication secret, in Flux's
    words; ``secrets_missing`` says that the configuration speaks of secrets which nobody has any more (G42).
    """

    name: str
    namespace: str
    source: FluxObject
    revision: str
    created: datetime
    spec: Mapping[str, JSON] = field(default_factory=dict)
    kustomizations: dict[str, FluxObject] = field(default_factory=dict)
    generation: int = 1
    suspended: bool = False
    attempt: int = 0
    secret_keys: tuple[str, ...] = ()
    secrets_missing: bool = False
    synced_revision: str = ""
    source_updated: datetime | None = None

    @property
    def objects(self) -> Iterator[FluxObject]:
        yield self.source
        yield from self.kustomizations.values()

    @property
    def is_cluster_scoped(self) -> bool:
        return str(self.spec.get("scope", "cluster")) == "cluster"

    @property
    def secret_name(self) -> str:
        return f"{self.name}-auth"

    def kustomization(self, name: str) -> FluxObject | None:
        """By the name of the object, not by its key."""
        return next((k for k in self.kustomizations.values() if k.name == name), None)


def _length(seconds: int) -> timedelta:
    return timedelta(seconds=min(seconds, LONGEST_INTERVAL.total_seconds()))


def combined_state(states: Iterable[str]) -> str:
    """A configuration's state from its objects' (G36)."""
    present = set(states)
    if not present:
        return UNKNOWN
    for state in (NON_COMPLIANT, PENDING, SUSPENDED, UNKNOWN):
        if state in present:
            return state
    return COMPLIANT
