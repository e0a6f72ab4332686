"""A plan as a value: every request that would be made, what it changes, and what stands in its way.

`plan.py` makes it, the store keeps it, `execution/` carries it out, people read it. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from policyengine.model.ids import ResourceId
from policyengine.model.resource import ResourceWrite
from policyengine.model.values import JSON, canonical_json, fingerprint


class Preflight(Enum):
    """What is known about a step before anything is sent."""

    READY = "ready"
    WAITS = "waits"  # for a step before it
    PARKED = "parked"  # the cluster cannot act now: agent offline, cluster stopped
    REFUSED = "refused"  # a guard says no: write conflict, create-only field, two instances of one type


class StepState(Enum):
    """Where a step stands; `TRANSITIONS` says what may follow what."""

    PLANNED = "planned"
    INTENT = "intent"  # about to be sent; after a crash nobody knows whether it was
    ACCEPTED = "accepted"  # the service answered; its operation is being followed
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STALE = "stale"  # the live object is not what the plan saw: not sent
    SKIPPED = "skipped"  # parked, refused, or a step before it did not succeed: not sent

    @property
    def is_final(self) -> bool:
        return not TRANSITIONS[self]


TRANSITIONS: Mapping[StepState, frozenset[StepState]] = {
    StepState.PLANNED: frozenset({StepState.INTENT, StepState.STALE, StepState.SKIPPED, StepState.SUCCEEDED}),
    StepState.INTENT: frozenset(
        {StepState.PLANNED, StepState.ACCEPTED, StepState.SUCCEEDED, StepState.FAILED, StepState.STALE}
    ),
    StepState.ACCEPTED: frozenset({StepState.SUCCEEDED, StepState.FAILED}),
    StepState.SUCCEEDED: frozenset(),
    StepState.FAILED: frozenset(),
    StepState.STALE: frozenset(),
    StepState.SKIPPED: frozenset(),
}


_NOUNS: Mapping[str, str] = {
    "extensions": "extension",
    "fluxconfigurations": "fluxConfiguration",
    "connectedclusters": "cluster",
    "managedclusters": "cluster",
}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of one object: ``old`` → ``new``; None stands for absent. Secret values are masked."""

    path: str
    old: JSON
    new: JSON


@dataclass(frozen=True, slots=True)
class Step:
    """One request. ``before`` is the fingerprint of the live object's writable part, None when it was absent."""

    id: str  # s001, s002, … in the order of the plan
    cluster: ResourceId
    policies: tuple[str, ...]  # keys of the bound policies it mends
    write: ResourceWrite
    before: str | None
    changes: tuple[FieldChange, ...]
    preflight: Preflight = Preflight.READY
    reason: str = ""  # why it waits, is parked or refused
    after_steps: tuple[str, ...] = ()  # ids of steps that must have succeeded first

    @property
    def action(self) -> str:
        """``create extension flux``, ``update fluxConfiguration cluster-config``, ``run deployment x``: for people."""
        kind = self.write.id.type.rpartition("/")[2].casefold()
        if kind == "deployments":
            return f"run deployment {self.write.id.name}"
        noun = _NOUNS.get(kind, self.write.id.type)
        return f"{'create' if self.before is None else 'update'} {noun} {self.write.id.name}"

    @property
    def will_run(self) -> bool:
        return self.preflight in {Preflight.READY, Preflight.WAITS}


@dataclass(frozen=True, slots=True)
class Unmended:
    """A finding that no write of this plan mends, and why (nothing to write, audit only, still installing)."""

    cluster: ResourceId
    policy: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done. Equal plans have equal hashes; ``id`` also tells when it was made."""

    created_at: datetime
    steps: tuple[Step, ...]
    unmended: tuple[Unmended, ...] = ()
    scope: str = ""  # what was asked for, in words: "assignment edge-baseline", "cluster edge-osl-03", "all"
    unenforced: bool = False  # somebody asked for an assignment by its name, so it may be one that is not enforced

    @property
    def hash(self) -> str:
        return fingerprint([_identity(step) for step in self.steps])

    @property
    def id(self) -> str:
        return "p-" + fingerprint([self.hash, self.created_at.isoformat()])[:8]

    @property
    def runnable(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.will_run)


def _identity(step: Step) -> JSON:
    return [
        step.write.method,
        step.write.id.key,
        step.write.api_version,
        canonical_json(step.write.body),
        step.before,
        step.preflight.value,
        list(step.after_steps),
    ]


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """A step's progress, as execution reports it and the store keeps it."""

    step_id: str
    state: StepState
    at: datetime
    message: str = ""  # why it failed, was skipped or is stale; the innermost cause, in words
    operation_url: str | None = None
    attempts: int = 0
