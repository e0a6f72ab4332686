"""One object's trouble, or everybody's? Only the second ends a run.

A request may stay without an answer because of what it asks for: a proxy that chokes on one document, a backend
that hangs over one cluster. So before a run ends for want of an answer, the service is asked for something that has
nothing to do with the object: its subscription. Any answer, a refusal too, says that the service is there.
"""

from __future__ import annotations

from policyengine.arm.client import ArmClient
from policyengine.errors import ArmError, ArmTransportError
from policyengine.inventory.listing import version_of
from policyengine.model.ids import ResourceId


async def ends_the_run(error: ArmError, arm: ArmClient, id: ResourceId) -> bool:
    """True when going on after ``error``, met over ``id``, would fail every other step as well.

    Nobody is signed in (401), the endpoint's certificate is not trusted, or it does not answer for the subscription
    of ``id`` either.
    """
    if isinstance(error, ArmTransportError):
        return error.lasts or not await _answers(arm, id.subscription or "")
    return error.status == 401


async def _answers(arm: ArmClient, subscription: str) -> bool:
    try:
        await arm.get(ResourceId.for_subscription(subscription).text, version_of("subscriptions"))
    except ArmError as error:
        return not isinstance(error, ArmTransportError) and error.status != 401
    return True
