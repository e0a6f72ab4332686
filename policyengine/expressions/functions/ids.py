"""Resource ids from a type and names. The subscription and group come from the deployment's own scope."""

from __future__ import annotations

from policyengine.errors import ExpressionError
from policyengine.expressions.context import ExpressionContext
from policyengine.expressions.functions.base import TEMPLATE_ONLY, TEXT, Calling, Function
from policyengine.model.values import get_folded


def resource_id(context: ExpressionContext, *arguments: str) -> str:
    """``[subscription, [group,]] type, name…``; what is left out is the deployment's own.

    In a deployment to a subscription, without a group given, the id is one of the subscription.
    """
    before, type, names = _split(arguments, at_most_before=2)
    if len(before) == 2:
        return _extend(f"/subscriptions/{before[0]}/resourceGroups/{before[1]}", type, names)
    if len(before) == 1:
        return _extend(f"{_own(context, 'subscription')}/resourceGroups/{before[0]}", type, names)
    return _extend(_own(context, "resourcegroup") or _own(context, "subscription") or "", type, names)


def subscription_resource_id(context: ExpressionContext, *arguments: str) -> str:
    before, type, names = _split(arguments, at_most_before=1)
    scope = f"/subscriptions/{before[0]}" if before else _own(context, "subscription") or ""
    return _extend(scope, type, names)


def tenant_resource_id(type: str, *names: str) -> str:
    return _extend("", type, names)


def extension_resource_id(target: str, type: str, *names: str) -> str:
    return _extend(target.rstrip("/"), type, names)


def _split(arguments: tuple[str, ...], *, at_most_before: int) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """What stands before the type, the type (the first argument with a slash in it), and the names."""
    for at, argument in enumerate(arguments[: at_most_before + 1]):
        if "/" in argument:
            return arguments[:at], argument, arguments[at + 1 :]
    raise ExpressionError("a resource type such as `Microsoft.Kubernetes/connectedClusters` is missing")


def _extend(scope: str, type: str, names: tuple[str, ...]) -> str:
    provider, *types = type.strip("/").split("/")
    if len(types) != len(names):
        raise ExpressionError(f"`{type}` needs {len(types)} name{'' if len(types) == 1 else 's'}, got {len(names)}")
    path = "/".join(f"{kind}/{name}" for kind, name in zip(types, names, strict=True))
    return f"{scope}/providers/{provider}/{path}"


def _own(context: ExpressionContext, function: str) -> str | None:
    """The id of the deployment's ``subscription()`` or ``resourceGroup()``; None when it has no such scope."""
    supplied = context.functions.get(function)
    id = get_folded(supplied(), "id") if supplied is not None else None
    return id if isinstance(id, str) else None


IDS = (
    Function("resourceId", resource_id, (TEXT, TEXT), rest=TEXT, where=TEMPLATE_ONLY, calling=Calling.AWARE),
    Function(
        "subscriptionResourceId",
        subscription_resource_id,
        (TEXT, TEXT),
        rest=TEXT,
        where=TEMPLATE_ONLY,
        calling=Calling.AWARE,
    ),
    Function("tenantResourceId", tenant_resource_id, (TEXT, TEXT), rest=TEXT, where=TEMPLATE_ONLY),
    Function("extensionResourceId", extension_resource_id, (TEXT, TEXT, TEXT), rest=TEXT, where=TEMPLATE_ONLY),
)
