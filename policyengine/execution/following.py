"""A write that was accepted, to its end: succeeded, or failed with the innermost cause. Nothing is sent from here.

Two things can be asked. The operation says how the change ended, and why, but not what became of the object; the
object says what it holds, and mostly how it is. So that one read mostly does for both, the object alone is believed
when it is settled *and* holds what was written, where that can only be the work of this write:

- the answer to the write showed the object under way (a service that shows it settled at once tells the end of the
  work by the operation only), and
- its content tells: no secret was written, it is not a deployment, and it did not hold the same before.

Whatever else the object shows, the operation is asked, then the object once more. What an earlier run began is
followed that way from the start.
Source: configuration API §4 (the object shows its final state when the operation says Succeeded); users' asks 21,
22 and 25.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from policyengine.arm.causes import Cause, cause_in_resource
from policyengine.errors import ArmError, ArmNotAuthorized, ArmNotFound, ArmRejected, OperationFailed
from policyengine.execution.live_object import LiveObject
from policyengine.remediation.diff import differences, holds
from policyengine.remediation.steps import FieldChange, StepState

_NAMED_DIFFERENCES: Final = 3


@dataclass(frozen=True, slots=True)
class Promise:
    """What is known of a write that was accepted.

    ``first_wait_s`` is when the service wants the first look. ``object_tells``: see above.
    """

    operation_url: str | None
    first_wait_s: float = 0.0
    object_tells: bool = False


async def follow(target: LiveObject, promise: Promise) -> tuple[StepState, str]:
    """SUCCEEDED or FAILED, and why. Raises ArmError when neither can be told now."""
    first_wait_s = promise.first_wait_s
    if promise.object_tells:
        if await _is_as_written(target, first_wait_s):
            return StepState.SUCCEEDED, ""
        first_wait_s = 0.0
    try:
        if promise.operation_url is not None:
            await _wait_for_operation(target, promise.operation_url, first_wait_s)
            first_wait_s = 0.0
        live = await target.settled(first_wait_s=first_wait_s)
    except OperationFailed as failure:
        return StepState.FAILED, await _why(target, failure)
    except ArmNotFound:
        return StepState.FAILED, f"`{target.write.id.name}` was accepted, but it is not there any more"
    wrong = differences(live, target.write.body)
    return (StepState.FAILED, _read_back(wrong)) if wrong else (StepState.SUCCEEDED, "")


def told(error: ArmError) -> str:
    """The message and, where there is one, what to do about it."""
    return f"{error.message}; {error.help}" if error.help else error.message


async def _is_as_written(target: LiveObject, first_wait_s: float) -> bool:
    """False when the object does not say so: it may have failed, be gone, or not be the newest that there is."""
    try:
        live = await target.settled(first_wait_s=first_wait_s)
    except (OperationFailed, ArmNotFound):
        return False
    return holds(live, target.write.body)


async def _wait_for_operation(target: LiveObject, url: str, first_wait_s: float) -> None:
    """Returns as well when the operation cannot be asked about: forgotten by the service, stored under another
    endpoint, or not this identity's to read. The object is then all there is."""
    with suppress(ArmNotFound, ArmRejected):
        try:
            await target.arm.wait(url, first_wait_s=first_wait_s, on_wait=target.on_wait)
        except ArmNotAuthorized as refused:
            if refused.status != 403:
                raise


async def _why(target: LiveObject, failure: OperationFailed) -> str:
    """The innermost cause; where the operation only says "failed", what the object says."""
    if Cause(failure.code or "", failure.message).is_vague:
        live = await target.read()
        cause = cause_in_resource(live) if live is not None else None
        if cause is not None:
            return f"{cause}; {cause.help}" if cause.help else str(cause)
    return told(failure)


def _read_back(wrong: tuple[FieldChange, ...]) -> str:
    named = ", ".join(f"{change.path} is `{change.old}`, not `{change.new}`" for change in wrong[:_NAMED_DIFFERENCES])
    more = f" and {len(wrong) - _NAMED_DIFFERENCES} more" if len(wrong) > _NAMED_DIFFERENCES else ""
    return f"accepted, but it reads back differently: {named}{more}"
