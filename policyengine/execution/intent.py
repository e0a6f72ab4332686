"""What became of a request nobody saw the answer to. Pure: the live object tells.

INVARIANT: a write is sent again only when the live object shows that it was not applied. Where its content
cannot tell (a repair with the same fields, a new secret), the service's record of the last change does.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from policyengine.arm.operation import is_settled
from policyengine.arm.retry import is_outcome_unknown
from policyengine.errors import ArmConflict, ArmError, ArmThrottled, ArmTransportError, ArmUnavailable
from policyengine.model.values import JSON, walk
from policyengine.remediation.deployments import is_deployment
from policyengine.remediation.diff import has_secrets, holds, writable_fingerprint
from policyengine.remediation.steps import Step


class Fate(Enum):
    """What became of a write."""

    APPLIED = "applied"
    NOT_APPLIED = "not applied"  # the object is as it was before: the write may be sent
    OVERTAKEN = "overtaken"  # the object is neither as before nor as wanted


def note(live: Mapping[str, JSON] | None) -> str:
    """When the object was last changed, as a sentence to keep with the intent; "" when the service does not say."""
    if live is None:
        return "sending; nothing was there"
    changed = walk(live, "systemData", "lastModifiedAt") or walk(live, "etag") or walk(live, "properties", "timestamp")
    return f"sending over what was last changed {changed}" if changed else ""


def changes_nothing(error: ArmError) -> bool:
    """True when a write that ended with ``error`` cannot have been applied, and the same write may succeed later."""
    if isinstance(error, ArmTransportError):
        return not error.sent
    if isinstance(error, ArmUnavailable):
        return not is_outcome_unknown(error.status)
    if isinstance(error, ArmConflict):
        return error.passes
    return isinstance(error, ArmThrottled) or error.status == 401


def fate(step: Step, live: Mapping[str, JSON] | None, noted: str) -> Fate:
    """What became of the step's write, given the object as it is now and the `note` made before sending.

    A deployment is the record of a run: it says when it ran, and not what it was sent.
    """
    if is_deployment(step.write.id.type):
        return Fate.NOT_APPLIED if live is None or note(live) == noted else Fate.APPLIED
    is_as_before = writable_fingerprint(live, step.write.id.type) == step.before
    if live is None or not holds(live, step.write.body):
        return Fate.NOT_APPLIED if is_as_before else Fate.OVERTAKEN
    if not is_as_before or not is_settled(live):
        return Fate.APPLIED
    now = note(live)
    if now and noted:
        return Fate.NOT_APPLIED if now == noted else Fate.APPLIED
    return Fate.APPLIED if is_well(live) and not has_secrets(step.write.body) else Fate.NOT_APPLIED


def is_well(live: Mapping[str, JSON]) -> bool:
    """True when the last change of the resource ended well, as far as it says."""
    state = walk(live, "properties", "provisioningState")
    return not isinstance(state, str) or state.casefold() == "succeeded"
