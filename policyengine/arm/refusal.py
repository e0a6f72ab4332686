"""From an answer that is an error to the exception that says so, with what the user can do about it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from policyengine.arm.answer import Answer, one_line, retry_after_s
from policyengine.arm.causes import Cause, innermost_cause
from policyengine.arm.registration import Registration, missing_in
from policyengine.arm.retry import is_busy, is_outcome_unknown
from policyengine.arm.roles import role_for
from policyengine.errors import (
    ArmConflict,
    ArmError,
    ArmNotAuthorized,
    ArmNotFound,
    ArmRejected,
    ArmThrottled,
    ArmUnavailable,
    OperationFailed,
)
from policyengine.model.values import JSON, get_folded, is_array, walk

_ACTION: Final = re.compile(
    r"perform action(?:\(s\))? '(?P<action>[^',]+)[^']*' (?:over scope|on the linked scope\(s\)) '(?P<scope>[^',]+)"
)
_TYPE: Final = re.compile(r".*/providers/([^/]+/[^/]+)", re.IGNORECASE)
_WHO: Final = re.compile(r"object id '([^']+)'")

_DOWN: Final = "the service is overloaded or down: try again later"
_IN_DOUBT: Final = "the service failed, and may have done the work all the same: look before trying again"
_BY_STATUS: Final = {
    401: "sign in again, or check the `arm.credential` and `arm.audience` settings",
    404: "it is not there, or this identity may not see it: read the inventory again",
    409: "something else holds it or has changed it: see what is under way there, then plan again",
    412: "the resource changed in the meantime: plan again",
    429: "others may spend the same budget: set `arm.budget` lower, or try again later",
}
_UNKNOWN_VERSION: Final = (
    "this service does not know the type in that api-version: check the `arm.cloud` and `arm.endpoint` settings"
)
_DISABLED: Final = "the subscription is disabled and cannot be written to: enable it, or leave it out"
_NO_ROLE: Final = frozenset({"", "authorizationfailed", "linkedauthorizationfailed", "forbidden"})
_BY_CODE: Final = {
    "subscriptionnotfound": "check the subscription's id, the `arm.cloud` setting, and that this identity may see it",
    "resourcegroupnotfound": "the group was deleted, or this identity may not see it: read the inventory again",
    "resourcenotfound": "it was deleted meanwhile: read the inventory again",
    "parentresourcenotfound": "its cluster was deleted meanwhile: read the inventory again",
    "invalidresourcetype": _UNKNOWN_VERSION,
    "noregisteredproviderfound": _UNKNOWN_VERSION,
    "invalidapiversionparameter": _UNKNOWN_VERSION,
    "readonlydisabledsubscription": _DISABLED,
    "scopelocked": "a lock protects this scope: remove it, or leave the scope out",
    "expiredauthenticationtoken": "sign in again, with an `arm.credential` that renews its tokens if this one does not",
    "invalidauthenticationtokentenant": "sign in to the tenant of this subscription, for example by AZURE_TENANT_ID",
}


def refusal(answer: Answer, *, method: str, path: str, correlation_id: str | None, is_read: bool = False) -> ArmError:
    """The exception for an answer that is not a success. ``path`` holds no host and no query.

    ``is_read``: what was asked changes nothing.
    """
    cause = _cause(answer)
    error = _kind(answer.status)(
        f"{method} {path} was answered {answer.status}: {cause}",
        method=method,
        url=path,
        status=answer.status,
        code=answer.code or cause.code or None,
        correlation_id=correlation_id,
        help=_help(answer, path, is_read=is_read) or cause.help or _help_by_status(answer.status, is_read=is_read),
    )
    if isinstance(error, ArmThrottled):
        error.retry_after_s = retry_after_s(answer)
    if isinstance(error, ArmConflict):
        error.passes = is_busy(answer)
    return error


def closed(method: str, path: str, seconds: float) -> ArmThrottled:
    """The exception for a request that is not even sent: the service said to leave it alone for so long."""
    error = ArmThrottled(
        f"{method} {path} is not sent: the service wants no more such requests for {seconds / 60:.0f} min",
        method=method,
        url=path,
        status=429,
        help="go on when that time is over",
    )
    error.retry_after_s = seconds
    return error


def still_unregistered(provider: Registration, seconds: float) -> ArmConflict:
    """The exception for a registration that does not come to its end."""
    return ArmConflict(
        f"{provider.namespace} is still not registered with subscription {provider.subscription} "
        f"after {seconds / 60:.0f} min",
        method="GET",
        url=provider.path,
        status=409,
        help=f"see `az provider show --namespace {provider.namespace} --subscription {provider.subscription}`",
    )


def operation_failed(status: str, cause: Cause, *, path: str, correlation_id: str) -> OperationFailed:
    """The exception for work that was accepted and then ended ``status``."""
    said = str(cause) if cause.message or cause.code else "the service gave no cause"
    return OperationFailed(
        said if status.casefold() == "failed" else f"{status.lower()}: {said}",
        method="GET",
        url=path,
        code=cause.code or None,
        correlation_id=correlation_id,
        help=cause.help,
    )


def _kind(status: int) -> type[ArmError]:
    if status in {409, 412}:
        return ArmConflict
    if status in {401, 403}:
        return ArmNotAuthorized
    if status == 408 or status >= 500:
        return ArmUnavailable
    return {404: ArmNotFound, 429: ArmThrottled}.get(status, ArmRejected)


def _cause(answer: Answer) -> Cause:
    if answer.error:
        return innermost_cause(answer.error)
    if 300 <= answer.status < 400:
        return Cause("", "a redirect, which is never followed: the token goes to no other address")
    return Cause("", one_line(answer.body)[:200] if isinstance(answer.body, str) else "")


def _help(answer: Answer, path: str, *, is_read: bool) -> str | None:
    """What the service's own words call for."""
    code = answer.code.casefold()
    if answer.status == 403 and (found := _ACTION.search(answer.message)):
        return _role(found["action"], found["scope"], answer.message)
    if (missing := missing_in(answer.code, answer.message, path)) is not None:
        return (
            f"run `{missing.command}`, wait until it is registered, then try again; "
            "or let this program do so: `arm.registerProviders: true`"
        )
    if code == "requestdisallowedbypolicy":
        return _denied_by(answer.error)
    if code in _BY_CODE:
        return _BY_CODE[code]
    return _some_role(path, is_read=is_read) if answer.status == 403 and code in _NO_ROLE else None


