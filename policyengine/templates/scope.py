"""Where a deployment goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from policyengine.model.values import JSON, get_folded


@dataclass(frozen=True, slots=True)
class DeploymentScope:
    """A subscription or a resource group, and the facts a template may ask of them.

    ``subscription`` and ``resource_group`` are what `subscription()` and `resourceGroup()` return; both need an
    ``id``. Without a resource group the deployment is one of the subscription, and has a ``location``. ``at`` is what
    `utcNow()` gives.
    """

    subscription: Mapping[str, JSON]
    resource_group: Mapping[str, JSON] | None
    deployment_name: str
    at: datetime
    location: str | None = None

    @property
    def id(self) -> str:
        """The id that resources of the deployment are put under."""
        return str(get_folded(self.resource_group or self.subscription, "id"))

    @property
    def subscription_id(self) -> str:
        return str(get_folded(self.subscription, "id")).rsplit("/", 1)[-1]

    @property
    def deployment_value(self) -> Mapping[str, JSON]:
        """What `deployment()` returns, as far as it is known before there is one."""
        value = {"name": self.deployment_name, "properties": {"mode": "Incremental", "provisioningState": "Running"}}
        return value if self.location is None else {**value, "location": self.location}

    def retargeted(self, *, name: str, subscription: str | None, resource_group: str | None) -> DeploymentScope:
        """The scope of a nested deployment ``name``; None keeps what this scope has.

        Another subscription without a group means the subscription itself. Of another subscription or group no more
        is known than its id and name, so that asking for its location is an error rather than a guess.
        """
        inner = replace(self, deployment_name=name, location=None if resource_group else self.location)
        if subscription is not None and subscription.casefold() != self.subscription_id.casefold():
            id = f"/subscriptions/{subscription}"
            inner = replace(inner, subscription={"id": id, "subscriptionId": subscription}, resource_group=None)
        elif subscription is not None and resource_group is None:
            inner = replace(inner, resource_group=None)
        return inner if resource_group is None else inner._in_group(resource_group)

    def _in_group(self, name: str) -> DeploymentScope:
        if self.resource_group is not None:
            own = str(get_folded(self.resource_group, "id")).rsplit("/", 1)[-1]
            if own.casefold() == name.casefold():
                return self
        group = {
            "id": f"{get_folded(self.subscription, 'id')}/resourceGroups/{name}",
            "name": name,
            "type": "Microsoft.Resources/resourceGroups",
        }
        return replace(self, resource_group=group)