def _help_by_status(status: int, *, is_read: bool) -> str | None:
    """What can be done where nobody says more."""
    if 300 <= status < 400:
        return "check the `arm.endpoint` setting: a proxy or a page to sign in may answer in its place"
    if is_outcome_unknown(status) and not is_read:
        return _IN_DOUBT
    if status == 408 or status >= 500:
        return _DOWN
    if status == 400 and not is_read:
        return "the service does not take this content: mend the policy or the parameters it was made from"
    return _BY_STATUS.get(status)


def _role(action: str, scope: str, message: str) -> str:
    """The role to ask for, and the command that gives it; the service names who was refused."""
    who = _WHO.search(message)
    assign = f"az role assignment create --assignee {who[1] if who else 'IDENTITY'} --role '{role_for(action)}'"
    return f"it needs a role that allows `{action}`, such as {role_for(action)}: `{assign} --scope {scope}`"


def _some_role(path: str, *, is_read: bool) -> str:
    """The same where the service does not name the action."""
    found = _TYPE.match(path)
    kind = found[1] if found else "Microsoft.Resources/subscriptions"
    role = role_for(f"{kind}/{'read' if is_read else 'write'}")
    return f"this identity may lack a role such as {role} here; or a firewall keeps it out"


def _denied_by(error: Mapping[str, JSON]) -> str:
    infos = get_folded(error, "additionalInfo")
    names = [
        str(walk(info, "info", "policyAssignmentDisplayName") or walk(info, "info", "policyAssignmentName") or "")
        for info in (infos if is_array(infos) else ())
    ]
    named = ", ".join(f"`{name}`" for name in names if name)
    return (
        f"an Azure Policy assignment denies this write{': ' + named if named else ''}; exempt the cluster or change it"
    )
